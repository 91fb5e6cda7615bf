//! How long a dump of many tasks takes.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use debug_async::prelude::*;
use tokio::sync::Notify;

use crate::child::{self, Child};
use crate::results::{Budget, Section, table};
use crate::stats::{Median, Verdict};

/// How many tasks are alive.
const TASKS: usize = 100_000;

/// How often each is timed; the median counts.
const ROUNDS: usize = 9;

const WHAT: [&str; 3] = ["taken", "printed as a table", "printed as a tree"];

/// The child's side: spawns them, each with a tracked future in it that waits, and says
/// how long it takes to take a dump, and to print it in each way, in seconds.
///
/// # Panics
///
/// If there is no runtime to be had.
pub fn serve() {
    let runtime = debug_async::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .debug(true)
        .build()
        .expect("a runtime can be built");
    let first = runtime.block_on(async {
        for _ in 0..TASKS {
            debug_async::spawn!(async { waits().tracked().await }).detach();
        }
        timed(debug_async::dump).1
    });
    child::serve(|_| {
        let mut times = [const { Vec::new() }; WHAT.len()];
        for _ in 0..ROUNDS {
            let (snapshot, taken) = timed(debug_async::dump);
            let (_, table) = timed(|| printed(&snapshot));
            let (_, tree) = timed(|| printed(snapshot.tree()));
            for (times, time) in times.iter_mut().zip([taken, table, tree]) {
                times.push(time);
            }
        }
        let medians = times.map(|mut times| {
            times.sort();
            times[times.len() / 2].as_secs_f64().to_string()
        });
        format!("{} {}", first.as_secs_f64(), medians.join(" "))
    });
    // A hundred thousand drops would only take time.
    std::process::exit(0);
}

async fn waits() {
    Notify::new().notified().await;
}

fn printed(view: impl Display) -> usize {
    view.to_string().len()
}

fn timed<T>(take: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let taken = take();
    (taken, start.elapsed())
}

/// Runs it.
///
/// # Panics
///
/// If the child fails.
pub fn run(program: &Path) -> Section {
    let child = Child::start(program, &["dump-child"], &[]);
    let answer = child.expect("a child").ask("dump");
    let seconds = answer
        .split_whitespace()
        .map(|number| number.parse().expect("a number"));
    let seconds: Vec<f64> = seconds.collect();
    let [first, taken @ ..] = &seconds[..] else {
        panic!("no figures: {answer}");
    };
    let mut rows = vec![vec![
        "the first, while they are spawned".to_owned(),
        milliseconds(*first),
    ]];
    for (what, time) in WHAT.iter().zip(taken) {
        rows.push(vec![(*what).to_owned(), milliseconds(*time)]);
    }
    let text = format!(
        "`dump()` with {TASKS} tasks alive, in each a tracked future that waits: 200 000 objects. \
         Medians of {ROUNDS}. The first loads the program's symbols.\n\n{}",
        table(&["", "took"], &rows)
    );
    let exact = |value| Median {
        value,
        low: value,
        high: value,
    };
    let slowest = first.max(taken[0]);
    Section {
        title: "Dump",
        text,
        budgets: vec![Budget {
            what: format!("a dump of {TASKS} tasks"),
            limit: "≤ 1 s".to_owned(),
            measured: milliseconds(slowest),
            verdict: Verdict::at_most(exact(slowest), 1.0),
        }],
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.0} ms", seconds * 1e3)
}
