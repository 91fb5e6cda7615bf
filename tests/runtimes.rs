//! Each runtime has a switch of its own, and says at its end what it leaves.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Handle, Runtime};
use debug_async::task::LocalSet;
use debug_async::{is_debug, set_debug};
use support::{Expected, block, check, child, reported, site, take_seen, thread_names};
use tracing::Level;

async fn forgotten() {}

async fn waits() {
    // Not `pending`: that is a finding.
    tokio::sync::Notify::new().notified().await;
}

fn runtime(debug: bool) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().debug(debug);
    builder.build().expect("it can be built")
}

#[test]
fn two_runtimes_with_different_switches_do_not_touch_each_other() {
    child!(|| {
        let (on, off) = (runtime(true), runtime(false));
        for _ in 0..2 {
            assert!(on.block_on(async { is_debug() }));
            assert!(!off.block_on(async { is_debug() }));
            let in_tasks = |runtime: &Runtime| {
                runtime.block_on(async {
                    let task = debug_async::spawn!(async { is_debug() }).await;
                    let call = debug_async::task::spawn_blocking(is_debug).await;
                    (task.expect("no panic"), call.expect("no panic"))
                })
            };
            assert_eq!(in_tasks(&on), (true, true));
            assert_eq!(in_tasks(&off), (false, false));
        }
        assert!(!is_debug());
        for runtime in [&on, &off] {
            runtime.block_on(async {
                let task = debug_async::spawn!(async { block() });
                task.await.expect("no panic");
            });
        }
        drop((on, off));
        let seen = take_seen_after_flush();
        assert_eq!(seen, [ReportKind::SlowPoll]);
    });
}

fn take_seen_after_flush() -> Vec<ReportKind> {
    debug_async::flush();
    take_seen().iter().map(|seen| seen.kind).collect()
}

#[test]
fn the_switch_is_that_of_the_runtime_it_is_called_on() {
    child!(|| {
        let (first, second) = (runtime(false), runtime(false));
        first.block_on(async { set_debug(true) });
        assert!(first.block_on(async { is_debug() }));
        assert!(!second.block_on(async { is_debug() }) && !is_debug());
        second.block_on(async {
            debug_async::spawn!(async { set_debug(true) })
                .await
                .expect("no panic");
            assert!(is_debug());
        });
        assert!(!is_debug());
        {
            let _entered = first.enter();
            assert!(is_debug());
            set_debug(false);
        }
        assert!(!first.block_on(async { is_debug() }));
        assert!(second.block_on(async { is_debug() }));
        // What is built later is as the process is.
        set_debug(true);
        let third = Builder::new_current_thread()
            .build()
            .expect("it can be built");
        assert!(third.block_on(async { is_debug() }));
        assert!(!first.block_on(async { is_debug() }));
    });
}

#[test]
fn elsewhere_the_switch_is_the_process_s() {
    child!(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build();
        let tokio = tokio.expect("it can be built");
        tokio.block_on(async {
            set_debug(true);
            assert!(
                debug_async::spawn!(async { is_debug() })
                    .await
                    .expect("no panic")
            );
        });
        assert!(is_debug() && std::thread::spawn(is_debug).join().expect("no panic"));
        set_debug(false);
        assert!(!tokio.block_on(async { is_debug() }));
    });
}

#[test]
fn a_runtime_within_a_runtime_s_thread_puts_the_switch_back() {
    child!(|| {
        let (on, off) = (runtime(true), runtime(false));
        on.block_on(async {
            let handle = off.handle().clone();
            let call = debug_async::task::spawn_blocking(move || {
                assert!(is_debug());
                assert!(!handle.block_on(async { is_debug() }));
                is_debug()
            });
            assert!(call.await.expect("no panic"));
            let guard = off.enter();
            assert!(!is_debug());
            drop(guard);
            assert!(is_debug());
        });
    });
}

