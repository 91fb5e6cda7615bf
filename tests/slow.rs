//! Slow polls: 150 ms against a threshold of 100 ms, blamed once, on the innermost.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::time::Duration;

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task;
use support::run::{Case, Flavor, case};
use support::{Expected, Host, block, check, in_debug, on, site};

const OURS: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
];

async fn blocks() {
    block();
}

fn slow() -> Expected {
    Expected::new(ReportKind::SlowPoll).says("it blocked its thread")
}

#[test]
fn in_a_task() {
    in_debug(|run| {
        run.block_on(async {
            debug_async::spawn!(blocks()).await.expect("no panic"); // site: task
        });
        let slow = slow().at(site!("task")).named("slow::blocks").stack(true);
        run.expect(&[slow.says("one poll of task").says("took ")]);
    });
}

#[test]
fn in_a_task_with_a_name() {
    in_debug(|run| {
        run.block_on(async {
            let task = debug_async::spawn!(name = "hasher", blocks()); // site: named
            task.await.expect("no panic");
        });
        let slow = slow().at(site!("named")).named("hasher");
        run.expect(&[slow.task_named("hasher")]);
    });
}

#[test]
fn in_the_main_future() {
    on(OURS, |run| {
        // site: root
        run.block_on(blocks());
        let slow = slow().at(site!("root")).named("slow::blocks");
        run.expect(&[slow.says("main future")]);
    });
}

#[test]
fn in_a_local_task() {
    in_debug(|run| {
        run.block_on(async {
            let set = task::LocalSet::new();
            let local = set.spawn_local(blocks()); // site: local
            set.await;
            local.await.expect("no panic");
        });
        let seen = run.finish();
        let local: Vec<_> = seen
            .iter()
            .filter(|seen| seen.line == Some(site!("local")))
            .collect();
        assert_eq!(local.len(), 1, "{seen:#?}");
        assert_eq!(seen.len(), 1, "the root is not blamed: {seen:#?}");
    });
}

#[test]
fn in_a_future_within_a_task() {
    in_debug(|run| {
        run.block_on(async {
            let task = debug_async::spawn!(async {
                let middle = async { blocks().tracked().await }; // site: nested
                middle.tracked().await;
            });
            task.await.expect("no panic");
        });
        let slow = slow().at(site!("nested")).named("slow::blocks");
        run.expect(&[slow.says("one poll of future")]);
    });
}

#[test]
fn in_a_future_within_the_main_future() {
    in_debug(|run| {
        run.block_on(async {
            blocks().tracked_as("inner").await; // site: in root
        });
        run.expect(&[slow().at(site!("in root")).named("inner")]);
    });
}

#[test]
fn in_two_futures_of_one_poll() {
    in_debug(|run| {
        run.block_on(async {
            let task = debug_async::spawn!(async {
                blocks().tracked_as("first").await; // site: first
                blocks().tracked_as("second").await; // site: second
            });
            task.await.expect("no panic");
        });
        run.expect(&[
            slow().at(site!("first")).named("first"),
            slow().at(site!("second")).named("second"),
        ]);
    });
}

#[test]
fn in_a_task_around_a_future_that_is_slow_too() {
    in_debug(|run| {
        run.block_on(async {
            // site: around
            let task = debug_async::spawn!(async {
                blocks().tracked_as("inner").await; // site: within
                block();
            });
            task.await.expect("no panic");
        });
        let seen = run.finish();
        // However long it takes: the time within is not told of those around it too.
        let outer = seen.iter().find(|seen| seen.line == Some(site!("around")));
        let outer = outer.unwrap_or_else(|| panic!("{seen:#?}"));
        let within = outer.busy.zip(outer.elapsed).map(|(all, own)| all - own);
        assert!(within >= Some(Duration::from_millis(100)), "{seen:#?}");
        let inner = slow().at(site!("within")).named("inner");
        check(&seen, &[slow().at(site!("around")), inner]).expect("both");
    });
}

#[test]
fn of_many_polls_only_the_slow_one_is_told() {
    in_debug(|run| {
        run.block_on(async {
            let task = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                block();
                tokio::task::yield_now().await;
            };
            debug_async::spawn!(task).await.expect("no panic"); // site: one of many
        });
        let seen = run.finish();
        let [slow] = &seen[..] else {
            panic!("{seen:#?}")
        };
        assert_eq!(slow.line, Some(site!("one of many")));
        assert_eq!(slow.polls, Some(11));
        let elapsed = slow.elapsed.expect("it is known");
        assert!((Duration::from_millis(100)..Duration::from_secs(2)).contains(&elapsed));
        assert!(slow.busy >= Some(elapsed), "{slow:?}");
    });
}

