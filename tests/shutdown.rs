//! The drop of a runtime that waits: it says for what.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::sync::{RwLock, RwLockWriteGuard, mpsc};
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use debug_async::task;
use support::{Expected, Program, child, reported, site, take_seen, thread_names, wait_until};

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(400);

fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// What closures wait for, by `read`, till it is dropped.
fn held() -> (RwLockWriteGuard<'static, ()>, &'static RwLock<()>) {
    let lock: &'static RwLock<()> = Box::leak(Box::default());
    (lock.write().expect("it is new"), lock)
}

const LIMIT: Duration = Duration::from_millis(500);

/// A runtime of each sort that is not patient.
fn impatient() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
        builder.enable_all().worker_threads(2).debug(true);
        builder.config(Config::new().shutdown_hang(LIMIT));
        builder.build().expect("it can be built")
    })
}

fn hang() -> Expected {
    Expected::new(ReportKind::ShutdownHang).says("the drop of a runtime has waited ")
}

/// What is left at the end is said as well.
fn left(expected: Expected) -> [Expected; 2] {
    [expected, Expected::new(ReportKind::PendingAtShutdown)]
}

/// Drops it, and lets `end` go when it was said that the drop hangs.
fn drop_until_it_is_said<T>(runtime: Runtime, end: T) {
    std::thread::scope(|scope| {
        scope.spawn(move || drop(runtime));
        let said = |seen: &support::Seen| seen.kind == ReportKind::ShutdownHang;
        wait_until("the report", |seen| seen.iter().any(said));
        drop(end);
    });
}

#[test]
fn a_closure_that_ends_in_time() {
    child!(|| {
        let ten = Duration::from_secs(10);
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            builder.debug(true).config(Config::new().shutdown_hang(ten));
            let runtime = builder.build().expect("it can be built");
            runtime.block_on(async {
                task::spawn_blocking(|| sleep(LONG));
                tokio::task::yield_now().await;
            });
            drop(runtime);
        }
        debug_async::flush();
        let seen = take_seen();
        let hung = seen
            .iter()
            .any(|seen| seen.kind == ReportKind::ShutdownHang);
        assert!(!hung, "{seen:#?}");
    });
}

#[test]
fn a_drop_that_has_ended_is_not_looked_at_later() {
    child!(|| {
        for runtime in impatient() {
            runtime.block_on(async {
                task::spawn_blocking(|| ()).await.expect("no panic");
            });
            drop(runtime);
        }
        sleep(3 * LIMIT);
        reported(&[]);
    });
}

#[test]
fn a_runtime_that_is_left_behind() {
    child!(|| {
        let (end, ended) = held();
        let ends: [fn(Runtime); 2] = [Runtime::shutdown_background, |runtime| {
            runtime.shutdown_timeout(LIMIT / 10)
        }];
        for end in ends {
            for runtime in impatient() {
                let (began, has_begun) = mpsc::channel();
                runtime.spawn_blocking(move || {
                    began.send(()).expect("somebody waits");
                    drop(ended.read());
                });
                has_begun.recv().expect("it begins");
                end(runtime);
            }
        }
        sleep(3 * LIMIT);
        debug_async::flush();
        let seen = take_seen();
        let hung = seen
            .iter()
            .any(|seen| seen.kind == ReportKind::ShutdownHang);
        assert!(!hung, "{seen:#?}");
        drop(end);
    });
}

#[test]
fn closures_are_told_by_site() {
    child!(|| {
        for runtime in impatient() {
            let (end, ended) = held();
            let (began, has_begun) = mpsc::channel();
            for _ in 0..2 {
                let began = began.clone();
                // site: hangs
                runtime.spawn_blocking(move || {
                    began.send(()).expect("somebody waits");
                    drop(ended.read());
                });
                has_begun.recv().expect("it begins");
            }
            drop_until_it_is_said(runtime, end);
            let two = format!("tests/shutdown.rs:{}:", site!("hangs"));
            let hang = hang().says("for 2 blocking closures: 2 × blocking task `");
            reported(&left(hang.says(&two).says("(for up to ")));
        }
    });
}

#[test]
fn it_is_told_again_at_ten_times_the_limit() {
    child!(|| {
        let [runtime, _] = impatient();
        let (end, ended) = held();
        let (began, has_begun) = mpsc::channel();
        runtime.spawn_blocking(move || {
            began.send(()).expect("somebody waits");
            drop(ended.read());
        });
        has_begun.recv().expect("it begins");
        std::thread::scope(|scope| {
            scope.spawn(move || drop(runtime));
            let said = |seen: &&support::Seen| seen.kind == ReportKind::ShutdownHang;
            wait_until("two reports", |seen| seen.iter().filter(said).count() == 2);
            sleep(3 * LIMIT);
            drop(end);
        });
        debug_async::flush();
        let seen = take_seen();
        let mut waits = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::ShutdownHang);
        let (first, second) = (waits.next(), waits.next());
        let took = |seen: Option<&support::Seen>| seen.and_then(|seen| seen.elapsed);
        assert!(took(first) >= Some(LIMIT), "{seen:#?}");
        assert!(took(second) >= Some(10 * LIMIT), "{seen:#?}");
        assert!(waits.next().is_none(), "{seen:#?}");
    });
}

