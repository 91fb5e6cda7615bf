//! What blocks a thread, while it does: the line is the user's, tracked or not.

#![cfg(all(
    feature = "rt-multi-thread",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod support;

use std::hint::black_box;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::{Doing, ReportKind};
use debug_async::runtime::Builder;
use support::run::{Case, Flavor, case};
use support::{
    Expected, Host, Program, Seen, collect, has_seen, on, on_processor, site, take_seen, wait_until,
};

const OURS: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
];

const MS: Duration = Duration::from_millis(1);

/// Eight times the threshold.
const LONG: Duration = Duration::from_millis(800);

fn slow() -> Expected {
    Expected::new(ReportKind::SlowPoll)
}

fn untracked(line: u32) -> Expected {
    let slow = slow()
        .says("a task that is not tracked")
        .says("it blocked worker ");
    slow.blocked_at(line)
}

/// As long as it takes on a machine that has nothing else to do.
fn computes(time: Duration) -> u64 {
    let end = on_processor() + time;
    let mut sum = 0u64;
    while on_processor() < end {
        for n in 0..100_000 {
            sum = black_box(sum ^ n);
        }
    }
    sum
}

/// A named pipe, which goes with this.
struct Fifo(std::path::PathBuf);

impl Fifo {
    fn new() -> Fifo {
        let name = format!("debug-async-{}.fifo", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("it is installed").success());
        Fifo(path)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Does something on another thread in a while.
fn later(f: impl FnOnce() + Send + 'static) {
    thread::spawn(|| {
        thread::sleep(LONG);
        f();
    });
}

async fn sleeps() {
    thread::sleep(LONG); // site: sleep
}

async fn locks(mutex: Arc<Mutex<u32>>) {
    *mutex.lock().expect("not poisoned") += 1; // site: lock
}

async fn receives(receiver: mpsc::Receiver<()>) {
    let _ = receiver.recv(); // site: recv
}

async fn reads(path: std::path::PathBuf) {
    let _ = std::fs::read(path); // site: read
}

async fn as_reqwest_does() {
    let request = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("it can be built");
        runtime.block_on(async { tokio::time::sleep(LONG).await });
    });
    request.join().expect("no panic"); // site: join
}

async fn blocks_on() {
    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    later(move || drop(sender));
    let _ = futures::executor::block_on(receiver); // site: block_on
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show these tasks: tests/unstable.rs"
)]
fn what_waits_in_tasks_that_nobody_tracks() {
    on(OURS, |run| {
        // Makes a process, which takes its time.
        let fifo = Fifo::new();
        run.block_on(async {
            tokio::spawn(sleeps()).await.expect("no panic");

            let mutex = Arc::new(Mutex::new(0));
            let (held, is_held) = mpsc::channel();
            let its = Arc::clone(&mutex);
            thread::spawn(move || {
                let _guard = its.lock();
                let _ = held.send(());
                thread::sleep(LONG);
            });
            is_held.recv().expect("it is sent");
            tokio::spawn(locks(mutex)).await.expect("no panic");

            let (sender, receiver) = mpsc::channel();
            later(move || drop(sender));
            tokio::spawn(receives(receiver)).await.expect("no panic");

            let path = fifo.0.clone();
            later(move || drop(std::fs::write(path, "x")));
            let task = tokio::spawn(reads(fifo.0.clone()));
            task.await.expect("no panic");

            tokio::spawn(as_reqwest_does()).await.expect("no panic");
            tokio::spawn(blocks_on()).await.expect("no panic");
        });
        let each = [
            site!("sleep"),
            site!("lock"),
            site!("recv"),
            site!("read"),
            site!("join"),
            site!("block_on"),
        ];
        run.expect(&each.map(|line| untracked(line).doing(Doing::Waiting).says(", waiting")));
    });
}

