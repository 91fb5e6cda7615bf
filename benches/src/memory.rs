//! What a task that is alive takes.

use std::future::{Future, pending};
use std::path::Path;

use crate::arms::ARMS;
use crate::child::{self, Child};
use crate::loops::{Arm, Flavor};
use crate::results::{Budget, Section, table};
use crate::stats::{Median, Verdict};

/// How many tasks live at once.
const TASKS: usize = 1_000_000;

const NAMES: [&str; 5] = ["bare", "off", "production", "debug", "debug, no stacks"];

/// The child's side: spawns them, has each polled once, and says how far the
/// process has grown, in bytes.
///
/// # Panics
///
/// If the system does not say how large the process is.
pub fn serve<A: Arm>() {
    let runtime = A::runtime(Flavor::Current);
    child::serve(|_| {
        A::block_on(&runtime, async {
            grow::<A>(1_000).await;
            let before = resident();
            grow::<A>(TASKS).await;
            (resident() - before).to_string()
        })
    });
    // A million drops would only take time.
    std::process::exit(0);
}

/// One more task at a time; what it is that is spawned.
fn task() -> impl Future<Output = ()> {
    pending::<()>()
}

async fn grow<A: Arm>(tasks: usize) {
    for n in 0..tasks {
        drop(A::spawn(task()));
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    tokio::task::yield_now().await;
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it there");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes
        .and_then(|number| number.parse::<usize>().ok())
        .expect("a size")
        * 1024
}

/// Runs it.
///
/// # Panics
///
/// If a child fails.
pub fn run(program: &Path) -> Section {
    let grown = |name: &str| {
        let arm = ARMS.iter().find(|arm| arm.name == name).expect("an arm");
        let child = Child::start(program, &["memory-child", name], arm.env);
        child.expect("a child").ask_number("grow") / TASKS as f64
    };
    let bytes = NAMES.map(grown);
    let over = |index: usize| bytes[index] - bytes[0];
    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let more = match index {
                0 => String::new(),
                _ => format!("{:+.0} B", over(index)),
            };
            vec![(*name).to_owned(), format!("{:.0} B", bytes[index]), more]
        })
        .collect();
    let text = format!(
        "The growth of the resident set over {TASKS} spawned tasks, each polled once and \
         waiting, a task; the allocator's rounding is in it. The handles are dropped: one that \
         is kept takes {} B more than tokio's.\n\n{}",
        size_of::<debug_async::task::JoinHandle<()>>() - size_of::<tokio::task::JoinHandle<()>>(),
        table(&["", "a live task", "over bare"], &rows)
    );
    let budget = |index: usize, limit: f64| {
        let value = over(index);
        let exact = Median {
            value,
            low: value,
            high: value,
        };
        Budget {
            what: format!("memory of a live task, {}", NAMES[index]),
            limit: format!("≤ {limit:.0} B"),
            measured: format!("{value:.0} B over bare, {:.0} B in all", bytes[index]),
            // A page more or less is not a byte a task.
            verdict: Verdict::at_most(exact, limit + 0.5),
        }
    };
    Section {
        title: "Memory",
        text,
        budgets: vec![budget(1, 0.0), budget(2, 64.0), budget(3, 512.0)],
    }
}
