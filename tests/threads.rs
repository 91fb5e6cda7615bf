//! Futures handed to a runtime from other threads, and runtimes that are gone.

// The mistakes are what is tested.
#![allow(clippy::let_underscore_future)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use debug_async::report::ReportKind;
use debug_async::runtime::{Handle, RemoteError, RemoteHandle, Runtime, run_threadsafe};
use debug_async::task::{self, JoinSet};
use support::{Expected, Host, Program, Run, everywhere, site};

const LONG: Duration = Duration::from_secs(20);

/// Runs `body` on a thread of its own, while the runtime runs.
fn on_a_thread<T: Send>(run: &Run, body: impl FnOnce(&Handle) -> T + Send) -> T {
    let handle = run.handle();
    let done = tokio::sync::Notify::new();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            struct Tell<'a>(&'a tokio::sync::Notify);
            impl Drop for Tell<'_> {
                fn drop(&mut self) {
                    self.0.notify_one();
                }
            }
            let _tell = Tell(&done);
            body(&handle)
        });
        run.block_on(done.notified());
        match thread.join() {
            Ok(result) => result,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    })
}

async fn answers() -> u32 {
    tokio::time::sleep(Duration::from_millis(5)).await;
    42
}

async fn fails() -> Result<u32, String> {
    tokio::task::yield_now().await;
    Err("lost".to_owned())
}

#[test]
fn a_result_on_another_thread() {
    everywhere(|run| {
        on_a_thread(run, |handle| {
            let mut remote = run_threadsafe(handle, answers());
            assert_eq!(remote.result().expect("an output"), 42);
            assert!(remote.is_finished());
            assert!(matches!(remote.result(), Err(RemoteError::Taken)));
            // An error that somebody has looked at is not lost.
            let result = run_threadsafe(handle, fails()).result_timeout(LONG);
            assert_eq!(result.expect("an output"), Err("lost".to_owned()));
        });
        run.expect(&[]);
    });
}

#[test]
fn a_future_in_another_runtime() {
    everywhere(|run| {
        on_a_thread(run, |handle| {
            let other = tokio::runtime::Builder::new_current_thread().build();
            let remote = run_threadsafe(handle, answers());
            let answer = other.expect("a runtime").block_on(remote);
            assert_eq!(answer.expect("an output"), 42);
        });
        run.expect(&[]);
    });
}

#[test]
fn a_timeout_and_then_a_cancellation() {
    everywhere(|run| {
        on_a_thread(run, |handle| {
            let mut remote = run_threadsafe(handle, pending::<u32>());
            for timeout in [Duration::ZERO, Duration::from_millis(10)] {
                let result = remote.result_timeout(timeout);
                assert!(matches!(result, Err(RemoteError::Timeout)), "{result:?}");
            }
            assert!(!remote.is_finished());
            assert!(remote.cancel());
            let result = remote.result_timeout(Duration::MAX);
            assert!(matches!(result, Err(RemoteError::Cancelled)), "{result:?}");
            assert!(!remote.cancel(), "it has ended");
        });
        run.expect(&[]);
    });
}

#[test]
fn a_panic_is_given_to_who_waits() {
    everywhere(|run| {
        on_a_thread(run, |handle| {
            let panics = async { panic!("boom") };
            let result: Result<(), _> = run_threadsafe(handle, panics).result();
            let Err(RemoteError::Panicked(panic)) = result else {
                panic!("{result:?}")
            };
            assert!(panic.to_string().contains("boom"), "{panic}");
            assert_eq!(panic.into_payload().downcast_ref(), Some(&"boom"));
        });
        run.expect(&[]);
    });
}

#[test]
fn what_is_lost_is_reported_with_the_line_of_the_call() {
    everywhere(|run| {
        on_a_thread(run, |handle| {
            let remote = run_threadsafe(handle, fails()); // site: lost
            while !remote.is_finished() {
                std::thread::yield_now();
            }
            drop(remote);
            let ended = &*Box::leak(Box::<AtomicBool>::default());
            let unwanted = async move {
                let result = fails().await;
                ended.store(true, SeqCst);
                result
            };
            run_threadsafe(handle, unwanted).detach();
            while !ended.load(SeqCst) {
                std::thread::yield_now();
            }
        });
        let lost = Expected::new(ReportKind::UnretrievedError).at(site!("lost"));
        run.expect(&[lost.named("threads::fails")]);
    });
}

#[test]
fn a_runtime_that_ends_first() {
    everywhere(|run| {
        let handle = run.handle();
        let begun: &'static AtomicBool = Box::leak(Box::default());
        let mut remote = run_threadsafe(&handle, async {
            begun.store(true, SeqCst);
            pending::<u32>().await
        });
        run.block_on(async {
            while !begun.load(SeqCst) {
                tokio::task::yield_now().await;
            }
        });
        let waits = std::thread::spawn(move || remote.result());
        run.restart();
        let result = waits.join().expect("no panic");
        assert!(matches!(result, Err(RemoteError::ShutDown)), "{result:?}");
        let result = run_threadsafe(&handle, answers()).result();
        assert!(matches!(result, Err(RemoteError::ShutDown)), "{result:?}");
        // Its own summary says that it left one.
        let left = run.finish();
        let left: Vec<ReportKind> = left.iter().map(|seen| seen.kind).collect();
        let ours = run.case.host == Host::Ours;
        assert_eq!(left, vec![ReportKind::PendingAtShutdown; usize::from(ours)]);
    });
}