#[test]
fn what_computes_in_a_task_that_nobody_tracks() {
    on(OURS, |run| {
        run.config(Config::new().blocked(Duration::from_secs(60)));
        run.block_on(async {
            let task = tokio::spawn(async {
                // Not in one line with another: the loop may be anywhere in it.
                computes(2_500 * MS) // site: computes
            });
            task.await.expect("no panic");
        });
        let seen = run.finish();
        let [seen] = &seen[..] else {
            panic!("{seen:#?}")
        };
        assert_eq!(seen.doing, Some(Doing::Computing), "{seen:#?}");
        assert!(is_called_at(seen, site!("computes")), "{seen:#?}");
        assert!(seen.elapsed > Some(1_000 * MS), "{seen:#?}");
    });
}

/// Whether the stack on which a thread was seen goes through this line, with nothing
/// but the user's frames below it.
fn is_called_at(seen: &Seen, line: u32) -> bool {
    let stack = seen.stack.as_deref().unwrap_or_default();
    stack.first() == seen.blocked_at.as_ref() && stack.iter().any(|frame| frame.2 == Some(line))
}

#[test]
fn the_event_interval_decides_how_soon_what_computes_is_certain() {
    let program = Program::new(|| {
        collect();
        let mut builder = Builder::new_current_thread();
        let runtime = builder.debug(true).event_interval(5).build();
        runtime.expect("it can be built").block_on(async {
            let task = tokio::spawn(async { computes(550 * MS) });
            task.await.expect("no panic");
        });
        debug_async::flush();
        let seen = take_seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(seen[0].doing, Some(Doing::Computing), "{seen:#?}");
    });
    program.run(&[]).succeeded();
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show these tasks: tests/unstable.rs"
)]
fn what_never_ends_is_told_while_it_runs() {
    for flavor in ["current_thread", "multi_thread"] {
        let program = Program::new(|| {
            collect();
            thread::spawn(|| {
                let mut builder = match support::child::case().as_str() {
                    "current_thread" => Builder::new_current_thread(),
                    _ => Builder::new_multi_thread(),
                };
                let runtime = builder.debug(true).build().expect("it can be built");
                runtime.block_on(async {
                    let task = tokio::spawn(async {
                        loop {
                            black_box(computes(1_000 * MS)); // site: for ever
                        }
                    });
                    task.await.expect("no panic");
                });
            });
            wait_until("the block", |seen| !seen.is_empty());
            let seen = take_seen();
            assert_eq!(seen.len(), 1, "{seen:#?}");
            assert_eq!(seen[0].kind, ReportKind::Blocked, "{seen:#?}");
            assert!(seen[0].message.contains("and still is: it blocks worker "));
            assert!(is_called_at(&seen[0], site!("for ever")), "{seen:#?}");
            assert_eq!(seen[0].doing, Some(Doing::Computing), "{seen:#?}");
        });
        program.run_case(flavor, &[]).succeeded();
    }
}

async fn waits(time: Duration) {
    thread::sleep(time); // site: tracked sleep
}

#[test]
fn a_tracked_poll_is_told_with_the_line_that_blocked_it() {
    on(OURS, |run| {
        run.block_on(async {
            // site: waits
            debug_async::spawn!(waits(LONG)).await.expect("no panic");
            let task = debug_async::spawn!(async { computes(LONG) }); // site: loop
            task.await.expect("no panic");
            // The innermost alone, which is the one of all that is told.
            let inner = async { waits(LONG).tracked_as("inner").await };
            let nested = debug_async::spawn!(inner.tracked_as("outer"));
            nested.await.expect("no panic");
        });
        let waiting = slow().doing(Doing::Waiting).says(", waiting");
        let waiting = waiting.blocked_at(site!("tracked sleep"));
        run.expect(&[
            waiting.clone().at(site!("waits")),
            waiting.named("inner"),
            slow().at(site!("loop")).doing(Doing::Computing),
        ]);
    });
}

#[test]
fn a_tracked_poll_that_goes_on_is_told_while_it_does_and_not_again_when_it_ends() {
    on(OURS, |run| {
        run.config(Config::new().blocked(300 * MS));
        run.block_on(async {
            let task = debug_async::spawn!(async {
                let inner = async {
                    // Ten times what makes it blocked, and some more.
                    waits(3_600 * MS).await;
                };
                inner.tracked_as("inner").await; // site: goes on
            });
            task.await.expect("no panic");
        });
        let blocked = Expected::new(ReportKind::Blocked)
            .at(site!("goes on"))
            .named("inner")
            .blocked_at(site!("tracked sleep"))
            .doing(Doing::Waiting);
        // After 300 ms, and after 3 s.
        run.expect(&[
            blocked.clone().says("has been running for "),
            blocked.says("running for 3s"),
        ]);
    });
}

