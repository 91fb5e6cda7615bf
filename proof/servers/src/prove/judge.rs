//! Whether a run is as it should be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::child::{Ended, Run};
use super::marks::{self, Mark};
use crate::programs::Program;

pub(super) const HEAD: &str = "\
| program | run | time | requests | answered | hung up | reports | told below `WARN` | MiB warm | half | end | most of 2nd half |
|---|---|---|---|---|---|---|---|---|---|---|---|";

/// From when on a run is long enough to see memory grow.
const LONG: Duration = Duration::from_secs(120);

/// How many of the wrong answers are shown.
const SHOWN: usize = 10;

pub(super) struct Judged {
    pub(super) row: String,
    /// What was to be found, and was.
    pub(super) found: Vec<String>,
    pub(super) wrong: Vec<String>,
}

pub(super) fn judge(run: &Run, ended: &Ended) -> anyhow::Result<Judged> {
    let mut wrong = Vec::new();
    if !ended.status.success() {
        wrong.push(format!("it ends with {}", ended.status));
    }
    let counts = ended.counts;
    if !counts.done {
        wrong.push("it has not come to its end".to_owned());
    }
    if counts.sent == 0 || counts.answered != counts.sent {
        let (sent, answered) = (counts.sent, counts.answered);
        wrong.push(format!("{sent} requests were sent, {answered} answered"));
    }
    wrong.extend(ended.errors.iter().take(SHOWN).cloned());

    let (warnings, below): (Vec<&Value>, Vec<&Value>) = ended
        .reports
        .iter()
        .partition(|report| report["level"] == "WARN" || report["level"] == "ERROR");
    let mut missing = if run.has_bug {
        Mark::all(run.program)?
    } else {
        Vec::new()
    };
    let mut found = Vec::new();
    for report in &warnings {
        let mark = Mark::of(report);
        match missing.iter().position(|missing| *missing == mark) {
            Some(index) => {
                missing.remove(index);
                found.push(text(report));
            }
            None => wrong.push(format!("not to be reported: {}\n{report:#}", text(report))),
        }
    }
    wrong.extend(missing.iter().map(|mark| format!("not found: {mark:?}")));

    let figures = ended.memory.figures();
    // A short run is all warm-up.
    let is_long = run.time >= LONG;
    if let Some(figures) = figures.filter(|_| is_long && !run.has_bug)
        && figures.most > figures.bound()
    {
        let (most, bound) = (figures.most, figures.bound());
        wrong.push(format!("memory grew to {most} KiB, beyond {bound}"));
    }
    let mib =
        |kib: Option<u64>| kib.map_or("?".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0));
    let row = [
        run.program.name().to_owned(),
        name(run.has_bug).to_owned(),
        format!("{}s", run.time.as_secs()),
        counts.sent.to_string(),
        counts.answered.to_string(),
        counts.hung_up.to_string(),
        by_kind(&warnings),
        by_kind(&below),
        mib(figures.map(|figures| figures.warm)),
        mib(figures.map(|figures| figures.half)),
        mib(figures.map(|figures| figures.end)),
        mib(figures.map(|figures| figures.most)),
    ];
    Ok(Judged {
        row: format!("| {} |", row.join(" | ")),
        found,
        wrong,
    })
}

pub(super) fn skipped(program: Program, has_bug: bool) -> String {
    format!("| {} | {} | skipped |", program.name(), name(has_bug))
}

fn name(has_bug: bool) -> &'static str {
    if has_bug { "planted" } else { "healthy" }
}

fn text(report: &Value) -> String {
    let message = report["fields"]["message"].as_str().unwrap_or_default();
    let at = report["fields"]["blocked_at"].as_str();
    let at = at.map_or(String::new(), |at| format!(", blocked at {at}"));
    format!("{}: {message}{at}", marks::kind(report))
}

/// `2 cancelled, 1 summary`: events, of which there are fewer than findings.
fn by_kind(reports: &[&Value]) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for report in reports {
        *counts.entry(marks::kind(report)).or_default() += 1;
    }
    let counts = counts
        .iter()
        .map(|(kind, count)| format!("{count} `{kind}`"));
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => "none".to_owned(),
        false => counts.join(", "),
    }
}
