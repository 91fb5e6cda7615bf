//! The watchdog's thread: there while it is needed, and nothing of it afterwards.

#![cfg(all(
    feature = "rt-multi-thread",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use support::{Program, collect, take_seen, thread_names, wait_until};

fn current_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_all()
        .debug(true)
        .build()
        .expect("it can be built")
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.enable_all().worker_threads(2).debug(true);
    builder.build().expect("it can be built")
}

/// Blocks this thread, for four times the threshold.
fn block() {
    thread::sleep(Duration::from_millis(400));
}

/// Linux cuts names to 15 bytes.
fn is_there() -> bool {
    thread_names().iter().any(|name| name == "debug-async-wat")
}

/// Whether the program handles `SIGURG`, the 23rd of the signals.
fn handles_the_signal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.expect("it is told").trim();
    u64::from_str_radix(mask, 16).expect("a number") & 1 << 22 != 0
}

fn files() -> usize {
    let files = std::fs::read_dir("/proc/self/fd");
    files.expect("Linux has /proc").count()
}

#[track_caller]
fn within(limit: Duration, what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Blocks in a task, is seen to, and ends.
fn blocks_and_is_seen(runtime: Runtime) {
    runtime.block_on(async {
        tokio::spawn(async { block() }).await.expect("no panic");
        assert!(is_there());
        assert!(handles_the_signal());
    });
    drop(runtime);
    assert!(!handles_the_signal());
    within(Duration::from_secs(10), "the end of the thread", || {
        !is_there()
    });
}

#[test]
fn a_thousand_runtimes_leave_nothing() {
    let program = Program::new(|| {
        collect();
        blocks_and_is_seen(current_thread());
        debug_async::flush();
        assert_eq!(take_seen().len(), 1);
        let (before, open) = (thread_names().len(), files());
        for round in 0..1_000 {
            let runtime = match round % 10 {
                0 => multi_thread(),
                _ => current_thread(),
            };
            runtime.block_on(async { tokio::spawn(async {}).await.expect("no panic") });
        }
        assert!(!handles_the_signal());
        // A thread that was joined may still be listed for a moment.
        let settled = || !is_there() && thread_names().len() <= before && files() <= open;
        within(Duration::from_secs(10), "what is left over", settled);
        // It can be had again.
        blocks_and_is_seen(multi_thread());
        debug_async::flush();
        let seen = take_seen();
        assert!(seen.iter().all(|seen| seen.kind == ReportKind::SlowPoll));
    });
    program.run(&[]).succeeded();
}

#[test]
fn several_runtimes_at_once() {
    let program = Program::new(|| {
        collect();
        let each = |n: u64| {
            for round in 0..20 {
                let make = if round % 4 == 0 {
                    multi_thread
                } else {
                    current_thread
                };
                let runtime = make();
                runtime.block_on(async {
                    let task = tokio::spawn(async move {
                        if round % 10 == n {
                            block();
                        }
                    });
                    task.await.expect("no panic");
                });
            }
        };
        let threads = (0..4).map(|n| thread::spawn(move || each(n)));
        for thread in threads.collect::<Vec<_>>() {
            thread.join().expect("no panic");
        }
        within(Duration::from_secs(10), "the end of the thread", || {
            !is_there()
        });
        assert!(!handles_the_signal());
        debug_async::flush();
        let seen = take_seen();
        // Of eight at one place the first is told, and they are counted.
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(seen[0].kind, ReportKind::SlowPoll, "{seen:#?}");
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_tracked_poll_has_it_there_and_it_goes_when_that_is_over() {
    let program = Program::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("it can be built");
        assert!(!is_there());
        let poll = || runtime.block_on(async {}.tracked());
        poll();
        within(Duration::from_secs(20), "the thread", is_there);
        within(Duration::from_secs(20), "the end of the thread", || {
            !is_there()
        });
        poll();
        within(Duration::from_secs(20), "another thread", is_there);
    });
    program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
}

#[test]
fn a_runtime_that_ends_while_it_is_blocked() {
    let program = Program::new(|| {
        collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            debug_async::watch(&tokio::runtime::Handle::current());
            let blocks = async { (0..4).for_each(|_| block()) };
            let begun = tokio::spawn(blocks);
            tokio::task::yield_now().await;
            drop(begun);
        });
        // What asks for the last look is dropped on a worker, or here.
        runtime.shutdown_background();
        within(Duration::from_secs(20), "the end of the thread", || {
            !is_there()
        });
        assert!(!handles_the_signal());
        // In a future, where it panics.
        let inner = current_thread();
        let outer = multi_thread();
        let task = outer.spawn(async move { drop(inner) });
        let outcome = outer.block_on(task);
        assert!(outcome.is_err());
        drop(outer);
        within(Duration::from_secs(20), "the end of the thread", || {
            !is_there()
        });
    });
    program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
}

#[test]
fn switched_on_and_off_while_it_runs() {
    let program = Program::new(|| {
        collect();
        let runtime = Builder::new_current_thread().debug(false).build();
        let runtime = runtime.expect("it can be built");
        let blocks = || async { tokio::spawn(async { block() }).await.expect("no panic") };
        runtime.block_on(async {
            blocks().await;
            debug_async::set_debug(true);
            blocks().await;
        });
        // Which thread runs it is said when `block_on` begins.
        runtime.block_on(blocks());
        wait_until("the block", |seen| !seen.is_empty());
        runtime.block_on(async {
            debug_async::set_debug(false);
            drop(take_seen());
            blocks().await;
        });
        within(Duration::from_secs(20), "the end of the thread", || {
            !is_there()
        });
        drop(runtime);
        debug_async::flush();
        let seen = take_seen();
        assert!(seen.is_empty(), "{seen:#?}");
    });
    program.run(&[]).succeeded();
}
