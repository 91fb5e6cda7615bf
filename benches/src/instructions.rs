//! Instructions, counted by callgrind: a figure that does not depend on what else
//! the machine is doing.
//!
//! Only what the `counted` function does is counted, on its own thread, after
//! everything has been warmed up; so neither the start of the program nor the
//! thread that gets the clock of debug mode ready comes into it. And only what the
//! program does itself: how long a `malloc` takes depends on what the heap happens
//! to look like, which a longer environment is enough to change. Instead, the calls
//! of it are counted.

use std::collections::BTreeMap;
use std::future::Future;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::arms::{ARMS, Spec};
use crate::loops::{self, Arm, Flavor};
use crate::machine;
use crate::results::{Section, table};

/// How often a loop is run while it is counted.
const TIMES: u64 = 10_000;

/// How often before, in each of two goes.
const WARM_UP: u64 = 1_000;

/// By how much a figure may grow.
const TOLERANCE: f64 = 1.02;

const NAMES: [&str; 5] = [
    "bare",
    "off",
    "production",
    "debug",
    "debug, no await stacks",
];
const LOOPS: [&str; 3] = ["spawn+join", "poll", "a future's life"];

/// Instructions and allocations for one turn, by loop and arm.
pub type Counts = BTreeMap<(String, String), [f64; 2]>;

const WHAT: [&str; 2] = ["instructions", "allocations"];

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
    run(WARM_UP);
    // The clock of debug mode is got ready meanwhile.
    std::thread::sleep(Duration::from_millis(500));
    run(WARM_UP);
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

/// Instructions and allocations of one turn.
fn count(program: &Path, arm: &Spec, name: &str) -> Result<[f64; 2], String> {
    let file = std::env::temp_dir().join(format!("debug-async-callgrind-{}", std::process::id()));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .args(["--collect-atstart=no", "--fair-sched=yes"])
        .arg("--toggle-collect=debug_async_benches::instructions::counted*")
        .arg(program)
        .args(["instructions-child", arm.name, name])
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(arm.env.iter().copied())
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    let (instructions, allocations) = sum(&text);
    if !output.status.success() || instructions == 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("callgrind counted nothing:\n{said}"));
    }
    // Calls are counted from the start, whatever is collected.
    Ok([
        instructions as f64 / TIMES as f64,
        allocations as f64 / (TIMES + 2 * WARM_UP) as f64,
    ])
}

/// The instructions outside of the C library in what callgrind wrote, and the
/// calls from there to what allocates.
///
/// A line of costs belongs to the function and the object that were named last;
/// the one after `calls=` is what the callee took, and is counted there. A name is
/// given once, with a number that stands for it from then on.
fn sum(profile: &str) -> (u64, u64) {
    const ALLOCATES: [&str; 5] = [
        "malloc",
        "calloc",
        "realloc",
        "posix_memalign",
        "aligned_alloc",
    ];
    let mut objects = BTreeMap::new();
    let mut functions = BTreeMap::new();
    let (mut in_libc, mut calls_it) = (false, false);
    let (mut instructions, mut allocations) = (0, 0);
    let mut is_callee = false;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            in_libc = is_libc(named(&mut objects, name));
        } else if let Some(name) = line.strip_prefix("cob=") {
            named(&mut objects, name);
        } else if let Some(name) = line.strip_prefix("fn=") {
            named(&mut functions, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            calls_it = ALLOCATES.contains(&named(&mut functions, name).as_str());
        } else if let Some(rest) = line.strip_prefix("calls=") {
            is_callee = true;
            if calls_it && !in_libc {
                let times = rest.split_whitespace().next();
                allocations += times.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            }
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_whitespace().nth(1);
            let cost = cost.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            if !is_callee && !in_libc {
                instructions += cost;
            }
            is_callee = false;
        }
    }
    (instructions, allocations)
}

fn is_libc(object: &str) -> bool {
    let file = object.rsplit('/').next().unwrap_or(object);
    file.starts_with("libc.so") || file.starts_with("libc-") || file.starts_with("ld-linux")
}