#[test]
fn what_is_spawned_on_another_runtime_obeys_that_one() {
    child!(|| {
        let (on, off) = (runtime(true), runtime(false));
        off.block_on(async {
            let task = on.handle().spawn(async { block() }); // site: on
            task.await.expect("no panic");
            let handle = Handle::from(tokio::runtime::Handle::clone(on.handle()));
            assert!(handle.spawn(async { is_debug() }).await.expect("no panic"));
            assert!(on.spawn_blocking(is_debug).await.expect("no panic"));
        });
        on.block_on(async {
            off.spawn(async { block() }).await.expect("no panic");
            assert!(!off.spawn(async { is_debug() }).await.expect("no panic"));
        });
        drop((on, off));
        reported(&[Expected::new(ReportKind::SlowPoll).at(site!("on"))]);
    });
}

#[test]
fn what_a_local_set_runs_on_a_runtime_obeys_that_one() {
    child!(|| {
        let (on, off) = (runtime(true), runtime(false));
        let modes = || async {
            let task = debug_async::task::spawn_local(async { is_debug() });
            (is_debug(), task.await.expect("no panic"))
        };
        let set = LocalSet::new();
        assert_eq!(set.block_on(&on, modes()), (true, true));
        assert_eq!(set.block_on(&off, modes()), (false, false));
        set_debug(true);
        assert_eq!(set.block_on(&off, modes()), (false, false));
        // A runtime of tokio's own is as the process is, whatever thread it is run on.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let tokio = builder.build().expect("it can be built");
        assert_eq!(set.block_on(&tokio, modes()), (true, true));
        set_debug(false);
        let call = on.spawn_blocking(move || {
            assert!(is_debug());
            let set = LocalSet::new();
            let run = set.block_on(&tokio, async { is_debug() });
            (run, is_debug())
        });
        assert_eq!(on.block_on(call).expect("no panic"), (false, true));
    });
}

#[test]
fn an_object_keeps_the_mode_it_was_created_in() {
    child!(|| {
        let (mut made_on, mut made_off);
        set_debug(true);
        made_on = Box::pin(async { block() }.tracked()); // site: made on
        set_debug(false);
        made_off = Box::pin(async { block() }.tracked());
        let runtime = runtime(false);
        runtime.block_on(made_on.as_mut());
        set_debug(true);
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("it can be built")
            .block_on(made_off.as_mut());
        drop(runtime);
        reported(&[Expected::new(ReportKind::SlowPoll).at(site!("made on"))]);
    });
}

#[test]
fn tasks_left_at_the_end_are_one_summary_in_debug_and_in_production() {
    child!(|| {
        for debug in [true, false] {
            let runtime = runtime(debug);
            runtime.block_on(async {
                for _ in 0..3 {
                    debug_async::spawn!(waits()); // site: three
                }
                let named = async {
                    tokio::sync::Notify::new().notified().await; // site: leaf
                };
                debug_async::spawn!(name = "named", named); // site: one
                tokio::time::sleep(Duration::from_millis(20)).await;
            });
            drop(runtime);
            let three = format!("tests/runtimes.rs:{}:", site!("three"));
            let one = format!("tests/runtimes.rs:{}:", site!("one"));
            let summary = Expected::new(ReportKind::PendingAtShutdown).says("4 tasks were still");
            let summary = summary
                .says("3 × task `runtimes::waits`")
                .says(&three)
                .says(&one);
            let summary = summary.says("task `named`").level(Level::INFO);
            reported(&[if debug {
                summary.waits("task `named` waited in", site!("leaf"))
            } else {
                summary
            }]);
        }
    });
}

#[test]
fn tasks_left_that_were_never_polled_make_it_a_warning() {
    child!(|| {
        for debug in [true, false] {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.debug(debug).build().expect("it can be built");
            runtime.spawn(waits());
            runtime.spawn(waits());
            drop(runtime);
            let summary = Expected::new(ReportKind::PendingAtShutdown).level(Level::WARN);
            reported(&[summary
                .says("2 tasks were still pending")
                .says("never polled")]);
        }
    });
}

