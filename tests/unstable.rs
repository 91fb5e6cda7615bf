//! What tokio's task hooks add where it has them: the tasks that nobody wrapped.

#![cfg(all(tokio_unstable, feature = "rt-multi-thread"))]

mod support;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Handle, Runtime, TaskMeta};
use debug_async::task;
use support::run::{Case, Flavor, case};
use support::{Expected, Host, block, check, child, on, reported, site, take_seen};
use tokio::runtime::LocalOptions;
use tracing::Level;

const OURS: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
];

const IN_BOTH_MODES: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
    case(Host::Ours, Flavor::CurrentThread, false),
    case(Host::Ours, Flavor::MultiThread, false),
];

fn both() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
        builder.enable_all().worker_threads(2).debug(true);
        builder.build().expect("it can be built")
    })
}

async fn blocks() {
    block();
}

async fn computes() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(150) {}
}

async fn waits() {
    pending::<()>().await;
}

/// As a report has the name of a task that was spawned at a line here.
fn name(line: u32) -> String {
    format!("unstable.rs:{line}")
}

fn slow(line: u32) -> Expected {
    Expected::new(ReportKind::SlowPoll)
        .at(line)
        .named(&name(line))
        .says("one poll of task")
        .says(&format!("spawned at tests/unstable.rs:{line}:"))
}

/// How many tasks are known to be alive.
fn known(handle: &Handle) -> usize {
    handle.snapshot().tracked_tasks.expect("debug mode")
}

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_task_that_waits_is_reported_once_with_its_line_and_its_stack() {
    on(OURS, |run| {
        run.block_on(async {
            tokio::spawn(blocks()).await.expect("no panic"); // site: waits
        });
        let line = site!("waits");
        let seen = run.finish();
        check(&seen, &[slow(line).stack(true)]).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(seen[0].task_id.is_some() && seen[0].polls == Some(1));
        let elapsed = seen[0].elapsed.expect("it is known");
        assert!((Duration::from_millis(100)..Duration::from_secs(5)).contains(&elapsed));
        // Where the watchdog got a processor in time, it is that of the block.
        let stack = seen[0].stack.as_ref().expect("it has one");
        if seen[0].message.contains(", waiting") {
            assert!(stack[0].0.ends_with("support::block"), "{stack:#?}");
        }
    });
}

#[test]
fn a_task_that_computes_is_reported_once_with_its_line() {
    on(OURS, |run| {
        run.block_on(async {
            tokio::spawn(computes()).await.expect("no panic"); // site: computes
        });
        run.expect(&[slow(site!("computes"))]);
    });
}

#[test]
fn of_many_polls_only_the_slow_one_is_told() {
    on(OURS, |run| {
        run.block_on(async {
            let task = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                block();
                tokio::task::yield_now().await;
            };
            tokio::spawn(task).await.expect("no panic"); // site: one of many
        });
        let seen = run.finish();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(
            (seen[0].line, seen[0].polls),
            (Some(site!("one of many")), Some(11))
        );
    });
}

#[test]
fn a_poll_that_still_runs_is_told_of_meanwhile() {
    on(OURS, |run| {
        run.config(Config::new().blocked(Duration::from_millis(300)));
        run.block_on(async {
            let sleeps = async { std::thread::sleep(Duration::from_millis(1500)) };
            tokio::spawn(sleeps).await.expect("no panic"); // site: blocked
        });
        let line = site!("blocked");
        let blocked = Expected::new(ReportKind::Blocked).at(line);
        run.expect(&[blocked.named(&name(line)).stack(true)]);
    });
}

#[test]
fn a_span_that_is_left_entered() {
    child!(|| {
        tracing_subscriber::fmt().with_writer(std::io::sink).init();
        let [runtime, _] = both();
        runtime.block_on(async {
            let leaks = async {
                std::mem::forget(tracing::info_span!("leaked").entered());
                tokio::task::yield_now().await;
            };
            tokio::spawn(leaks).await.expect("no panic"); // site: leaks
        });
        drop(runtime);
        let line = site!("leaks");
        let span = Expected::new(ReportKind::SpanAcrossAwait).at(line);
        reported(&[span.named(&name(line)).says("span `leaked`")]);
    });
}

