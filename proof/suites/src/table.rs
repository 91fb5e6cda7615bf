//! `RESULTS.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::judged::{self, Judged};
use crate::rewrite::What;
use crate::run::{Arm, Outcome, Report, Verdict};
use crate::suites::Suite;

const NOT_JUDGED: &str = "**not judged**";

/// What became of one suite.
#[derive(Deserialize, Serialize)]
pub struct Row {
    pub suite: Suite,
    pub edits: BTreeMap<What, (usize, usize)>,
    pub outcomes: Vec<(Arm, Outcome)>,
}

impl Row {
    fn verdict(&self, arm: Arm, test: &str) -> Option<Verdict> {
        let (_, outcome) = self.outcomes.iter().find(|(of, _)| *of == arm)?;
        outcome.verdicts.get(test).copied()
    }

    /// The tests that some arm failed, with the arms.
    fn failures(&self) -> BTreeMap<&str, Vec<Arm>> {
        let mut failures: BTreeMap<_, Vec<Arm>> = BTreeMap::new();
        for (arm, outcome) in &self.outcomes {
            for (test, verdict) in &outcome.verdicts {
                if *verdict == Verdict::Failed {
                    failures.entry(&test[..]).or_default().push(*arm);
                }
            }
        }
        failures
    }

    /// The tests that ran bare and have no verdict in an arm of ours, or the other way.
    fn lost(&self) -> BTreeSet<&str> {
        let all = self
            .outcomes
            .iter()
            .flat_map(|(_, outcome)| outcome.verdicts.keys().map(String::as_str));
        all.filter(|test| {
            self.outcomes
                .iter()
                .any(|(arm, _)| self.verdict(*arm, test).is_none())
        })
        .collect()
    }

    /// The reports of an arm that warn, by kind and site.
    fn reports(&self, arm: Arm) -> BTreeMap<(String, String), &Report> {
        let outcomes = self.outcomes.iter().filter(|(of, _)| *of == arm);
        let reports = outcomes
            .flat_map(|(_, outcome)| &outcome.reports)
            .filter(|report| report.warns());
        reports
            .map(|report| {
                (
                    (report.kind.clone(), judged::site(&self.suite.name, report)),
                    report,
                )
            })
            .collect()
    }
}

/// How a suite went, for the terminal.
pub fn row(row: &Row) -> String {
    let mut text = String::new();
    for (arm, outcome) in &row.outcomes {
        writeln!(text, "    {}", counts(*arm, outcome, row).join(" | ")).expect("a string");
    }
    text
}

/// The whole page, and whether all of it has been judged and nothing fails for us.
pub fn page(rows: &[Row], judged: &Judged, versions: &str) -> (String, bool) {
    let mut page = format!(
        "# Results\n\nMade by `bash proof/run`; `proof/README.md` says how to read it. {versions}\n\n\
         | suite | version | arm | passed | passed alone | passed, with a report | failed | ignored | reports |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        for (arm, outcome) in &row.outcomes {
            let cells = counts(*arm, outcome, row).join(" | ");
            page += &format!("| {} | {} | {cells} |\n", row.suite.name, row.suite.version);
        }
    }
    page += "\n## What was put in\n\nIn brackets: what the compiler refused, and was taken back.\n\n| suite |";
    for what in What::ALL {
        page += &format!(" {} |", what.name());
    }
    page += "\n|---|";
    page += &"---|".repeat(What::ALL.len());
    for row in rows {
        page += &format!("\n| {} |", row.suite.name);
        for what in What::ALL {
            let (kept, lost) = row.edits.get(&what).copied().unwrap_or_default();
            page += &match lost {
                0 => format!(" {kept} |"),
                _ => format!(" {kept} ({lost}) |"),
            };
        }
    }
    page += "\n";
    for row in rows {
        for untouched in &row.suite.untouched {
            let functions: Vec<_> = untouched
                .functions
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            page += &format!(
                "\nNothing was put into {} of {}'s `{}`: {}\n",
                functions.join(" and "),
                row.suite.name,
                untouched.file.display(),
                untouched.why
            );
        }
    }
    let mut good = true;
    page += "\n## Tests that fail\n";
    for row in rows {
        good &= failures(row, judged, &mut page);
    }
    page += "\n## Reports\n\nOf level WARN and above, in debug mode, each kind and site once.\n";
    for row in rows {
        good &= reports(row, judged, &mut page);
    }
    (page, good)
}