/// The name behind `(number)` or `(number) name`.
fn named<'a>(known: &'a mut BTreeMap<String, String>, text: &str) -> &'a String {
    let (number, name) = text.split_once(' ').unwrap_or((text, ""));
    let entry = known.entry(number.to_owned()).or_default();
    if !name.is_empty() {
        *entry = name.to_owned();
    }
    entry
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
            let numbers = count(program, arm, name)?;
            counts.insert((name.to_owned(), arm.name.to_owned()), numbers);
        }
    }
    Ok(counts)
}

/// The figures as the file has them.
pub fn print(counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions and allocations for one turn of a loop, in a release build, under\n\
         # callgrind; without what the C library does.\n\
         # {}; written by `cargo run -p debug-async-benches --bin instructions -- write`.\n",
        machine::version_of("rustc", "-V").unwrap_or_default(),
    );
    for ((name, arm), [instructions, allocations]) in counts {
        text.push_str(&format!(
            "{name:<16} {arm:<22} {instructions:>9.1} {allocations:>5.1}\n"
        ));
    }
    text
}

/// Reads what [`print()`] wrote.
pub fn parse(text: &str) -> Counts {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (rest, allocations) = line.trim_end().rsplit_once(' ')?;
        let (rest, instructions) = rest.trim_end().rsplit_once(' ')?;
        let (name, arm) = rest.trim_end().rsplit_once(' ')?;
        let key = (name.trim_end().to_owned(), arm.to_owned());
        Some((key, [instructions.parse().ok()?, allocations.parse().ok()?]))
    };
    lines.filter_map(entry).collect()
}

/// What is wrong with `now`, seen from `kept`: nothing if nothing grew by more
/// than 2 %.
pub fn compare(kept: &Counts, now: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((name, arm), numbers) in now {
        let Some(kept) = kept.get(&(name.clone(), arm.clone())) else {
            wrong.push(format!("{name}, {arm}: no figure is kept"));
            continue;
        };
        for (what, (now, kept)) in WHAT.iter().zip(numbers.iter().zip(kept)) {
            // They are kept with one decimal.
            if *now > kept * TOLERANCE + 0.05 {
                wrong.push(format!(
                    "{name}, {arm}: {now:.1} {what}, {:+.1} % over the {kept:.1} that are kept",
                    (now / kept - 1.0) * 100.0,
                ));
            }
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
    let numbers = |name: &str, arm: &str| counts[&(name.to_owned(), arm.to_owned())];
    let row = |name: &&str| {
        let bare = numbers(name, "bare");
        let mut row = vec![
            (*name).to_owned(),
            format!("{:.0}<br>{:.0} alloc.", bare[0], bare[1]),
        ];
        for arm in &NAMES[1..] {
            let own = numbers(name, arm);
            row.push(format!(
                "{:.0}<br>{:+.0}, {:+.0} alloc.",
                own[0],
                own[0] - bare[0],
                own[1] - bare[1]
            ));
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
         poll, drop. Without what the C \
         library does: allocations are counted instead.\n\n{}\n{verdict}\n",
        table(&head, &rows)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: f64, allocations: f64) -> Counts {
        let key = ("a future's life".to_owned(), "debug".to_owned());
        Counts::from([(key, [instructions, allocations])])
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counts = counts(123.4, 2.0);
        assert_eq!(parse(&print(&counts)), counts);
    }

    #[test]
    fn growth_of_more_than_two_percent_is_wrong() {
        let kept = counts(100.0, 3.0);
        assert!(compare(&kept, &counts(101.9, 3.0)).is_empty());
        assert!(compare(&kept, &counts(50.0, 2.0)).is_empty());
        assert_eq!(compare(&kept, &counts(102.1, 3.0)).len(), 1);
        assert_eq!(compare(&kept, &counts(100.0, 4.0)).len(), 1);
        assert_eq!(compare(&Counts::new(), &kept).len(), 1);
    }

    #[test]
    fn the_c_library_is_left_out_and_its_allocations_counted() {
        let profile = "\
events: Ir
ob=(1) /app
fl=(1) a.rs
fn=(1) app::run
12 100
cob=(2) /usr/lib/libc.so.6
cfn=(2) malloc
calls=7 0
13 900
+1 20
ob=(2)
fn=(2)
0 900
cfn=(2)
calls=1 0
0 5
ob=(1)
fn=(3) app::more
* 3
totals: 1023
";
        assert_eq!(sum(profile), (123, 7));
    }
}