#[test]
fn the_threshold_of_the_runtime() {
    on(OURS, |run| {
        run.config(Config::new().slow_poll(Duration::from_millis(50)));
        run.block_on(async {
            let sleeps = async { std::thread::sleep(Duration::from_millis(80)) };
            debug_async::spawn!(sleeps).await.expect("no panic"); // site: runtime
        });
        run.expect(&[slow().at(site!("runtime"))]);
    });
}

#[test]
fn a_threshold_that_is_changed_while_it_runs() {
    in_debug(|run| {
        run.block_on(async {
            debug_async::set_slow_poll(Duration::from_secs(60));
            debug_async::spawn!(blocks()).await.expect("no panic");
            debug_async::set_slow_poll(Duration::from_millis(100));
            debug_async::spawn!(blocks()).await.expect("no panic"); // site: changed
        });
        run.expect(&[slow().at(site!("changed"))]);
    });
}

#[test]
fn a_threshold_of_one_future() {
    in_debug(|run| {
        run.block_on(async {
            let short = Duration::from_millis(10);
            let sleeps = async { std::thread::sleep(Duration::from_millis(20)) };
            sleeps.tracked_as("strict").slow_ok(short).await; // site: strict
            let long = Duration::from_secs(60);
            blocks().tracked().slow_ok(long).await;
        });
        run.expect(&[slow().at(site!("strict")).named("strict")]);
    });
}

#[test]
fn a_task_that_blocks_on_a_runtime_without_a_thread_to_spare() {
    in_debug(|run| {
        run.block_on(async {
            let set: Vec<_> = (0..3)
                .map(|_| debug_async::spawn!(blocks())) // site: crowd
                .collect();
            for task in set {
                task.await.expect("no panic");
            }
        });
        // The 1st is told, the 10th would be.
        let seen = run.finish();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(seen[0].line, Some(site!("crowd")));
        assert!((1..=3).contains(&seen[0].count));
    });
}

/// Blocks when it is dropped.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        block();
    }
}

#[test]
fn a_drop_where_it_may_block_is_not_slow() {
    in_debug(|run| {
        run.block_on(async {
            let hold = || {
                let slow = Slow;
                async move {
                    tokio::task::yield_now().await;
                    drop(slow);
                }
            };
            let mut moved = Box::pin(hold().tracked_as("moved"));
            assert!(futures::poll!(moved.as_mut()).is_pending());
            let dropped = task::spawn_blocking(move || drop(moved));
            dropped.await.expect("no panic");
            // The same where it holds others up.
            let mut here = Box::pin(hold().tracked_as("here")); // site: here
            assert!(futures::poll!(here.as_mut()).is_pending());
            drop(here);
        });
        let here = Expected::new(ReportKind::SlowDrop).at(site!("here"));
        run.expect(&[here.named("here")]);
    });
}

#[test]
fn a_drop_within_a_drop_is_told_once() {
    in_debug(|run| {
        run.block_on(async {
            let task = debug_async::spawn!(async {
                let slow = Slow;
                let inner = async move {
                    tokio::task::yield_now().await;
                    drop(slow);
                };
                let inner = inner.tracked_as("inner"); // site: dropped within
                let mut outer = Box::pin(inner.tracked_as("outer"));
                assert!(futures::poll!(outer.as_mut()).is_pending());
                drop(outer);
            });
            task.await.expect("no panic");
        });
        let slow = Expected::new(ReportKind::SlowDrop).at(site!("dropped within"));
        run.expect(&[slow.named("inner")]);
    });
}

#[test]
fn a_drop_that_may_take_its_time_is_not_the_fault_of_those_around_it() {
    in_debug(|run| {
        run.block_on(async {
            let task = debug_async::spawn!(async {
                let slow = Slow;
                let holds = async move {
                    tokio::task::yield_now().await;
                    drop(slow);
                };
                let holds = holds.tracked().slow_ok(Duration::from_secs(60));
                let mut holds = Box::pin(holds);
                assert!(futures::poll!(holds.as_mut()).is_pending());
                drop(holds);
            });
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}