#[test]
fn a_task_spawned_at_the_very_end_is_no_warning_where_others_of_its_site_were_polled() {
    child!(|| {
        for debug in [true, false] {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.debug(debug).build().expect("it can be built");
            let spawn = || drop(debug_async::spawn!(waits()));
            runtime.block_on(async {
                spawn();
                tokio::task::yield_now().await;
                spawn();
            });
            drop(runtime);
            let summary = Expected::new(ReportKind::PendingAtShutdown).level(Level::INFO);
            reported(&[summary
                .says("2 tasks were still pending")
                .says("1 never polled")]);
        }
    });
}

#[test]
fn each_way_to_end_a_runtime_gives_the_summary() {
    child!(|| {
        let ends: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| {
            runtime.shutdown_timeout(Duration::from_secs(5))
        }];
        for (debug, end) in [true, false]
            .into_iter()
            .flat_map(|debug| ends.map(|end| (debug, end)))
        {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.debug(debug).build().expect("it can be built");
            runtime.block_on(async {
                debug_async::spawn!(waits());
                tokio::task::yield_now().await;
            });
            end(runtime);
            reported(&[Expected::new(ReportKind::PendingAtShutdown).says("1 task was")]);
        }
    });
}

#[test]
fn a_closure_that_runs_on_is_not_said_to_be_dropped() {
    child!(|| {
        let futures = "dropped where they stood";
        let closures = "`spawn_blocking` that has begun runs on, and the runtime waits";
        for (tasks, says) in [(0, [false, true]), (1, [true, true])] {
            let runtime = runtime(true);
            let (go, went) = std::sync::mpsc::channel::<()>();
            let (began, begins) = std::sync::mpsc::channel();
            runtime.block_on(async {
                for _ in 0..tasks {
                    debug_async::spawn!(waits());
                }
                debug_async::task::spawn_blocking(move || {
                    let _ = began.send(());
                    let _ = went.recv();
                });
                tokio::task::yield_now().await;
            });
            begins.recv().expect("it begins");
            let end = std::thread::spawn(move || drop(runtime));
            support::wait_until("the summary", |seen| !seen.is_empty());
            assert!(!end.is_finished());
            drop(go);
            end.join().expect("no panic");
            let seen = take_seen_whole();
            assert_eq!(seen.len(), 1, "{seen:#?}");
            assert_eq!(
                [futures, closures].map(|part| seen[0].help.contains(part)),
                says
            );
        }
        let runtime = runtime(true);
        runtime.spawn(waits());
        drop(runtime);
        let seen = take_seen_whole();
        assert_eq!(
            [futures, closures].map(|part| seen[0].help.contains(part)),
            [true, false]
        );
    });
}

#[test]
fn a_summary_that_cannot_be_whole_says_so() {
    child!(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().debug(false);
        let runtime = builder.build().expect("it can be built");
        let (go, went) = std::sync::mpsc::channel::<()>();
        let (began, begins) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let _ = began.send(());
            let _ = went.recv();
        });
        begins.recv().expect("it begins");
        runtime.block_on(async {
            debug_async::spawn!(waits());
            tokio::time::sleep(Duration::from_millis(20)).await;
        });
        runtime.shutdown_timeout(Duration::from_secs(3));
        drop(go);
        debug_async::flush();
        let seen = take_seen_whole();
        assert!(
            seen.len() == 1 && seen[0].message.starts_with("at least 1 task was still"),
            "{seen:#?}"
        );
    });
}

fn take_seen_whole() -> Vec<support::Seen> {
    debug_async::flush();
    take_seen()
}