#[test]
fn what_is_wrapped_is_reported_once() {
    on(OURS, |run| {
        let handle = run.handle();
        run.block_on(async {
            debug_async::spawn!(blocks()).await.expect("no panic"); // site: macro
            debug_async::spawn(blocks()).await.expect("no panic"); // site: function
            handle.spawn(blocks()).await.expect("no panic"); // site: handle
            let mut set = task::JoinSet::new();
            set.spawn(blocks()); // site: set
            set.spawn_on(blocks(), &handle); // site: set on
            set.join_all().await;
            // The task is not ours, the future in it is.
            let inner = blocks().tracked_as("inner"); // site: inner
            tokio::spawn(inner).await.expect("no panic");
        });
        let slow = |line| Expected::new(ReportKind::SlowPoll).at(line);
        run.expect(&[
            slow(site!("macro")).named("unstable::blocks"),
            slow(site!("function")).named("unstable::blocks"),
            slow(site!("handle")).named("unstable::blocks"),
            slow(site!("set")).named("unstable::blocks"),
            slow(site!("set on")).named("unstable::blocks"),
            slow(site!("inner")).named("inner"),
        ]);
    });
}

#[test]
fn each_task_is_counted_once() {
    child!(|| {
        for runtime in both() {
            let handle = runtime.handle().clone();
            let tokio = tokio::runtime::Handle::clone(&handle);
            runtime.block_on(async {
                let mut set = task::JoinSet::new();
                debug_async::spawn!(waits()).detach();
                debug_async::spawn(waits()).detach();
                handle.spawn(waits()).detach();
                set.spawn(waits());
                set.spawn_on(waits(), &handle);
                assert_eq!(known(&handle), 5);
                // A spawn of ours that no hook sees, and then one of tokio's.
                let local = task::LocalSet::new();
                let in_set = async { task::spawn_local(waits()).detach() };
                local.run_until(in_set).await;
                set.spawn_local_on(waits(), &local);
                tokio::spawn(waits());
                tokio.spawn(waits());
                let mut tokio_s = tokio::task::JoinSet::new();
                tokio_s.spawn(waits());
                assert_eq!(known(&handle), 10);
                let now = handle.snapshot();
                assert_eq!((now.alive_tasks, now.untracked_tasks()), (8, Some(0)));
                drop((set, local));
            });
        }
    });
}

#[test]
fn tasks_that_are_seen_are_not_said_to_be_unseen() {
    on(OURS, |run| {
        run.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            (0..20).for_each(|_| drop(tasks.spawn(waits())));
            // The share is looked at every second, and said at the second look.
            tokio::time::sleep(Duration::from_secs(4)).await;
            tasks.shutdown().await;
        });
        run.expect(&[]);
    });
}

#[test]
fn a_local_runtime_s_tasks_are_seen_and_counted_once() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.debug(true).build_local(LocalOptions::default());
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            tokio::task::spawn_local(blocks()).await.expect("no panic"); // site: local
            task::spawn_local(blocks()).await.expect("no panic"); // site: our local
            let ours = runtime.spawn_local(waits());
            let tokio_s = tokio::task::spawn_local(waits());
            assert_eq!(known(runtime.handle()), 2);
            ours.abort();
            tokio_s.abort();
            assert!(ours.await.is_err() && tokio_s.await.is_err());
        });
        drop(runtime);
        let ours = Expected::new(ReportKind::SlowPoll).at(site!("our local"));
        reported(&[slow(site!("local")), ours.says("local task")]);
    });
}

#[test]
fn a_nested_runtime_s_task_is_blamed_and_not_the_one_around() {
    on(OURS, |run| {
        let spawn = |body: fn()| async move {
            // Where it may block, on a thread that is no worker's.
            let outer = tokio::task::spawn_blocking(move || {
                let [inner, _] = both();
                inner.block_on(async move {
                    let nested = tokio::spawn(async move { body() }); // site: nested
                    nested.await.expect("no panic");
                });
            });
            outer.await.expect("no panic");
        };
        run.block_on(async {
            tokio::spawn(spawn(block)).await.expect("no panic");
            tokio::spawn(spawn(|| ())).await.expect("no panic");
        });
        run.expect(&[slow(site!("nested"))]);
    });
}