#[test]
fn a_closure_that_is_not_tracked_is_a_thread_that_does_not_end() {
    child!(|| {
        for runtime in impatient() {
            let (end, ended) = held();
            runtime.block_on(async {
                let (began, has_begun) = tokio::sync::oneshot::channel();
                tokio::task::spawn_blocking(move || {
                    began.send(()).expect("somebody waits");
                    drop(ended.read());
                });
                has_begun.await.expect("it begins");
            });
            drop_until_it_is_said(runtime, end);
            reported(&[hang().says(": 1 of its threads has not ended")]);
        }
    });
}

#[test]
fn a_task_that_blocks_its_worker() {
    child!(|| {
        let [_, runtime] = impatient();
        let (end, ended) = held();
        let (began, has_begun) = mpsc::channel();
        // site: blocks
        runtime.spawn(async move {
            began.send(()).expect("somebody waits");
            drop(ended.read());
        });
        has_begun.recv().expect("it begins");
        drop_until_it_is_said(runtime, end);
        debug_async::flush();
        let seen = take_seen();
        let hang = seen
            .iter()
            .find(|seen| seen.kind == ReportKind::ShutdownHang);
        let message = &hang.expect("it was waited for").message;
        let place = format!("tests/shutdown.rs:{}:", site!("blocks"));
        assert!(message.contains("not dropped yet: task `"), "{message}");
        assert!(message.contains(&place), "{message}");
        assert!(
            message.contains("1 of its threads has not ended"),
            "{message}"
        );
    });
}

#[test]
#[allow(clippy::redundant_closure)] // The closure has the name of the test.
fn under_the_attribute() {
    #[debug_async::main]
    async fn main() {
        let (began, has_begun) = tokio::sync::oneshot::channel();
        // site: main
        task::spawn_blocking(|| {
            began.send(()).expect("somebody waits");
            // Reports of a first process take their time on a busy machine.
            let turns = if support::child::case() == "long" {
                18
            } else {
                2
            };
            sleep(turns * LIMIT);
        });
        has_begun.await.expect("it begins");
    }
    let program = Program::new(|| main());
    let hang = ["WARN debug_async::shutdown_hang: the drop of a runtime has waited "];
    let line = format!("tests/shutdown.rs:{}:", site!("main"));
    let limit = ("ASYNC_DEBUG_SHUTDOWN_HANG", "1s");
    let output = program.run_case("long", &[("ASYNC_DEBUG", "1"), limit]);
    let output = output.succeeded();
    output.says(1, &hang);
    output.says(
        1,
        &[hang[0], "for a blocking closure: blocking task `", &line],
    );
    let patient = program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
    patient.says(0, &hang);
    let production = program.run(&[("ASYNC_DEBUG", "0"), limit]).succeeded();
    production.says(0, &hang);
}

#[test]
fn it_comes_in_the_span_and_to_the_subscriber_of_the_drop() {
    use tracing_subscriber::prelude::*;
    child!(|| {
        drop(debug_async::report::take_hook());
        let events = support::events::Events::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            let [runtime, _] = impatient();
            let (began, has_begun) = mpsc::channel();
            runtime.spawn_blocking(move || {
                began.send(()).expect("somebody waits");
                sleep(3 * LIMIT);
            });
            has_begun.recv().expect("it begins");
            let _span = tracing::info_span!("closing").entered();
            drop(runtime);
        });
        debug_async::flush();
        let told = events.take();
        let mut hangs = told
            .iter()
            .filter(|told| told.target.ends_with("shutdown_hang"));
        let hang = hangs.next().unwrap_or_else(|| panic!("{told:#?}"));
        assert_eq!(hang.spans.len(), 1, "{hang:#?}");
        assert_eq!(hang.spans[0].0, "closing");
        assert!(hangs.next().is_none());
    });
}

#[test]
fn a_hundred_runtimes_leave_no_thread() {
    child!(|| {
        let one = || {
            impatient().map(|runtime| {
                runtime.block_on(async { task::spawn_blocking(|| ()).await.expect("no panic") });
            })
        };
        one();
        debug_async::flush();
        let before = thread_names().len();
        (0..50).for_each(|_| {
            one();
        });
        let started = Instant::now();
        while thread_names().len() > before {
            assert!(started.elapsed() < Duration::from_secs(20));
            sleep(SHORT);
        }
        reported(&[]);
    });
}