#[test]
fn a_runtime_whose_end_panics_has_ended_all_the_same() {
    child!(|| {
        for debug in [true, false] {
            let outer = runtime(false);
            let mut builder = Builder::new_current_thread();
            let inner = builder.debug(debug).build().expect("it can be built");
            inner.block_on(async {
                debug_async::spawn!(waits());
                tokio::task::yield_now().await;
            });
            let handle = inner.handle().clone();
            set_debug(!debug);
            outer.block_on(async {
                // tokio refuses to wait for its threads within a future.
                let end = std::panic::AssertUnwindSafe(|| drop(inner));
                assert!(std::panic::catch_unwind(end).is_err());
            });
            // Nothing is left of its switch.
            let known = Handle::from(tokio::runtime::Handle::clone(&handle));
            let _entered = known.enter();
            assert_eq!(is_debug(), !debug);
            set_debug(false);
            reported(&[Expected::new(ReportKind::PendingAtShutdown).says("1 task was")]);
        }
    });
}

#[test]
fn a_local_runtime_gives_the_summary_too() {
    child!(|| {
        for debug in [true, false] {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.debug(debug).build_local(Default::default());
            let runtime = runtime.expect("it can be built");
            runtime.spawn_local(waits());
            runtime.block_on(tokio::task::yield_now());
            drop(runtime);
            reported(&[Expected::new(ReportKind::PendingAtShutdown).says("1 task was")]);
        }
    });
}

