//! The pages of the findings, `docs/findings/`: what each shows is so.
//!
//! A page has two programs, which are in `examples/findings/`: one with the bug, which
//! makes the report that the page shows and no other, at the line that says `// BUG`, and
//! one without it, which makes none. To write programs and reports into the pages anew
//! after a change: `UPDATE_EXAMPLES=1 cargo test --test findings`.

#[macro_use]
#[path = "../examples/findings/kinds.rs"]
mod kinds;
#[path = "support/example.rs"]
#[allow(dead_code)] // The marks are another test's.
mod example;
#[path = "support/session.rs"]
mod session;

use std::fs::{read_to_string, write};
use std::process::Output;

use debug_async::report::ReportKind;
use example::{Example, root};

macro_rules! pages {
    ($($kind:ident)*) => {
        const PAGES: &[&str] = &[$(stringify!($kind)),*];

        $(mod $kind {
            #[test]
            fn the_bug_is_reported_as_the_page_says() {
                super::the_bug_is_reported_as_the_page_says(&super::Page::new(stringify!($kind)));
            }

            #[test]
            fn the_fix_is_silent() {
                super::the_fix_is_silent(&super::Page::new(stringify!($kind)));
            }
        })*
    };
}

kinds!(pages);

/// What every page has, in this order.
const SECTIONS: &[&str] = &[
    "The bug",
    "The report",
    "The cause",
    "The fix",
    "What it never flags",
    "How to silence it",
    "Its cost",
];

/// Where time is not the subject, a machine that has more to do than it can is no finding.
const PATIENT: &[(&str, &str)] = &[
    ("ASYNC_DEBUG_SLOW_POLL", "30s"),
    ("ASYNC_DEBUG_BLOCKED", "30s"),
];

const ABOUT_TIME: &[&str] = &[
    "slow_poll",
    "blocked",
    "slow_drop",
    "blocking_pool_full",
    "slow_io",
];

const INDEX: &str = "docs/findings/README.md";

#[test]
fn every_finding_has_a_page() {
    let kinds: Vec<&str> = ReportKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(PAGES, kinds);

    let index = read(INDEX);
    for kind in ReportKind::ALL {
        let link = format!("[`{kind}`]");
        let row = index
            .lines()
            .find(|line| line.starts_with(&format!("| {link}")));
        let row = row.unwrap_or_else(|| panic!("{INDEX} has no row for {kind}"));
        assert!(row.contains(kind.level().as_str()), "{row}");
        let target = format!("\n{link}: {kind}.md");
        assert!(index.contains(&target), "{INDEX} has no link to {kind}");
        assert!(kind.page().ends_with(&format!("/findings/{kind}/")));
    }
}

#[test]
fn every_page_has_the_same_sections() {
    for kind in PAGES {
        let page = Page::new(kind);
        let text = read(&page.file());
        let heads = text.lines().filter_map(|line| line.strip_prefix("# "));
        assert_eq!(heads.collect::<Vec<_>>(), SECTIONS, "{}", page.file());
        let says = format!("`{kind}`");
        assert!(
            text.starts_with(&says),
            "{} begins with {says}",
            page.file()
        );
        for command in [page.command(), format!("{} fixed", page.command())] {
            assert!(text.contains(&command), "{} lacks {command}", page.file());
        }
    }
}

/// The figures beside those of others are those that were measured last.
#[test]
fn the_figures_are_those_of_the_benchmark() {
    const BESIDE: &str = "docs/beside.md";
    let results = read("benches/RESULTS.md");
    let (_, results) = results.split_once("## Overhead").expect("a section");
    let measured = table(results);
    let page = read(BESIDE);
    let (before, costs) = page.split_once("# What each costs").expect("a section");
    let shown = table(costs);
    if session::is_update() {
        let costs = costs.replace(shown, measured);
        write(
            root().join(BESIDE),
            format!("{before}# What each costs{costs}"),
        )
        .expect("it can be written");
    } else {
        assert_eq!(shown, measured, "{BESIDE} has other figures");
    }
}