#[test]
fn a_runtime_within_block_in_place_is_blamed_and_not_the_task_around() {
    on(&OURS[1..], |run| {
        run.block_on(async {
            let outer = tokio::spawn(async {
                tokio::task::block_in_place(|| {
                    let [inner, _] = both();
                    inner.block_on(async {
                        tokio::spawn(blocks()).await.expect("no panic"); // site: in place
                    });
                });
                tokio::task::yield_now().await;
            });
            outer.await.expect("no panic");
        });
        run.expect(&[slow(site!("in place"))]);
    });
}

#[test]
fn tasks_left_at_the_end_are_in_the_summary_with_their_line() {
    child!(|| {
        for runtime in both() {
            runtime.block_on(async {
                for _ in 0..3 {
                    tokio::spawn(waits()); // site: three
                }
                debug_async::spawn!(name = "ours", waits());
                let handle = Handle::current();
                while known(&handle) < 4 {}
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
            drop(runtime);
            let line = site!("three");
            let summary = Expected::new(ReportKind::PendingAtShutdown).level(Level::INFO);
            reported(&[summary
                .says("4 tasks were still pending at shutdown")
                .says("task `ours`")
                .says(&format!("3 × task `unstable.rs:{line}` (oldest"))
                .says(&format!("spawned at tests/unstable.rs:{line}:"))]);
        }
    });
}

#[test]
fn tasks_left_that_were_never_polled_are_in_the_summary() {
    child!(|| {
        let ends: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| {
            runtime.shutdown_timeout(Duration::from_secs(5))
        }];
        for end in ends {
            let [runtime, _] = both();
            let tokio = tokio::runtime::Handle::clone(runtime.handle());
            tokio.spawn(waits()); // site: unpolled
            end(runtime);
            let line = site!("unpolled");
            // Whether it was aborted nobody saw: that is no warning.
            let summary = Expected::new(ReportKind::PendingAtShutdown).level(Level::INFO);
            reported(&[summary
                .says("1 task was still pending at shutdown")
                .says(&format!("task `unstable.rs:{line}` (never polled"))
                .says(&format!("spawned at tests/unstable.rs:{line}:"))]);
        }
    });
}

#[test]
fn what_a_runtime_is_given_that_ends_is_not_kept() {
    child!(|| {
        /// Spawns when it is dropped.
        struct Spawns(tokio::runtime::Handle);

        impl Drop for Spawns {
            fn drop(&mut self) {
                self.0.spawn(waits());
            }
        }

        for runtime in both() {
            let handle = runtime.handle().clone();
            let tokio = tokio::runtime::Handle::clone(&handle);
            let spawns = Spawns(tokio.clone());
            tokio.spawn(async move {
                pending::<()>().await;
                drop(spawns);
            });
            drop(runtime);
            tokio.spawn(waits());
            assert_eq!(known(&handle), 0);
        }
        debug_async::flush();
        drop(take_seen());
    });
}

#[test]
fn healthy_tasks_are_silent_and_leave_nothing() {
    on(IN_BOTH_MODES, |run| {
        let handle = run.handle();
        let in_debug = run.case.debug;
        run.block_on(async {
            // Idle for a while, and joined.
            let idle = tokio::spawn(tokio::time::sleep(Duration::from_millis(300)));
            for _ in 0..10 {
                let short = (0..1000).map(|_| tokio::spawn(tokio::task::yield_now()));
                for task in short.collect::<Vec<_>>() {
                    task.await.expect("no panic");
                }
            }
            // Aborted: polled, and not.
            for polled in [true, false] {
                let waiting = tokio::spawn(waits());
                if polled {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                waiting.abort();
                assert!(waiting.await.is_err());
            }
            let panics = tokio::spawn(async { panic!("on purpose") });
            assert!(panics.await.is_err());
            // Sets.
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..100 {
                set.spawn(tokio::task::yield_now());
                set.spawn_blocking(|| ());
            }
            while set.join_next().await.is_some() {}
            set.spawn(waits());
            set.shutdown().await;
            // Tasks on their thread.
            let local = tokio::task::LocalSet::new();
            let on_thread = local.run_until(async {
                let task = tokio::task::spawn_local(tokio::task::yield_now());
                task.await.expect("no panic");
            });
            on_thread.await;
            local.spawn_local(waits());
            drop(local);
            // Where it may block.
            let blocking = tokio::task::spawn_blocking(|| {
                block();
                let [one, other] = both();
                one.block_on(async { tokio::spawn(async {}).await.expect("no panic") });
                other.block_on(async { tokio::spawn(async {}).await.expect("no panic") });
            });
            blocking.await.expect("no panic");
            if run.case.flavor == Flavor::MultiThread {
                let in_place = async { tokio::task::block_in_place(block) };
                tokio::spawn(in_place).await.expect("no panic");
            }
            idle.await.expect("no panic");
        });
        if in_debug {
            eventually("all are gone", || known(&handle) == 0);
        }
        run.expect(&[]);
    });
}

#[test]
fn a_task_that_was_just_joined_is_not_left() {
    child!(|| {
        for _ in 0..200 {
            for runtime in both() {
                runtime.block_on(async {
                    tokio::spawn(tokio::task::yield_now())
                        .await
                        .expect("no panic");
                });
            }
        }
        reported(&[]);
    });
}

#[test]
fn a_switch_that_is_changed_holds_for_what_is_spawned_then() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.debug(false).build().expect("it can be built");
        runtime.block_on(async {
            let before = tokio::spawn(waits());
            debug_async::set_debug(true);
            let during = tokio::spawn(waits());
            assert_eq!(known(runtime.handle()), 1);
            debug_async::set_debug(false);
            let after = tokio::spawn(waits());
            for task in [before, during, after] {
                task.abort();
                assert!(task.await.is_err());
            }
            debug_async::set_debug(true);
            assert_eq!(known(runtime.handle()), 0);
        });
        drop(runtime);
        reported(&[]);
    });
}