#[test]
fn a_runtime_that_leaves_nothing_says_nothing() {
    child!(|| {
        for debug in [true, false] {
            let runtime = runtime(debug);
            runtime.block_on(async {
                let task = debug_async::spawn!(waits());
                task.abort();
                assert!(task.await.is_err());
                debug_async::spawn!(async {}).await.expect("no panic");
            });
            drop(runtime);
            reported(&[]);
        }
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show those tasks: tests/unstable.rs"
)]
fn most_tasks_of_a_runtime_that_are_not_tracked_are_said_once() {
    child!(|| {
        let runtime = runtime(true);
        runtime.block_on(async {
            for _ in 0..20 {
                tokio::spawn(waits());
            }
            let task = debug_async::spawn!(waits());
            let said = |seen: &[support::Seen]| !seen.is_empty();
            let wait = tokio::task::spawn_blocking(move || support::wait_until("it", said));
            wait.await.expect("no panic");
            tokio::time::sleep(Duration::from_secs(3)).await;
            task.abort();
            drop(task.await);
        });
        let seen = take_seen();
        let share = Expected::new(ReportKind::UntrackedTasks).says("20 of 21 tasks");
        check(&seen, &[share]).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
}

#[test]
fn a_runtime_of_tokio_s_own_is_looked_at_again_after_it_had_no_task() {
    child!(|| {
        set_debug(true);
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("it can be built");
        // Tracked ones are what it is known by.
        let spawn = || async { drop(debug_async::spawn!(forgotten()).await) };
        let crowd = || {
            runtime.block_on(async {
                for _ in 0..20 {
                    tokio::spawn(waits());
                }
                spawn().await;
            });
        };
        runtime.block_on(spawn());
        std::thread::sleep(Duration::from_millis(2_500));
        crowd();
        support::wait_until("it", |seen| !seen.is_empty());
        // Once is enough.
        std::thread::scope(|scope| scope.spawn(crowd).join().expect("no panic"));
        std::thread::sleep(Duration::from_millis(3_500));
        let seen = take_seen();
        let share = Expected::new(ReportKind::UntrackedTasks).says("20 of 20 tasks");
        check(&seen, &[share]).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
}

#[test]
fn runtimes_that_have_ended_leave_no_file_open() {
    child!(|| {
        let files = || {
            std::fs::read_dir("/proc/self/fd")
                .expect("Linux has /proc")
                .count()
        };
        let one = || drop(runtime(true));
        one();
        let before = files();
        (0..50).for_each(|_| one());
        // One may just be looked at.
        assert!(files() < before + 10, "{before} became {}", files());
        set_debug(true);
        for _ in 0..50 {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().expect("it can be built");
            let task = async { debug_async::spawn!(forgotten()).await };
            runtime.block_on(task).expect("no panic");
        }
        let closed = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            files() < before + 10
        });
        assert!(closed, "{before} became {}", files());
    });
}

#[test]
fn two_hundred_runtimes_leave_no_thread() {
    child!(|| {
        let one = || {
            for debug in [true, false] {
                runtime(debug).block_on(async {
                    drop(forgotten().tracked());
                    debug_async::spawn!(forgotten()).await.expect("no panic");
                    debug_async::task::spawn_blocking(|| ())
                        .await
                        .expect("no panic");
                });
            }
        };
        one();
        debug_async::flush();
        let before = thread_names();
        (0..100).for_each(|_| one());
        debug_async::flush();
        // A thread that was joined may still be listed for a moment.
        let settled = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            thread_names().len() <= before.len()
        });
        assert!(settled, "{before:?} became {:?}", thread_names());
        drop(take_seen());
    });
}

type Log = Arc<Mutex<Vec<(ThreadId, &'static str)>>>;

/// Sets all callbacks for threads, on a builder of either sort.
macro_rules! log_threads {
    ($builder:expr, $log:expr) => {
        let logs = |what: &'static str| {
            let log = Arc::clone($log);
            move || {
                let here = std::thread::current().id();
                log.lock().expect("no panic").push((here, what));
            }
        };
        $builder
            .on_thread_start(logs("start"))
            .on_thread_park(logs("park"))
            .on_thread_unpark(logs("unpark"))
            .on_thread_stop(logs("stop"));
    };
}

/// What each thread said, how often it parked aside: that takes what time it takes.
fn by_thread(log: &Log) -> Vec<String> {
    let mut threads: HashMap<ThreadId, String> = HashMap::new();
    for (thread, what) in log.lock().expect("no panic").iter() {
        let said = threads.entry(*thread).or_default();
        said.push_str(what);
        said.push(' ');
    }
    let said = threads.into_values().map(|mut said| {
        let parks = "park unpark ";
        while said.contains(&parks.repeat(2)) {
            said = said.replace(&parks.repeat(2), parks);
        }
        said
    });
    let mut said: Vec<String> = said.collect();
    said.sort();
    said
}

#[test]
fn the_user_s_callbacks_are_called_as_tokio_calls_them() {
    child!(|| {
        async fn load() {
            let sleeps = tokio::time::sleep(Duration::from_millis(20));
            tokio::spawn(sleeps).await.expect("no panic");
            let call = tokio::task::spawn_blocking(|| ());
            call.await.expect("no panic");
        }

        let log = Log::default();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        log_threads!(builder, &log);
        let runtime = builder.worker_threads(1).enable_all().build();
        runtime.expect("it can be built").block_on(load());
        let expected = by_thread(&log);
        assert_eq!(expected, ["start park unpark stop ", "start stop "]);
        for debug in [true, false] {
            let log = Log::default();
            let mut builder = Builder::new_multi_thread();
            log_threads!(builder, &log);
            builder.worker_threads(1).enable_all().debug(debug);
            builder.build().expect("it can be built").block_on(load());
            assert_eq!(by_thread(&log), expected);
        }
        reported(&[]);
    });
}

#[test]
fn a_runtime_dropped_in_another_runtime_s_task() {
    child!(|| {
        let (outer, inner) = (runtime(true), runtime(true));
        inner.spawn(waits());
        outer.block_on(async move {
            let ended = debug_async::task::spawn_blocking(move || drop(inner));
            ended.await.expect("no panic");
            let mut polled = pin!(forgotten().tracked());
            polled.as_mut().await;
        });
        drop(outer);
        let summary = [ReportKind::PendingAtShutdown];
        assert_eq!(take_seen_after_flush(), summary);
    });
}