fn counts(arm: Arm, outcome: &Outcome, row: &Row) -> Vec<String> {
    let number = |of: Verdict| {
        outcome
            .verdicts
            .values()
            .filter(|verdict| **verdict == of)
            .count()
    };
    let mut cells = vec![arm.name().to_owned()];
    for verdict in [
        Verdict::Passed,
        Verdict::PassedAlone,
        Verdict::Reported,
        Verdict::Failed,
        Verdict::Ignored,
    ] {
        cells.push(number(verdict).to_string());
    }
    cells.push(row.reports(arm).len().to_string());
    cells
}

/// For a cell of a table.
fn one_line(text: &str) -> String {
    text.trim().replace('\n', " ").replace('|', "\\|")
}

fn failures(row: &Row, judged: &Judged, page: &mut String) -> bool {
    let suite = &row.suite.name;
    let mut good = true;
    let mut lines = Vec::new();
    // The test, what is wrong with it, and whether it may be without anybody's having
    // judged it.
    let failures = row.failures().into_iter().map(|(test, arms)| {
        let names: Vec<&str> = arms.iter().map(|arm| arm.name()).collect();
        (test, names.join(", "), arms.contains(&Arm::Bare))
    });
    let lost = row.lost().into_iter();
    let lost = lost.map(|test| (test, String::from("has no verdict in each arm"), false));
    for (test, what, is_good) in failures.chain(lost) {
        let (target, test) = test.split_once(' ').unwrap_or(("", test));
        let judged = judged.failure(suite, target, test);
        good &= is_good || judged.is_some();
        let why = judged.map_or(NOT_JUDGED.to_owned(), |judged| one_line(&judged.why));
        lines.push(format!("| `{target}` | `{test}` | {what} | {why} |"));
    }
    for (arm, outcome) in &row.outcomes {
        for broken in &outcome.broken {
            good = false;
            lines.push(format!("| | | {} | {broken} |", arm.name()));
        }
    }
    for without in &row.suite.without {
        let target = &without.target;
        let test = without.test.as_deref().unwrap_or("all");
        lines.push(format!(
            "| `{target}` | {test} | not run | {} |",
            without.why
        ));
    }
    if !lines.is_empty() {
        *page += &format!(
            "\n### {suite}\n\n| target | test | in | why |\n|---|---|---|---|\n{}\n",
            lines.join("\n")
        );
    }
    good
}

fn reports(row: &Row, judged: &Judged, page: &mut String) -> bool {
    let suite = &row.suite.name;
    let mut good = true;
    // Those of one verdict in one line.
    let mut lines: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
    for ((kind, site), report) in row.reports(Arm::Debug) {
        let judged = judged.report(suite, report);
        good &= judged.is_some();
        let (verdict, why) = match judged {
            Some(judged) => (judged.verdict.clone(), one_line(&judged.why)),
            None => (NOT_JUDGED.to_owned(), one_line(&report.message)),
        };
        lines
            .entry((kind, verdict, why))
            .or_default()
            .push(format!("`{site}`"));
    }
    if !lines.is_empty() {
        *page += &format!("\n### {suite}\n\n| kind | sites | verdict | why |\n|---|---|---|---|\n");
    }
    for ((kind, verdict, why), sites) in lines {
        *page += &format!("| `{kind}` | {} | {verdict} | {why} |\n", sites.join(", "));
    }
    good
}
