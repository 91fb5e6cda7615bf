//! The examples that follow Python's page "Developing with asyncio", and the
//! quickstart: each run with the mode off, in production and in debug mode.
//!
//! What is to be reported stands in the examples, as marks on their lines; what is to
//! be printed stands in their headers, as sessions in a terminal. To write the
//! sessions anew after a change: `UPDATE_EXAMPLES=1 cargo test --test asyncio`, twice
//! (a header that grows moves the lines that it speaks of).

#[path = "support/example.rs"]
mod example;
#[path = "support/session.rs"]
mod session;

use std::collections::BTreeSet;

use example::{Example, root};
use session::{kind_and_message, normal_line, text};

const MODES: [(&str, Option<&str>); 3] = [
    ("off", Some("off")),
    ("production", None),
    ("debug", Some("1")),
];

macro_rules! examples {
    ($($test:ident: $path:literal;)*) => {
        const EXAMPLES: &[&str] = &[$($path),*];

        $(mod $test {
            use super::*;

            #[test]
            fn reports_what_is_marked() {
                super::reports_what_is_marked(&Example::new($path));
            }

            #[test]
            fn does_what_its_header_says() {
                super::does_what_its_header_says(&Example::new($path));
            }
        })*
    };
}

examples! {
    quickstart: "quickstart";
    debug_mode: "asyncio/debug_mode";
    resources: "asyncio/resources";
    concurrency_and_multithreading: "asyncio/concurrency_and_multithreading";
    running_blocking_code: "asyncio/running_blocking_code";
    logging: "asyncio/logging";
    logging_json: "asyncio/logging_json";
    logging_non_blocking: "asyncio/logging_non_blocking";
    logging_one_subscriber: "asyncio/logging_one_subscriber";
    detect_never_awaited: "asyncio/detect_never_awaited";
    detect_never_retrieved: "asyncio/detect_never_retrieved";
    generators_close: "asyncio/generators_close";
    generators_order: "asyncio/generators_order";
    generators_outside: "asyncio/generators_outside";
    generators_concurrently: "asyncio/generators_concurrently";
}

#[test]
fn every_example_of_the_page_is_run() {
    let files = std::fs::read_dir(root().join("examples/asyncio")).expect("it is there");
    let files = files.map(|file| file.expect("a file").file_name());
    let there: BTreeSet<String> = files
        .map(|file| format!("asyncio/{}", file.to_string_lossy().trim_end_matches(".rs")))
        .collect();
    let tested = EXAMPLES.iter().map(|path| (*path).to_owned());
    let tested: BTreeSet<String> = tested.filter(|path| path.contains('/')).collect();
    assert_eq!(there, tested);
}

#[test]
fn the_page_names_every_example() {
    let page = std::fs::read_to_string(root().join("docs/from-asyncio.md")).expect("a page");
    let names = EXAMPLES
        .iter()
        .filter_map(|path| path.strip_prefix("asyncio/"));
    let missing: Vec<&str> = names
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

// ----- reports ---------------------------------------------------------------------

/// Each mode gives the reports that are marked with it, and no other; and what the
/// program itself does is the same in all of them.
fn reports_what_is_marked(example: &Example) {
    let mut printed = None;
    for (mode, switch) in MODES {
        let mut command = example.command();
        command.envs(switch.map(|switch| ("ASYNC_DEBUG", switch)));
        // Those that have a subscriber show all that there is.
        command.env("RUST_LOG", "debug_async=debug");
        let output = command.output().expect("it can be run");
        assert!(output.status.success(), "{mode}: {}", text(&output));

        let marks = example.marks().into_iter();
        let expected: BTreeSet<Told> = marks
            .filter(|mark| mark.modes.iter().any(|marked| marked == mode))
            .map(|mark| (mark.kind, mark.name, mark.line))
            .collect();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines = stderr.lines();
        let told: Vec<Told> = lines
            .filter_map(|line| told(line, &example.file()))
            .collect();
        let once: BTreeSet<Told> = told.iter().cloned().collect();
        assert_eq!(once, expected, "{mode}: {}", text(&output));
        assert_eq!(
            told.len(),
            once.len(),
            "{mode}, told twice: {}",
            text(&output)
        );

        let first = printed.get_or_insert_with(|| output.stdout.clone());
        assert_eq!(*first, output.stdout, "{mode}: {}", text(&output));
    }
}

/// A report: the kind, the name, the line.
type Told = (String, String, u32);

/// ``WARN debug_async::slow_poll: one poll of task `hasher` took … (spawned at …)``
fn told(line: &str, file: &str) -> Option<Told> {
    let (kind, message) = match serde_json::from_str::<serde_json::Value>(line) {
        Ok(event) => {
            let kind = event["target"].as_str()?.strip_prefix("debug_async::")?;
            let message = event["fields"]["message"].as_str()?;
            (kind.to_owned(), message.to_owned())
        }
        Err(_) => kind_and_message(line)?,
    };
    let name = message.split('`').nth(1).unwrap_or_default();
    // A panic has a place too, before that of its task.
    let place = format!("ed at {file}:");
    let line = message.rsplit_once(&place).map(|(_, rest)| rest);
    let line = line.and_then(|line| line.split(':').next()?.parse().ok());
    Some((kind, name.to_owned(), line.unwrap_or(0)))
}

// ----- headers ---------------------------------------------------------------------

fn does_what_its_header_says(example: &Example) {
    const PREFIX: &str = "//! ";
    let source = example.source();
    if session::is_update() {
        let updated = session::updated(example, &source, PREFIX);
        std::fs::write(root().join(example.file()), updated).expect("it can be written");
        return;
    }
    let sessions = session::sessions(&source, PREFIX);
    assert!(!sessions.is_empty(), "{} shows no session", example.file());
    for session in sessions {
        session::check(example, &session, &example.file());
    }
}

#[test]
fn what_differs_from_run_to_run_is_not_compared() {
    for (one, other) in [
        (
            "  polls 1, busy 2s 150ms, age 7us",
            "  polls 1, busy 3ms, age 12s",
        ),
        (
            "thread 'main' (12) panicked at a.rs:1:2:",
            "thread 'main' (7) panicked at a.rs:1:2:",
        ),
        ("    (12 frames hidden; x)", "    (7 frames hidden; x)"),
        (
            "2026-01-01T00:00:00.123Z  WARN debug_async::x: y",
            " WARN debug_async::x: y",
        ),
    ] {
        assert_eq!(normal_line(one), normal_line(other));
    }
    for (one, other) in [
        ("  polls 1, busy 3ms", "  polls 2, busy 3ms"),
        (
            "thread 'main' (7) panicked at a.rs:1:2:",
            "thread 'main' (7) panicked at a.rs:9:2:",
        ),
        (" WARN debug_async::x: y", "ERROR debug_async::x: y"),
    ] {
        assert_ne!(normal_line(one), normal_line(other));
    }
}
