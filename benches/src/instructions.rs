//! Instructions, counted by callgrind: a figure that does not depend on what else
//! the machine is doing.
//!
//! Only what the `counted` function does is counted, on its own thread, after
//! everything has been warmed up; so neither the start of the program nor the
//! thread that gets the clock of debug mode ready comes into it.

use std::collections::BTreeMap;
use std::future::Future;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::arms::{ARMS, Spec};
use crate::child;
use crate::loops::{self, Arm, Flavor};
use crate::machine;
use crate::results::{Section, table};

/// How often a loop is run while it is counted.
const TIMES: u64 = 10_000;

/// By how much a figure may grow.
const TOLERANCE: f64 = 1.02;

const NAMES: [&str; 4] = ["bare", "off", "production", "debug"];
const LOOPS: [&str; 3] = ["spawn+join", "poll", "a future's life"];

/// Instructions for one turn, by loop and arm.
pub type Counts = BTreeMap<(String, String), f64>;

/// The file that the figures are kept in.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// The child's side, run under callgrind.
///
/// # Panics
///
/// If there is no such loop.
pub fn serve<A: Arm>(name: &str) {
    let runtime = A::runtime(Flavor::Current);
    let run = |times| match name {
        "spawn+join" => A::block_on(&runtime, loops::spawn_join::<A>(times)),
        "poll" => A::block_on(&runtime, async move {
            let task = A::spawn(loops::yield_times(times));
            task.await.expect("no panic");
        }),
        "a future's life" => lives::<A>(times),
        _ => panic!("no loop `{name}`"),
    };
    run(1_000);
    // The clock of debug mode is got ready meanwhile.
    std::thread::sleep(Duration::from_millis(500));
    run(1_000);
    counted(|| run(TIMES));
}

/// What happens in here is counted; callgrind is told so by its name.
#[inline(never)]
fn counted(run: impl FnOnce()) {
    run();
    black_box(());
}

/// Creates, polls once and drops.
fn lives<A: Arm>(times: u64) {
    for n in 0..times {
        let future = pin!(A::wrap(async move { n }));
        let ready = future.poll(&mut Context::from_waker(Waker::noop()));
        assert!(black_box(ready).is_ready());
    }
}

fn count(program: &Path, arm: &Spec, name: &str) -> Result<f64, String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--fair-sched=yes"])
        .arg("--toggle-collect=debug_async_benches::instructions::counted*")
        .arg(program)
        .args(["instructions-child", arm.name, name])
        .stdin(Stdio::null());
    child::clean(&mut command);
    let output = command
        .envs(arm.env.iter().copied())
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse::<f64>().ok());
    match collected {
        Some(number) if output.status.success() && number > 0.0 => Ok(number / TIMES as f64),
        _ => Err(format!("callgrind counted nothing:\n{text}")),
    }
}

/// Counts everything.
///
/// # Errors
///
/// If valgrind is missing, or fails.
pub fn count_all(program: &Path) -> Result<Counts, String> {
    let mut counts = Counts::new();
    for name in LOOPS {
        for arm in ARMS.iter().filter(|arm| NAMES.contains(&arm.name)) {
            let number = count(program, arm, name)?;
            counts.insert((name.to_owned(), arm.name.to_owned()), number);
        }
    }
    Ok(counts)
}

/// The figures as the file has them.
pub fn print(counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions for one turn of a loop, counted by callgrind in a release build.\n\
         # {}; written by `cargo run -p debug-async-benches --bin instructions -- write`.\n",
        machine::version_of("rustc", "-V").unwrap_or_default(),
    );
    for ((name, arm), number) in counts {
        text.push_str(&format!("{name:<16} {arm:<11} {number:>9.1}\n"));
    }
    text
}

/// Reads what [`print()`] wrote.
pub fn parse(text: &str) -> Counts {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (rest, number) = line.trim_end().rsplit_once(' ')?;
        let (name, arm) = rest.trim_end().rsplit_once(' ')?;
        let key = (name.trim_end().to_owned(), arm.to_owned());
        Some((key, number.parse().ok()?))
    };
    lines.filter_map(entry).collect()
}

/// What is wrong with `now`, seen from `kept`: nothing if nothing grew by more
/// than 2 %.
pub fn compare(kept: &Counts, now: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((name, arm), number) in now {
        match kept.get(&(name.clone(), arm.clone())) {
            None => wrong.push(format!("{name}, {arm}: no figure is kept")),
            Some(kept) if *number > kept * TOLERANCE => wrong.push(format!(
                "{name}, {arm}: {number:.1} instructions, {:+.1} % over the {kept:.1} that are kept",
                (number / kept - 1.0) * 100.0,
            )),
            Some(_) => {}
        }
    }
    wrong
}

/// Runs it, as a part of the whole.
pub fn run(program: &Path) -> Section {
    let section = |text| Section {
        title: "Instructions",
        text,
        budgets: Vec::new(),
    };
    let counts = match count_all(program) {
        Ok(counts) => counts,
        Err(error) => return section(format!("Not run: {error}\n")),
    };
    let number = |name: &str, arm: &str| counts[&(name.to_owned(), arm.to_owned())];
    let row = |name: &&str| {
        let bare = number(name, "bare");
        let mut row = vec![(*name).to_owned(), format!("{bare:.1}")];
        for arm in &NAMES[1..] {
            let number = number(name, arm);
            row.push(format!("{number:.1}<br>{:+.1}", number - bare));
        }
        row
    };
    let rows: Vec<Vec<String>> = LOOPS.iter().map(row).collect();
    let mut head = vec![""];
    head.extend(NAMES);
    let kept = parse(&std::fs::read_to_string(file()).unwrap_or_default());
    let wrong = compare(&kept, &counts);
    let verdict = if wrong.is_empty() {
        "None is more than 2 % above the figure kept in `instructions.txt`.".to_owned()
    } else {
        format!("Against `instructions.txt`:\n\n- {}", wrong.join("\n- "))
    };
    section(format!(
        "Instructions for one turn, over {TIMES} of them. A future's life is `.tracked()`, one \
         poll, drop.\n\n{}\n{verdict}\n",
        table(&head, &rows)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(number: f64) -> Counts {
        let key = ("a future's life".to_owned(), "debug".to_owned());
        Counts::from([(key, number)])
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(parse(&print(&counts(123.4))), counts(123.4));
    }

    #[test]
    fn growth_of_more_than_two_percent_is_wrong() {
        assert!(compare(&counts(100.0), &counts(101.9)).is_empty());
        assert!(compare(&counts(100.0), &counts(50.0)).is_empty());
        assert_eq!(compare(&counts(100.0), &counts(102.1)).len(), 1);
        assert_eq!(compare(&Counts::new(), &counts(1.0)).len(), 1);
    }
}
