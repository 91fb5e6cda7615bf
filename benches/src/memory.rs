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
            let before = (resident(), allocated());
            grow::<A>(TASKS).await;
            format!("{} {}", resident() - before.0, allocated() - before.1)
        })
    });
    // A million drops would only take time.
    std::process::exit(0);
}

/// What is spawned.
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

/// The bytes that malloc has given out; nothing where it does not say.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn allocated() -> usize {
    // SAFETY: it takes no argument, may be called at any time from any thread, and
    // returns plain numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// The bytes that malloc has given out; nothing where it does not say.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn allocated() -> usize {
    0
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
        let answer = child.expect("a child").ask("grow");
        let (resident, allocated) = answer.split_once(' ').expect("two numbers");
        let each = |bytes: &str| bytes.parse::<f64>().expect("a number") / TASKS as f64;
        (each(resident), each(allocated))
    };
    let bytes = NAMES.map(grown);
    let over = |index: usize| {
        let (resident, allocated) = bytes[index];
        (resident - bytes[0].0, allocated - bytes[0].1)
    };
    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let ((resident, allocated), more) = (bytes[index], over(index));
            vec![
                (*name).to_owned(),
                format!("{resident:.0} B"),
                format!("{:+.0} B", more.0),
                format!("{allocated:.0} B"),
                format!("{:+.0} B", more.1),
            ]
        })
        .collect();
    let head = ["", "resident", "over bare", "allocated", "over bare"];
    let text = format!(
        "For each of {TASKS} spawned tasks, polled once and waiting: the growth of the resident \
         set, and of what malloc has given out (its rounding included, but not the holes that \
         tokio's alignment of a task to 128 bytes leaves, into which small records fit). The \
         budgets are held against the larger. The handles are dropped: one that is kept takes \
         {} B more than tokio's.\n\n{}",
        size_of::<debug_async::task::JoinHandle<()>>() - size_of::<tokio::task::JoinHandle<()>>(),
        table(&head, &rows)
    );
    let budget = |index: usize, limit: f64| {
        let (resident, allocated) = over(index);
        let value = resident.max(allocated);
        let exact = Median {
            value,
            low: value,
            high: value,
        };
        Budget {
            what: format!("memory of a live task, {}", NAMES[index]),
            limit: format!("≤ {limit:.0} B"),
            measured: format!("{value:.0} B over bare, {:.0} B in all", bytes[index].0),
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