type Log = Arc<Mutex<Vec<String>>>;

/// Sets all callbacks for tasks, on a builder of either sort.
macro_rules! log_tasks {
    ($builder:expr, $log:expr) => {
        let logs = |what: &'static str| {
            let log = Arc::clone($log);
            move |task: &TaskMeta<'_>| {
                let (id, line) = (task.id(), task.spawned_at().line());
                let mut log = log.lock().expect("no panic");
                log.push(format!("{what} {id} {line}"));
            }
        };
        $builder
            .on_task_spawn(logs("spawn"))
            .on_before_task_poll(logs("before"))
            .on_after_task_poll(logs("after"))
            .on_task_terminate(logs("terminate"));
    };
}

/// The same for every runtime: ids are counted from the first that is seen.
fn renumbered(log: &Log) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let log = log.lock().expect("no panic");
    // A blocking closure ends on its own thread, at any time: it is told apart.
    let call = format!(" {}", site!("call"));
    let (calls, tasks): (Vec<_>, Vec<_>) = log.iter().partition(|line| line.ends_with(&call));
    assert!(calls.iter().all(|call| call.starts_with("terminate ")));
    let calls = calls.len();
    let lines = tasks.into_iter().map(|line| {
        let [what, id, line] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let known = ids.iter().position(|known| known == id);
        let number = known.unwrap_or_else(|| {
            ids.push(id.to_owned());
            ids.len() - 1
        });
        format!("{what} {number} {line}")
    });
    lines.chain([format!("{calls} calls")]).collect()
}

async fn load() {
    let nested = async {
        tokio::spawn(tokio::task::yield_now())
            .await
            .expect("no panic");
    };
    tokio::spawn(nested).await.expect("no panic");
    let waiting = tokio::spawn(waits());
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.is_err());
    let panics = tokio::spawn(async { panic!("on purpose") });
    assert!(panics.await.is_err());
    let call = tokio::task::spawn_blocking(|| ()); // site: call
    call.await.expect("no panic");
    let mut set = tokio::task::JoinSet::new();
    set.spawn(tokio::task::yield_now());
    while set.join_next().await.is_some() {}
    tokio::spawn(waits());
}