/// The first table of a text.
fn table(text: &str) -> &str {
    let begin = text.find("\n|").expect("a table") + 1;
    let end = text[begin..].find("\n\n").expect("it ends");
    &text[begin..begin + end]
}

/// A page, and its programs.
struct Page {
    kind: &'static str,
    example: Example,
}

impl Page {
    fn new(kind: &'static str) -> Page {
        let mut example = Example::new("findings/main");
        if !ABOUT_TIME.contains(&kind) {
            example.settings = PATIENT;
        }
        Page { kind, example }
    }

    fn file(&self) -> String {
        format!("docs/findings/{}.md", self.kind)
    }

    fn program(&self, which: &str) -> String {
        format!("examples/findings/{}/{which}.rs", self.kind)
    }

    /// What its reader is told to run.
    fn command(&self) -> String {
        let Page { kind, example } = self;
        format!(
            "ASYNC_DEBUG=1 cargo run --example {} -- {kind}",
            example.name()
        )
    }

    /// The page with the programs as they are now.
    fn with_programs(&self) -> String {
        let mut with = String::new();
        let (mut which, mut inside) = (None, false);
        for line in read(&self.file()).lines() {
            let ends = inside && line == "```";
            if !inside || ends {
                with += &format!("{line}\n");
            }
            inside &= !ends;
            match line {
                "# The bug" => which = Some("bug"),
                "# The fix" => which = Some("fixed"),
                "```rust,no_run" => {
                    let program = which.take().map(|which| read(&self.program(which)));
                    // Here, a module; there, a program of its own.
                    let program = program.unwrap_or_else(|| panic!("{}: whose?", self.file()));
                    with += &program.replace("pub(crate) ", "");
                    inside = true;
                }
                _ => {}
            }
        }
        with
    }
}

fn the_bug_is_reported_as_the_page_says(page: &Page) {
    let (file, text) = (page.file(), page.with_programs());
    if session::is_update() {
        let text = session::updated(&page.example, &text, "");
        write(root().join(file), text).expect("it can be written");
        return;
    }
    assert_eq!(read(&file), text, "{file} has another program");
    // With it, all tasks are seen.
    if cfg!(tokio_unstable) && page.kind == "untracked_tasks" {
        return;
    }
    let mut is_shown = false;
    for session in session::sessions(&text, "") {
        let output = session::check(&page.example, &session, &file);
        if session.command == page.command() {
            is_shown = true;
            is_reported_alone(page, &output);
        }
    }
    assert!(is_shown, "{file} does not run its program");
}

fn is_reported_alone(page: &Page, output: &Output) {
    let shown = session::text(output);
    let mut expected = vec![page.kind.to_owned()];
    let file = page.program("bug");
    let mut is_marked = false;
    for (number, line) in (1..).zip(read(&file).lines()) {
        let Some((_, others)) = line.split_once("// BUG") else {
            continue;
        };
        is_marked = true;
        let place = format!("{file}:{number}:");
        // What is inlined in a release build may lose its line.
        let is_told = shown.contains(&place) || !cfg!(debug_assertions);
        assert!(is_told, "{place} is not told: {shown}");
        // `// BUG, and summary`: what cannot be had without the other.
        expected.extend(others.strip_prefix(", and ").map(str::to_owned));
    }
    let is_somewhere = shown.contains(&file);
    assert_eq!(is_marked, is_somewhere, "{file} marks it");
    let mut told = kinds(&shown);
    told.sort();
    told.dedup();
    expected.sort();
    assert_eq!(told, expected, "{shown}");
}

fn the_fix_is_silent(page: &Page) {
    let mut command = page.example.command();
    let command = command.env("ASYNC_DEBUG", "1").args([page.kind, "fixed"]);
    let output = command.output().expect("it can be run");
    let shown = session::text(&output);
    assert!(output.status.success(), "{shown}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{shown}"
    );
}

fn kinds(text: &str) -> Vec<String> {
    let told = text.lines().filter_map(session::kind_and_message);
    told.map(|(kind, _)| kind).collect()
}

fn read(file: &str) -> String {
    read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
