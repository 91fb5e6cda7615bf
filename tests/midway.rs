//! What is dropped, or left to itself, before it is done.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet};
use support::{Expected, Program, everywhere, in_debug, silent, site};
use tokio::time::{sleep, timeout};
use tracing::Level;

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

const MOMENT: Duration = Duration::from_millis(5);

fn midway() -> Expected {
    Expected::new(ReportKind::DroppedMidway)
}

async fn transfer() {
    sleep(LONG).await; // site: half done
}

#[test]
fn a_future_that_must_complete() {
    in_debug(|run| {
        run.block_on(async {
            // site: timed out
            let transfers = transfer().tracked_as("transfer").must_complete();
            let _ = timeout(MOMENT, transfers).await;

            let task = debug_async::spawn(async {
                // What goes down with it is the same news.
                let inner = async { transfer().tracked().must_complete().await };
                inner.tracked_as("outer").must_complete().await; // site: aborted
            });
            sleep(MOMENT * 4).await;
            task.abort();
            let _ = task.await;
        });
        run.expect(&[
            midway()
                .at(site!("timed out"))
                .named("transfer")
                .waits("it waited in", site!("half done"))
                .stack(true),
            midway()
                .at(site!("aborted"))
                .named("outer")
                .says("its task was aborted"),
        ]);
    });
}

#[test]
fn a_runtime_that_ends_is_no_excuse() {
    in_debug(|run| {
        run.block_on(async {
            let transfers = transfer().tracked().must_complete(); // site: left
            debug_async::spawn(transfers.tracked()).detach();
            sleep(MOMENT * 4).await;
        });
        let seen = run.finish();
        let midway: Vec<_> = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::DroppedMidway)
            .collect();
        assert_eq!(midway.len(), 1, "{seen:#?}");
        assert_eq!(midway[0].line, Some(site!("left")));
    });
}

#[test]
fn futures_that_complete_or_panic_or_were_not_begun() {
    silent(async || {
        async {}.tracked().must_complete().await;
        let late = async { sleep(MOMENT).await };
        let mut late = pin!(late.tracked().must_complete());
        if timeout(MOMENT / 5, &mut late).await.is_err() {
            late.await;
        }
        async {}.tracked().must_complete().discard();

        let panics = async {
            let _within = {
                let mut within = Box::pin(pending::<()>().tracked().must_complete());
                let _ = futures::poll!(within.as_mut());
                within
            };
            task::yield_now().await;
            panic!("as it does");
        };
        let task = debug_async::spawn(panics.tracked().must_complete());
        assert!(task.await.is_err());
        // Others may be dropped; nobody listens.
        let _ = timeout(MOMENT, transfer().tracked()).await;
    });
}

#[test]
fn who_listens_is_told_of_what_was_cancelled() {
    let program = Program::new(|| {
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .init();
        let runtime = debug_async::runtime::Builder::new_multi_thread()
            .enable_all()
            .debug(true)
            .build()
            .expect("it can be built");
        runtime.block_on(async {
            let _ = timeout(MOMENT, transfer().tracked_as("transfer")).await;
            debug_async::spawn!(name = "at the end", transfer()).detach();
            sleep(MOMENT).await;
        });
        drop(runtime);
        debug_async::flush();
    });
    let output = program.run(&[]);
    let cancelled: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.contains("debug_async::cancelled"))
        .collect();
    assert_eq!(cancelled.len(), 1, "{}", output.stdout);
    assert!(cancelled[0].contains("`transfer` was dropped midway, after"));
    output.succeeded();
}

#[test]
fn tasks_that_pile_up() {
    in_debug(|run| {
        let (mut left, mut kept) = (Vec::new(), JoinSet::new());
        run.block_on(async {
            for _ in 0..250 {
                // site: abandoned
                let task = debug_async::spawn!(name = "left", transfer());
                left.push(task.abort_handle());
                let _ = timeout(MOMENT / 5, task).await;
            }
            for task in left {
                task.abort();
            }
            // As many, but not at a time.
            for _ in 0..150 {
                let task = debug_async::spawn(sleep(MOMENT));
                let _ = timeout(MOMENT / 5, task).await;
                sleep(MOMENT).await;
            }
            // Nobody waited for these, or they were let go on purpose.
            for n in 0..150 {
                kept.spawn(transfer());
                let task = debug_async::spawn(async { transfer().await });
                if n % 3 == 0 {
                    let mut task = task;
                    let _ = timeout(Duration::ZERO, &mut task).await;
                    task.detach();
                } else if n % 3 == 1 {
                    let mut task = task;
                    let _ = timeout(Duration::ZERO, &mut task).await;
                    task.abort();
                }
            }
            kept.shutdown().await;
        });
        let mut seen = run.finish();
        seen.retain(|seen| seen.kind == ReportKind::Abandoned);
        let expected = |says: &str| {
            let abandoned = Expected::new(ReportKind::Abandoned).at(site!("abandoned"));
            abandoned
                .says(says)
                .waits("this one waits in", site!("half done"))
        };
        let wanted = [expected("100 tasks"), expected("200 tasks")];
        support::check(&seen, &wanted).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
}

#[test]
fn in_production_it_is_not_looked_at() {
    everywhere(|run| {
        let debug = run.case.debug;
        run.block_on(async {
            if !debug {
                let transfers = transfer().tracked().must_complete();
                let _ = timeout(MOMENT, transfers).await;
            }
        });
        run.expect(&[]);
    });
}