#[test]
fn a_tracked_loop_that_never_yields_is_told_whatever_it_creates_meanwhile() {
    on(OURS, |run| {
        // On a full machine, one of thousands may get no processor for a while.
        run.config(Config::new().slow_poll(900 * MS));
        run.block_on(async {
            let middle = || async {
                for _ in 0..10 {
                    async { computes(MS / 2) }.tracked_as("inner").await;
                }
            };
            let outer = async move {
                let start = Instant::now();
                let is_told = || has_seen(ReportKind::Blocked);
                while !is_told() && start.elapsed() < 20_000 * MS {
                    middle().tracked_as("middle").await;
                }
            };
            let task = debug_async::spawn!(name = "outer", outer); // site: outer
            task.await.expect("no panic");
        });
        let blocked = Expected::new(ReportKind::Blocked).says("has been running for 1s");
        run.expect(&[blocked.named("outer").at(site!("outer"))]);
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show these tasks: tests/unstable.rs"
)]
fn an_untracked_poll_that_goes_on_is_told_while_it_does_and_not_again_when_it_ends() {
    on(OURS, |run| {
        run.config(Config::new().blocked(300 * MS));
        run.block_on(async {
            tokio::spawn(waits(3_600 * MS)).await.expect("no panic");
        });
        let blocked = Expected::new(ReportKind::Blocked)
            .blocked_at(site!("tracked sleep"))
            .doing(Doing::Waiting);
        run.expect(&[
            blocked.clone().says("running for about "),
            blocked.says("running for about 3s"),
        ]);
    });
}

#[test]
fn a_runtime_of_tokio_s_that_is_watched() {
    let program = Program::new(|| {
        collect();
        let mut builder = match support::child::case().as_str() {
            "current_thread" => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.enable_all().worker_threads(2).build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            debug_async::watch(&tokio::runtime::Handle::current());
            // Asked twice, it does not tell twice.
            debug_async::watch(&tokio::runtime::Handle::current());
            // The workers have said which they are.
            tokio::time::sleep(LONG).await;
            tokio::spawn(sleeps()).await.expect("no panic");
        });
        drop(runtime);
        debug_async::flush();
        let seen = take_seen();
        support::check(&seen, &[untracked(site!("sleep"))]).expect("one report");
    });
    for flavor in ["current_thread", "multi_thread"] {
        program
            .run_case(flavor, &[("ASYNC_DEBUG", "1")])
            .succeeded();
    }
}

/// So much of the stack is used when it blocks.
const DEEP: usize = 50 << 20;

#[inline(never)]
fn recurses(top: usize) -> u8 {
    let space = black_box([1u8; 1024]);
    let used = top - (&raw const space).addr();
    let below = if used < DEEP {
        recurses(top)
    } else {
        thread::sleep(LONG); // site: deep
        0
    };
    below ^ black_box(space)[used % 1024]
}

fn is_deep() {
    let top = 0u8;
    recurses((&raw const top).addr());
}

#[test]
fn a_stack_that_is_deep_is_cut() {
    let program = Program::new(|| {
        collect();
        let runs = || {
            let runtime = Builder::new_current_thread().debug(true).build();
            runtime.expect("it can be built").block_on(async {
                tokio::spawn(async { is_deep() }).await.expect("no panic");
                // The root is tracked.
                is_deep();
            });
        };
        let deep = thread::Builder::new().stack_size(64 << 20).spawn(runs);
        deep.expect("a thread").join().expect("no panic");
        debug_async::flush();
        let seen = take_seen();
        for seen in &seen {
            let line = seen.blocked_at.as_ref().and_then(|frame| frame.2);
            assert_eq!(line, Some(site!("deep")), "{seen:#?}");
            assert!(seen.text.contains("cut"), "{}", seen.text);
        }
        assert_eq!(seen.len(), 2, "{seen:#?}");
    });
    program.run(&[]).succeeded();
}
