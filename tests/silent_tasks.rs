//! What must not be reported of tasks, blocking calls and runtimes.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::pending;
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet};
use futures::future::abortable;
use support::run::Flavor;
use support::{Expected, block, everywhere, silent, site};
use tokio::time::{sleep, timeout};

async fn fails() -> Result<(), String> {
    Err("no".to_owned())
}

async fn succeeds() -> Result<u32, String> {
    tokio::task::yield_now().await;
    Ok(1)
}

async fn panics() {
    panic!("on purpose");
}

#[test]
fn an_error_that_was_awaited() {
    silent(async || {
        assert!(
            debug_async::spawn!(fails())
                .await
                .expect("no panic")
                .is_err()
        );
        assert!(
            debug_async::spawn(fails())
                .await
                .expect("no panic")
                .is_err()
        );
        let blocking = task::spawn_blocking(|| Err::<(), _>("no"));
        assert!(blocking.await.expect("no panic").is_err());
        let (a, b) = tokio::join!(debug_async::spawn!(fails()), debug_async::spawn(fails()));
        assert!(a.is_ok_and(|a| a.is_err()) && b.is_ok_and(|b| b.is_err()));
    });
}

#[test]
fn an_error_that_was_looked_at_long_after_the_end() {
    silent(async || {
        let handle = debug_async::spawn!(fails());
        while !handle.is_finished() {
            tokio::task::yield_now().await;
        }
        let flushed = tokio::task::spawn_blocking(debug_async::flush);
        flushed.await.expect("no panic");
        assert!(handle.await.expect("no panic").is_err());
    });
}

#[test]
fn a_panic_that_was_awaited() {
    silent(async || {
        assert!(
            debug_async::spawn!(panics())
                .await
                .is_err_and(|error| error.is_panic())
        );
        assert!(debug_async::spawn(panics()).await.is_err());
        assert!(task::spawn_blocking(|| panic!("on purpose")).await.is_err());
    });
}

#[test]
fn fire_and_forget_with_ok() {
    silent(async || {
        let (told, mut ends) = tokio::sync::mpsc::channel::<()>(1);
        for _ in 0..10 {
            let told = told.clone();
            debug_async::spawn!(async move {
                let result = succeeds().await;
                drop(told);
                result
            });
        }
        drop(told);
        assert_eq!(ends.recv().await, None);
    });
}

#[test]
fn a_task_that_was_detached() {
    silent(async || {
        let handles = [debug_async::spawn!(fails()), debug_async::spawn(fails())];
        handles.into_iter().for_each(task::JoinHandle::detach);
        debug_async::spawn!(panics()).detach();
        task::spawn_blocking(|| Err::<(), _>("no")).detach();
        let late = debug_async::spawn!(fails());
        sleep(Duration::from_millis(10)).await;
        late.detach();
    });
}

#[test]
fn an_error_that_was_expected() {
    silent(async || {
        let handle = debug_async::spawn!(fails().expected(|error| error == "no"));
        sleep(Duration::from_millis(5)).await;
        drop(handle);
        drop(debug_async::spawn(fails().expected(|error| error == "no")));
        sleep(Duration::from_millis(5)).await;
    });
}

#[test]
fn a_task_that_was_aborted_before_its_first_poll() {
    silent(async || {
        let handle = debug_async::spawn!(succeeds());
        handle.abort();
        drop(handle.await);
        debug_async::spawn!(succeeds()).abort();
        let handle = debug_async::spawn(succeeds());
        handle.abort_handle().abort();
        drop(handle);
        // So that they have ended before the runtime does.
        sleep(Duration::from_millis(20)).await;
    });
}

#[test]
fn a_task_that_was_aborted_midway() {
    silent(async || {
        let handle = debug_async::spawn!(async {
            let _unpolled = succeeds().tracked();
            pending::<()>().await;
        });
        sleep(Duration::from_millis(5)).await;
        handle.abort();
        assert!(handle.await.is_err_and(|error| error.is_cancelled()));
    });
}

#[test]
fn a_task_that_the_abort_handle_of_futures_ended() {
    silent(async || {
        for by_macro in [false, true] {
            let (task, handle) = abortable(pending::<()>());
            drop(if by_macro {
                debug_async::spawn!(task)
            } else {
                debug_async::spawn(task)
            });
            tokio::task::yield_now().await;
            handle.abort();
            let metrics = tokio::runtime::Handle::current().metrics();
            while metrics.num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        }
        let set = task::LocalSet::new();
        let (task, handle) = abortable(pending::<()>());
        handle.abort();
        set.spawn_local(async { task.await });
        set.await;
    });
}

#[test]
fn a_task_that_fails_after_it_was_aborted() {
    silent(async || {
        let (go, went) = std::sync::mpsc::channel::<()>();
        let handle = task::spawn_blocking(move || {
            let _ = went.recv();
            Err::<(), _>("aborted meanwhile")
        });
        // So that it runs, and cannot be aborted any more.
        sleep(Duration::from_millis(20)).await;
        handle.abort();
        drop(handle);
        drop(go);
        sleep(Duration::from_millis(20)).await;
    });
}

#[test]
fn a_join_set_that_was_dropped_or_aborted() {
    silent(async || {
        let mut set = JoinSet::new();
        for _ in 0..5 {
            set.spawn(async { pending::<Result<(), String>>().await });
        }
        tokio::task::yield_now().await;
        drop(set);

        let mut set: JoinSet<Result<u32, String>> = (0..5).map(|_| succeeds()).collect();
        set.abort_all();
        while set.join_next().await.is_some() {}

        let mut set: JoinSet<Result<u32, String>> = (0..5).map(|_| succeeds()).collect();
        set.shutdown().await;
        drop((0..5).map(|_| succeeds()).collect::<JoinSet<_>>());
        sleep(Duration::from_millis(20)).await;
    });
}