// ----- where waiting is no good ----------------------------------------------------

fn would_deadlock(handle: &Handle) -> bool {
    let mut remote: RemoteHandle<()> = run_threadsafe(handle, pending());
    let results = [
        remote.result_timeout(Duration::ZERO),
        remote.result_timeout(LONG / 100),
    ];
    remote.cancel();
    match results {
        [
            Err(RemoteError::WouldDeadlock),
            Err(RemoteError::WouldDeadlock),
        ] => true,
        [Err(RemoteError::Timeout), Err(RemoteError::Timeout)] => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn in_a_poll_it_is_an_error() {
    everywhere(|run| {
        let handle = run.handle();
        run.block_on(async {
            assert!(would_deadlock(&handle), "the future of a `block_on`");
            let there = handle.clone();
            let in_task = task::spawn(async move { would_deadlock(&there) });
            assert!(in_task.await.expect("no panic"), "a task");
            let there = handle.clone();
            let free = tokio::task::unconstrained(async move { would_deadlock(&there) });
            assert!(
                task::spawn(free).await.expect("no panic"),
                "one without a budget"
            );
            let there = handle.clone();
            let set = task::LocalSet::new();
            let local = set.run_until(async move {
                task::spawn_local(async move { would_deadlock(&there) }).await
            });
            assert!(local.await.expect("no panic"), "a local task");

            // What has ended has its output, with or without a budget.
            while task::coop::has_budget_remaining() {
                task::coop::poll_proceed(&mut std::task::Context::from_waker(
                    std::task::Waker::noop(),
                ))
                .map(|unit| unit.made_progress())
                .is_ready();
            }
            let mut ended = run_threadsafe(&handle, answers());
            while !ended.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(ended.result().expect("an output"), 42);
        });
        run.expect(&[]);
    });
}

#[test]
fn the_task_runs_on_and_can_be_awaited() {
    everywhere(|run| {
        let handle = run.handle();
        run.block_on(async {
            let mut remote = run_threadsafe(&handle, answers());
            let refused = remote.result();
            assert!(
                matches!(refused, Err(RemoteError::WouldDeadlock)),
                "{refused:?}"
            );
            assert_eq!(remote.await.expect("an output"), 42);
        });
        run.expect(&[]);
    });
}

#[test]
fn the_budget_is_given_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let handle = Handle::from(runtime.handle().clone());
    let left = |ask: bool| {
        runtime.block_on(async {
            if ask {
                assert!(would_deadlock(&handle));
            }
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let take = |_: &u32| {
                let unit = task::coop::poll_proceed(&mut context);
                unit.map(|unit| unit.made_progress()).is_ready()
            };
            (0..1000).take_while(take).count()
        })
    };
    assert_eq!(left(true), left(false));
    assert!(left(false) > 0);
}

#[test]
fn where_blocking_is_in_order_it_waits() {
    everywhere(|run| {
        let handle = run.handle();
        let _entered = handle.enter();
        assert!(
            !would_deadlock(&handle),
            "a thread in the context of a runtime"
        );
        run.block_on(async {
            let there = handle.clone();
            let blocking = task::spawn_blocking(move || would_deadlock(&there));
            assert!(!blocking.await.expect("no panic"), "a thread to be blocked");
            if handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread {
                return;
            }
            assert!(
                !task::block_in_place(|| would_deadlock(&handle)),
                "in place"
            );
            let there = handle.clone();
            let worker =
                task::spawn(async move { task::block_in_place(|| would_deadlock(&there)) });
            assert!(!worker.await.expect("no panic"), "in place, on a worker");
        });
        run.expect(&[]);
    });
}

// ----- a runtime that is gone ------------------------------------------------------

fn refused() -> Expected {
    let refused = Expected::new(ReportKind::NeverPolled);
    refused.says("its runtime had shut down when it was spawned")
}

#[test]
fn a_task_for_a_runtime_that_is_gone() {
    everywhere(|run| {
        let handle = run.handle();
        run.block_on(async {});
        run.restart();
        handle.spawn(answers()); // site: gone
        handle.spawn_blocking(|| ()); // site: gone call
        let mut set = JoinSet::new();
        set.spawn_on(answers(), &handle); // site: gone set
        set.detach_all();
        let kept = run_threadsafe(&handle, answers()); // site: gone remote
        let mut expected = vec![
            refused()
                .at(site!("gone"))
                .named("threads::answers")
                .says("never polled"),
            refused().at(site!("gone call")).says("never run"),
            refused().at(site!("gone set")).named("threads::answers"),
            refused().at(site!("gone remote")).named("threads::answers"),
        ];
        // By a thread that is still in it.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _entered = handle.enter();
                debug_async::spawn!(answers()); // site: gone here
                let mut set = JoinSet::new();
                set.spawn(answers()); // site: gone here set
                set.detach_all();
                task::spawn_blocking(|| ()); // site: gone here call
            });
        });
        expected.push(refused().at(site!("gone here")));
        expected.push(refused().at(site!("gone here set")));
        expected.push(refused().at(site!("gone here call")).says("never run"));
        run.expect(&expected);
        drop(kept);
    });
}

