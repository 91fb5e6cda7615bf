//! The examples that follow Python's page "Developing with asyncio", and the
//! quickstart: each run with the mode off, in production and in debug mode.
//!
//! What is to be reported stands in the examples, as marks on their lines; what is to
//! be printed stands in their headers, as sessions in a terminal. To write the
//! sessions anew after a change: `UPDATE_EXAMPLES=1 cargo test --test asyncio`, twice
//! (a header that grows moves the lines that it speaks of).

#[path = "support/example.rs"]
mod example;

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Output;

use example::{Example, root};

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

fn kind_and_message(line: &str) -> Option<(String, String)> {
    let (level, rest) = line.split_once(" debug_async::")?;
    // The span that it belongs to stands in between.
    let mut words = level.split_whitespace();
    if !words.any(|word| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&word)) {
        return None;
    }
    let (kind, message) = rest.split_once(": ")?;
    Some((kind.to_owned(), message.to_owned()))
}

// ----- headers ---------------------------------------------------------------------

/// One command of a ```` ```console ```` block, and what it printed.
#[derive(Debug)]
struct Session {
    command: String,
    output: Vec<String>,
}

fn does_what_its_header_says(example: &Example) {
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        update(example);
        return;
    }
    let sessions = sessions(&example.source());
    assert!(!sessions.is_empty(), "{} shows no session", example.file());
    // Line tables and inlining make the stacks of a release build differ.
    if !cfg!(debug_assertions) {
        return;
    }
    for session in sessions {
        let output = run(example, &session.command);
        if let Err(difference) = compare(&session.output, &output) {
            panic!(
                "{}: `{}` {difference}\n{}\n\
                 If this is right, run `UPDATE_EXAMPLES=1 cargo test --test asyncio`, twice.",
                example.file(),
                session.command,
                text(&output),
            );
        }
    }
}

fn sessions(source: &str) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut inside = false;
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            let command = command.to_owned();
            sessions.push(Session {
                command,
                output: Vec::new(),
            });
        } else if let (true, Some(session)) = (inside, sessions.last_mut()) {
            session.output.push(line.to_owned());
        }
    }
    sessions
}

/// Runs `NAME=value … cargo run --example <name> -- <argument> …`.
fn prepared(example: &Example, line: &str) -> std::process::Command {
    let mut command = example.command();
    let mut words = line.split_whitespace();
    let mut word = words.next();
    while let Some((name, value)) = word.and_then(|word| word.split_once('=')) {
        command.env(name, value);
        word = words.next();
    }
    let cargo: Vec<&str> = word.into_iter().chain(words.by_ref().take(3)).collect();
    assert_eq!(
        cargo,
        ["cargo", "run", "--example", example.name()],
        "{line}"
    );
    command.args(words.filter(|word| *word != "--"));
    command
}

fn run(example: &Example, line: &str) -> Output {
    let output = prepared(example, line).output().expect("it can be run");
    assert!(output.status.success(), "{line}: {}", text(&output));
    output
}

/// Whether what was printed is what the header says. The two streams may mix
/// otherwise than they did then, and reports about several things come in no order.
fn compare(header: &[String], output: &Output) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let mut printed = normal(stdout.lines()).into_iter().peekable();
    let header = normal(header.iter().map(String::as_str)).into_iter();
    let rest = header.filter(|line| printed.next_if_eq(line).is_none());
    let rest = blocks(rest.collect());
    if let Some(missing) = printed.next() {
        return Err(format!("prints what the header does not have: {missing}"));
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let reported = blocks(normal(stderr.lines()));
    if rest != reported {
        return Err(format!(
            "should report\n{rest:#?}\nand reports\n{reported:#?}"
        ));
    }
    Ok(())
}