#[test]
fn a_join_set_whose_errors_were_all_joined() {
    silent(async || {
        let mut set: JoinSet<Result<(), String>> = (0..5).map(|_| fails()).collect();
        set.spawn(async {
            panics().await;
            Ok(())
        });
        set.spawn_blocking(|| Err("no".to_owned()));
        let mut failed = 0;
        while let Some(result) = set.join_next().await {
            failed += u32::from(!matches!(result, Ok(Ok(()))));
        }
        assert_eq!(failed, 7);
        let set: JoinSet<Result<(), String>> = (0..5).map(|_| fails()).collect();
        assert_eq!(set.join_all().await.len(), 5);
    });
}

/// Lets a poll take what spawning as many on bare tokio takes here and now, thrice,
/// and the usual threshold.
async fn allow_what_it_takes() {
    debug_async::set_slow_poll(Duration::from_secs(60));
    let start = std::time::Instant::now();
    let bare: Vec<_> = (0..TASKS).map(|_| tokio::spawn(succeeds())).collect();
    let takes = start.elapsed();
    futures::future::join_all(bare).await;
    tokio::task::yield_now().await;
    debug_async::set_slow_poll(Duration::from_millis(100) + takes * 3);
}

const TASKS: u32 = 10_000;

#[test]
fn ten_thousand_tasks_at_once() {
    silent(async || {
        allow_what_it_takes().await;
        let handles: Vec<_> = (0..TASKS)
            .map(|_| debug_async::spawn!(succeeds()))
            .collect();
        for handle in handles {
            assert!(handle.await.is_ok_and(|result| result.is_ok()));
        }
    });
}

#[test]
fn ten_thousand_tasks_that_were_forgotten_at_once() {
    silent(async || {
        allow_what_it_takes().await;
        let left = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        for _ in 0..TASKS {
            let left = left.clone();
            debug_async::spawn(async move { left.add_permits(1) });
        }
        let all = left.acquire_many(TASKS).await;
        all.map(drop).expect("it is open");
        sleep(Duration::from_millis(20)).await;
    });
}

#[test]
fn block_in_place() {
    everywhere(|run| {
        if run.case.flavor == Flavor::MultiThread {
            run.block_on(async {
                task::block_in_place(block);
                let ours = debug_async::spawn!(async { task::block_in_place(block) });
                ours.await.expect("no panic");
                let nested = async { task::block_in_place(block) }.tracked();
                debug_async::spawn!(nested).await.expect("no panic");
            });
        }
        run.expect(&[]);
    });
}

#[test]
fn block_in_place_of_tokio() {
    everywhere(|run| {
        if run.case.flavor == Flavor::MultiThread {
            run.block_on(async {
                let task = debug_async::spawn!(async { tokio::task::block_in_place(block) });
                task.await.expect("no panic");
                let nested = async { tokio::task::block_in_place(block) }.tracked();
                debug_async::spawn!(nested).await.expect("no panic");
            });
        }
        run.expect(&[]);
    });
}

#[test]
fn a_long_call_where_it_may_block() {
    silent(async || {
        task::spawn_blocking(block).await.expect("no panic");
        tokio::task::spawn_blocking(block).await.expect("no panic");
        // A runtime may be driven from there.
        let handle = tokio::runtime::Handle::current();
        let inside = task::spawn_blocking(move || handle.block_on(async { block() }.tracked()));
        inside.await.expect("no panic");
    });
}

#[test]
fn a_task_that_outlives_the_timeout_on_its_handle() {
    silent(async || {
        let mut handle = debug_async::spawn!(async {
            sleep(Duration::from_millis(20)).await;
            fails().await
        });
        assert!(
            timeout(Duration::from_millis(1), &mut handle)
                .await
                .is_err()
        );
        assert!(handle.await.expect("no panic").is_err());
    });
}

#[test]
fn a_task_awaited_just_before_the_runtime_ends() {
    everywhere(|run| {
        for _ in 0..300 {
            run.block_on(async {
                let tasks: Vec<_> = (0..4).map(|_| debug_async::spawn!(succeeds())).collect();
                for task in tasks {
                    assert!(task.await.is_ok());
                }
            });
            run.restart();
        }
        run.expect(&[]);
    });
}

#[test]
fn a_runtime_dropped_with_tasks_gives_the_summary_and_nothing_else() {
    everywhere(|run| {
        run.block_on(async {
            let (started, mut starts) = tokio::sync::mpsc::channel::<()>(1);
            for _ in 0..3 {
                let started = started.clone();
                // site: left
                debug_async::spawn!(async move {
                    let _unpolled = succeeds().tracked();
                    drop(started);
                    pending::<()>().await;
                });
            }
            drop(started);
            assert_eq!(starts.recv().await, None);
        });
        if run.case.host == support::Host::Tokio {
            // Its end is not ours to see.
            return run.expect(&[]);
        }
        let line = site!("left");
        let place = format!("silent_tasks.rs:{line}:");
        let summary = Expected::new(ReportKind::PendingAtShutdown);
        run.expect(&[summary.says("3 tasks were still pending").says(&place)]);
    });
}

#[test]
fn a_join_handle_kept_to_the_end_of_a_task_that_went_well() {
    silent(async || {
        let kept = debug_async::spawn!(succeeds());
        sleep(Duration::from_millis(10)).await;
        drop(kept);
    });
}
