//! Sessions in a terminal, as the headers of examples and the pages have them: the
//! command is run, and what it prints is held against what stands there.
//!
//! `UPDATE_EXAMPLES=1` writes them anew.

use std::io::Read;
use std::process::{Command, Output};

use crate::example::Example;

/// One command of a ```` ```console ```` block, and what it printed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

/// The sessions in a text whose lines begin with `prefix`, up to the first that does not.
pub(crate) fn sessions(text: &str, prefix: &str) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut inside = false;
    for line in text.lines().map_while(|line| without(prefix, line)) {
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

/// A line without its prefix, of whose blank an empty line has none.
fn without<'a>(prefix: &str, line: &'a str) -> Option<&'a str> {
    let empty = (line == prefix.trim_end()).then_some("");
    line.strip_prefix(prefix).or(empty)
}

/// Whether the sessions are to be written anew.
pub(crate) fn is_update() -> bool {
    std::env::var_os("UPDATE_EXAMPLES").is_some()
}

/// Runs a session, and holds what it prints against what stands in `file`.
pub(crate) fn check(example: &Example, session: &Session, file: &str) -> Output {
    let output = run(example, &session.command);
    // Line tables and inlining make the stacks of a release build differ.
    if cfg!(debug_assertions)
        && let Err(difference) = compare(&session.output, &output)
    {
        panic!(
            "{file}: `{}` {difference}\n{}\n\
             If this is right, run this test with `UPDATE_EXAMPLES=1`, twice.",
            session.command,
            text(&output),
        );
    }
    output
}

/// Runs `NAME=value … cargo run --example <name> -- <argument> …`.
fn prepared(example: &Example, line: &str) -> Command {
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

pub(crate) fn normal_line(line: &str) -> String {
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
            || number[digits..].starts_with(" polls in ")
            || number[digits..].starts_with(" times so far)")
            || (before.ends_with("polls ") && digits > 3)
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
    // The count is as it is when the report is handed on: a busy machine has found more.
    (normal + rest).replace(" (<n> times so far)", "")
}

/// The kind of a report, and what follows it in its first line.
pub(crate) fn kind_and_message(line: &str) -> Option<(String, String)> {
    let (level, rest) = line.split_once(" debug_async::")?;
    // The span that it belongs to stands in between.
    let mut words = level.split_whitespace();
    if !words.any(|word| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&word)) {
        return None;
    }
    let (kind, message) = rest.split_once(": ")?;
    Some((kind.to_owned(), message.to_owned()))
}

/// The text, with what its commands print now in place of what stands there.
pub(crate) fn updated(example: &Example, text: &str, prefix: &str) -> String {
    let mut updated = String::new();
    let mut inside = false;
    for line in text.lines() {
        let words = without(prefix, line).unwrap_or_default();
        if words.starts_with("```") {
            inside = words == "```console";
        } else if let (true, Some(command)) = (inside, words.strip_prefix("$ ")) {
            let printed = both_streams(example, command);
            updated += &format!("{line}\n{}", prefixed(&printed, prefix));
            continue;
        } else if inside {
            continue;
        }
        updated += &format!("{line}\n");
    }
    updated
}

fn prefixed(text: &str, prefix: &str) -> String {
    // std's empty line before a panic would make headers grow and shrink.
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines = lines.map(|line| format!("{prefix}{}", elsewhere(line)).trim_end().to_owned());
    lines.map(|line| line + "\n").collect()
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

pub(crate) fn text(output: &Output) -> String {
    format!(
        "--- stdout\n{}--- stderr\n{}---",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