/// The lines of each report, sorted.
fn blocks(lines: Vec<String>) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    for line in lines {
        let begins = !line.starts_with(' ')
            && (line.contains(" debug_async::") || line.starts_with("thread '"));
        match blocks.last_mut() {
            Some(block) if !begins => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    let mut blocks: Vec<_> = blocks.into_iter().map(without_live).collect();
    blocks.sort();
    blocks
}

/// A report without what was seen of a thread while it was blocked: where it was then is
/// chance, and on a busy machine nobody may have come to look. `tests/blocked.rs` holds it.
fn without_live(mut block: Vec<String>) -> Vec<String> {
    let is_of_a_block = |line: &str| line.contains("it blocked its thread");
    let Some(first) = block.first_mut().filter(|line| is_of_a_block(line)) else {
        return block;
    };
    for doing in [", waiting: it", ", computing: it"] {
        *first = first.replace(doing, ": it");
    }
    if let Some((before, after)) = first.split_once(" blocked_at=\"") {
        let after = after.split_once('"').map_or("", |(_, after)| after);
        *first = format!("{before}{after}");
    }
    let is_live = |line: &String| {
        let line = line.trim_start();
        ["blocked at ", "at ", "("]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    block.retain(|line| !is_live(line));
    block
}

/// Without what differs from run to run, or from machine to machine.
fn normal<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines = lines.map(str::trim_end).filter(|line| !line.is_empty());
    // std writes this after its message, and a report may come in between.
    let lines = lines.filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE=1`"));
    // A frame of a library: where it lies, and what it is called, is not ours.
    let lines = lines.filter(|line| !(line.trim_start().starts_with("at ") && line.contains("(/")));
    lines.map(normal_line).collect()
}

fn normal_line(line: &str) -> String {
    let begins = line.find(" debug_async::").map(|at| &line[..at]);
    let level = begins.and_then(|begins| begins.split_whitespace().last());
    // The time before the level, or the blanks that align it.
    let line = match (begins, level) {
        (Some(begins), Some(level)) if !line.starts_with("    ") => {
            format!("{level}{}", &line[begins.len()..])
        }
        _ => line.to_owned(),
    };
    let mut normal = String::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let digits = number
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(number.len());
        let unit_ends = number[digits..].find(|c: char| !c.is_alphabetic());
        let unit_ends = unit_ends.map_or(number.len(), |end| digits + end);
        let is_time = ["ns", "us", "ms", "s", "m"].contains(&&number[digits..unit_ends]);
        let is_count = ["task ", "task.id="]
            .iter()
            .any(|what| before.ends_with(what))
            || number[digits..].starts_with(" frames hidden")
            || (before.ends_with("' (") && line.starts_with("thread"));
        normal.push_str(before);
        match (is_time, is_count) {
            // `2s 150ms` is one time.
            (true, _) if normal.ends_with("<time> ") => normal.truncate(normal.len() - 1),
            (true, _) => normal.push_str("<time>"),
            (_, true) => normal.push_str("<n>"),
            _ => normal.push_str(&number[..digits]),
        }
        rest = &number[if is_time { unit_ends } else { digits }..];
    }
    normal + rest
}

/// Puts what the commands of the header print now in place of what stands there.
fn update(example: &Example) {
    let source = example.source();
    let mut updated = String::new();
    let mut inside = false;
    for line in source.lines() {
        let words = line.strip_prefix("//! ").unwrap_or_default();
        if words.starts_with("```") {
            inside = words == "```console";
        } else if let (true, Some(command)) = (inside, words.strip_prefix("$ ")) {
            updated += &format!("{line}\n{}", as_comment(&both_streams(example, command)));
            continue;
        } else if inside {
            continue;
        }
        updated += &format!("{line}\n");
    }
    std::fs::write(root().join(example.file()), updated).expect("it can be written");
}

fn as_comment(text: &str) -> String {
    // std's empty line before a panic would make headers grow and shrink.
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines = lines.map(|line| format!("//! {}", elsewhere(line)).trim_end().to_owned() + "\n");
    lines.collect()
}

/// Where a library lies on this machine is nobody's business.
fn elsewhere(line: &str) -> String {
    let Some((before, after)) = line.split_once("/registry/src/") else {
        return line.to_owned();
    };
    let before = before.rsplit_once('(').map_or("", |(before, _)| before);
    let after = after.split_once('/').map_or(after, |(_, after)| after);
    format!("{before}(/…/{after}")
}

/// What a terminal would show.
fn both_streams(example: &Example, line: &str) -> String {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = prepared(example, line);
    command
        .stdout(writer.try_clone().expect("a second end"))
        .stderr(writer);
    let mut child = command.spawn().expect("it can be run");
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).expect("it prints text");
    assert!(
        child.wait().expect("it ends").success(),
        "{line}: {printed}"
    );
    printed
}

fn text(output: &Output) -> String {
    format!(
        "--- stdout\n{}--- stderr\n{}---",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
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