#[test]
fn the_user_s_callbacks_are_called_as_tokio_calls_them() {
    child!(|| {
        let log = Log::default();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        log_tasks!(builder, &log);
        let runtime = builder.build().expect("it can be built");
        runtime.block_on(load());
        drop(runtime);
        let expected = renumbered(&log);
        assert!(expected.len() > 20, "{expected:#?}");
        assert_eq!(expected.last().map(String::as_str), Some("1 calls"));
        for debug in [true, false] {
            let log = Log::default();
            let mut builder = Builder::new_current_thread();
            log_tasks!(builder, &log);
            let runtime = builder.debug(debug).build().expect("it can be built");
            runtime.block_on(load());
            drop(runtime);
            assert_eq!(renumbered(&log), expected);
        }
        debug_async::flush();
        drop(take_seen());
    });
}

#[test]
fn the_user_s_callbacks_see_wrapped_tasks_with_the_user_s_line() {
    child!(|| {
        let log = Log::default();
        let mut builder = Builder::new_current_thread();
        log_tasks!(builder, &log);
        let runtime = builder.debug(true).build().expect("it can be built");
        runtime.block_on(async {
            debug_async::spawn!(async {}).await.expect("no panic"); // site: seen
        });
        let line = site!("seen");
        let expected = ["spawn", "before", "terminate", "after"];
        let expected = expected.map(|what| format!("{what} 0 {line}"));
        assert_eq!(renumbered(&log)[..4], expected);
        drop(runtime);
        reported(&[]);
    });
}

#[test]
fn a_callback_may_spawn() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        let again = Mutex::new(2);
        builder.debug(true).on_task_spawn(move |_| {
            let mut left = again.lock().expect("no panic");
            if *left > 0 {
                *left -= 1;
                drop(left);
                tokio::spawn(waits());
            }
        });
        let runtime = builder.build().expect("it can be built");
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            // One that is wrapped, and two that are not.
            debug_async::spawn!(waits()).detach();
            assert_eq!(known(&handle), 3);
        });
        drop(runtime);
        debug_async::flush();
        drop(take_seen());
    });
}

#[test]
fn what_a_callback_takes_is_not_the_poll_s_doing() {
    on(OURS, |run| {
        let mut builder = match run.case.flavor {
            Flavor::CurrentThread => Builder::new_current_thread(),
            Flavor::MultiThread => Builder::new_multi_thread(),
        };
        let builder = builder.debug(true).on_before_task_poll(|_| block());
        let runtime = builder.on_after_task_poll(|_| block()).build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async { tokio::spawn(async {}).await.expect("no panic") });
        drop(runtime);
        // They do block the worker.
        let seen = run.finish();
        let blamed: Vec<_> = seen.iter().filter(|seen| seen.line.is_some()).collect();
        assert!(blamed.is_empty(), "{blamed:#?}");
    });
}

#[test]
fn a_panic_of_a_callback_passes() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        builder.debug(true).on_task_spawn(|_| panic!("on purpose"));
        let runtime = builder.build().expect("it can be built");
        let spawns = || runtime.block_on(async { drop(tokio::spawn(async {})) });
        let panic = catch_unwind(AssertUnwindSafe(spawns)).expect_err("it passes");
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        // And what comes after is as before.
        drop(runtime);
        let mut builder = Builder::new_current_thread();
        builder
            .debug(true)
            .on_before_task_poll(|_| panic!("on purpose"));
        let runtime = builder.build().expect("it can be built");
        let polls = || runtime.block_on(async { tokio::spawn(async {}).await });
        let panic = catch_unwind(AssertUnwindSafe(polls)).expect_err("it passes");
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        drop(runtime);
        debug_async::flush();
        drop(take_seen());
        let [runtime, _] = both();
        runtime.block_on(async {
            tokio::spawn(blocks()).await.expect("no panic"); // site: after
        });
        drop(runtime);
        reported(&[slow(site!("after"))]);
    });
}