/// Its workers may take what they only drop.
#[test]
fn a_runtime_that_shuts_down_in_the_background() {
    let program = Program::new(|| {
        support::collect();
        let runtime = Runtime::new().expect("a runtime");
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        handle.spawn(answers()); // site: background
        debug_async::flush();
        let expected = refused().at(site!("background"));
        if let Err(wrong) = support::check(&support::take_seen(), &[expected]) {
            panic!("{wrong}");
        }
    });
    for mode in ["0", "1"] {
        for _ in 0..10 {
            program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        }
    }
}

#[test]
fn one_that_somebody_looks_at_or_does_not_want() {
    everywhere(|run| {
        let handle = run.handle();
        run.block_on(async {});
        run.restart();
        handle.spawn(answers()).detach();
        handle.spawn(answers()).abort();
        let awaited = handle.spawn(answers());
        let mut set = JoinSet::new();
        set.spawn_on(answers(), &handle);
        run.block_on(async {
            assert!(awaited.await.unwrap_err().is_cancelled());
            assert!(
                set.join_next()
                    .await
                    .expect("one")
                    .unwrap_err()
                    .is_cancelled()
            );
        });
        run.expect(&[]);
    });
}

/// A clean-up that is spawned from a drop, when there is nobody left to do it.
#[test]
fn what_is_spawned_while_the_runtime_ends() {
    struct Lock(Handle);
    impl Drop for Lock {
        fn drop(&mut self) {
            debug_async::spawn(async {});
            self.0.spawn(async {});
        }
    }
    everywhere(|run| {
        let handle = run.handle();
        run.block_on(async {
            let lock = Lock(handle.clone());
            let begun = std::sync::Arc::new(tokio::sync::Notify::new());
            let there = std::sync::Arc::clone(&begun);
            debug_async::spawn(async move {
                there.notify_one();
                pending::<()>().await;
                drop(lock);
            })
            .detach();
            begun.notified().await;
        });
        drop(handle);
        let seen = run.finish();
        let polled = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::NeverPolled);
        assert_eq!(polled.count(), 0, "{seen:#?}");
    });
}

/// A task that is done before its handle is looked at was taken.
#[test]
fn a_task_that_ends_at_once() {
    everywhere(|run| {
        let handle = run.handle();
        on_a_thread(run, |_| {
            for _ in 0..1000 {
                handle.spawn(async {});
                drop(run_threadsafe(&handle, async {}));
            }
        });
        // On one thread some were not come to.
        let seen = run.finish();
        let text = |seen: &&support::Seen| seen.message.contains("had shut down");
        assert_eq!(seen.iter().filter(text).count(), 0, "{seen:#?}");
    });
}

// ----- calls that block, in a task -------------------------------------------------

#[test]
fn tokio_s_panics_are_reported_with_the_line_of_the_call() {
    everywhere(|run| {
        run.block_on(async {
            let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(1);
            let handle = tokio::runtime::Handle::current();
            debug_async::spawn(async move {
                tokio::task::yield_now().await;
                let _ = sender.blocking_send(1); // site: blocking send
            });
            debug_async::spawn(async move {
                tokio::task::yield_now().await;
                let _ = receiver.blocking_recv(); // site: blocking recv
            });
            debug_async::spawn(async move {
                tokio::task::yield_now().await;
                handle.block_on(async {}); // site: block on
            });
            let metrics = tokio::runtime::Handle::current().metrics();
            while metrics.num_alive_tasks() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let panic = |line: u32| {
            let place = format!("tests/threads.rs:{line}:");
            Expected::new(ReportKind::UnretrievedPanic).says(&place)
        };
        run.expect(&[
            panic(site!("blocking send")).says("Cannot block the current thread"),
            panic(site!("blocking recv")).says("Cannot block the current thread"),
            panic(site!("block on")).says("Cannot start a runtime from within a runtime"),
        ]);
    });
}

#[test]
fn a_runtime_that_is_dropped_in_a_poll() {
    // tokio panics, and whoever waits is told.
    let program = Program::new(|| {
        let runtime = Runtime::new().expect("a runtime");
        let handle = runtime.handle().clone();
        let outer = tokio::runtime::Runtime::new().expect("a runtime");
        let dropped = std::panic::AssertUnwindSafe(|| outer.block_on(async { drop(runtime) }));
        assert!(std::panic::catch_unwind(dropped).is_err());
        let result = run_threadsafe(&handle, pending::<()>()).result();
        assert!(matches!(result, Err(RemoteError::ShutDown)), "{result:?}");
    });
    program.run(&[]).succeeded();
}
