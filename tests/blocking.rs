//! Blocking closures: how long they wait for a thread, and how long they run.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::sync::{RwLock, RwLockWriteGuard, mpsc};
use std::time::Duration;

use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use debug_async::task;
use support::{Expected, child, reported, silent, site, take_seen};

/// A runtime of each sort, whose pool has so many threads.
fn runtimes(pool: usize) -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
        builder.enable_all().worker_threads(2).debug(true);
        builder.max_blocking_threads(pool);
        builder.build().expect("it can be built")
    })
}

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(400);

fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

fn full() -> Expected {
    Expected::new(ReportKind::BlockingPoolFull)
}

/// What closures wait for, by `read`, till it is dropped.
fn held() -> (RwLockWriteGuard<'static, ()>, &'static RwLock<()>) {
    let lock: &'static RwLock<()> = Box::leak(Box::default());
    (lock.write().expect("it is new"), lock)
}

#[test]
fn many_short_closures_in_a_pool_that_has_room() {
    silent(async || {
        for _ in 0..20 {
            let calls: Vec<_> = (0..16)
                .map(|_| task::spawn_blocking(|| sleep(SHORT)))
                .collect();
            for call in calls {
                call.await.expect("no panic");
            }
        }
    });
}

#[test]
fn long_closures_in_a_pool_that_has_room() {
    silent(async || {
        let calls: Vec<_> = (0..16)
            .map(|_| task::spawn_blocking(|| sleep(LONG)))
            .collect();
        for call in calls {
            call.await.expect("no panic");
        }
    });
}

#[test]
fn quick_closures_on_one_thread() {
    child!(|| {
        for runtime in runtimes(1) {
            runtime.block_on(async {
                let calls: Vec<_> = (0..20).map(|_| task::spawn_blocking(|| ())).collect();
                for call in calls {
                    call.await.expect("no panic");
                }
            });
        }
        reported(&[]);
    });
}

#[test]
fn a_long_closure_after_the_other_on_one_thread() {
    child!(|| {
        for runtime in runtimes(1) {
            runtime.block_on(async {
                for _ in 0..3 {
                    task::spawn_blocking(|| sleep(LONG))
                        .await
                        .expect("no panic");
                    // Nor is the time that the thread is idle a wait.
                    tokio::time::sleep(LONG).await;
                }
            });
        }
        reported(&[]);
    });
}

#[test]
fn a_closure_that_waits_for_its_thread_to_start() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        builder.debug(true).max_blocking_threads(1);
        let runtime = builder.on_thread_start(|| sleep(LONG)).build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            let calls: Vec<_> = (0..3).map(|_| task::spawn_blocking(|| ())).collect();
            for call in calls {
                call.await.expect("no panic");
            }
        });
        drop(runtime);
        reported(&[]);
    });
}

#[test]
fn closures_that_are_dropped_before_they_run() {
    child!(|| {
        for runtime in runtimes(1) {
            let (go, wait) = mpsc::channel::<()>();
            let first = runtime.spawn_blocking(move || wait.recv());
            for _ in 0..3 {
                runtime.spawn_blocking(|| ()).abort();
            }
            sleep(LONG);
            drop(go);
            runtime.block_on(async { drop(first.await) });
            drop(runtime);
        }
        reported(&[]);
    });
}

#[test]
fn production_says_nothing() {
    child!(|| {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.debug(false).max_blocking_threads(1).build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            let (one, two) = (
                task::spawn_blocking(|| sleep(LONG)),
                task::spawn_blocking(|| ()),
            );
            one.await.expect("no panic");
            two.await.expect("no panic");
        });
        drop(runtime);
        reported(&[]);
    });
}

#[test]
fn a_closure_behind_another() {
    child!(|| {
        for (n, runtime) in runtimes(1).into_iter().enumerate() {
            runtime.block_on(async {
                let one = task::spawn_blocking(|| sleep(LONG)); // site: first
                // One line, one site: the second finding of it would be held back.
                let two = if n == 0 {
                    task::spawn_blocking(|| ()) // site: behind
                } else {
                    task::spawn_blocking(|| ()) // site: behind again
                };
                one.await.expect("no panic");
                two.await.expect("no panic");
            });
        }
        let before = format!("tests/blocking.rs:{}:", site!("first"));
        let behind = |line| {
            full()
                .at(line)
                .says("waited ")
                .says("its thread ran blocking task `closure in blocking::a_closure_behind")
                .says(&before)
                .stack(true)
        };
        reported(&[behind(site!("behind")), behind(site!("behind again"))]);
    });
}

#[test]
fn every_way_to_give_it_to_the_pool() {
    child!(|| {
        let [runtime, _] = runtimes(1);
        let local = Builder::new_current_thread()
            .debug(true)
            .max_blocking_threads(1)
            .build_local(Default::default())
            .expect("it can be built");
        local.block_on(async {
            drop(local.spawn_blocking(|| sleep(LONG)));
            let behind = local.spawn_blocking(|| ()); // site: local
            behind.await.expect("no panic");
        });
        runtime.block_on(async {
            let mut set = task::JoinSet::new();
            set.spawn_blocking(|| sleep(LONG));
            set.spawn_blocking(|| ()); // site: set
            while set.join_next().await.is_some() {}
            drop(runtime.spawn_blocking(|| sleep(LONG)));
            let behind = runtime.handle().spawn_blocking(|| ()); // site: handle
            behind.await.expect("no panic");
            drop(task::spawn_blocking(|| sleep(LONG)));
            let behind = task::spawn_blocking(|| ()); // site: task
            behind.await.expect("no panic");
        });
        drop((runtime, local));
        let sites = [site!("local"), site!("set"), site!("handle"), site!("task")];
        reported(&sites.map(|line| full().at(line)));
    });
}

#[test]
fn who_else_runs_is_told_by_site() {
    child!(|| {
        let [_, runtime] = runtimes(4);
        let (end, ended) = held();
        let mut calls: Vec<_> = (0..3)
            // site: three
            .map(|_| runtime.spawn_blocking(|| drop(ended.read())))
            .collect();
        calls.push(runtime.spawn_blocking(|| sleep(LONG)));
        let last = runtime.spawn_blocking(|| ()); // site: last
        runtime.block_on(async {
            last.await.expect("no panic");
            drop(end);
            for call in calls {
                call.await.expect("no panic");
            }
        });
        drop(runtime);
        let three = format!("tests/blocking.rs:{}:", site!("three"));
        let last = full().at(site!("last")).says("3 more are running: 3 × ");
        reported(&[last.says(&three).says("(for up to ")]);
    });
}

#[test]
fn a_thread_that_was_taken_by_what_is_not_tracked() {
    child!(|| {
        let [runtime, _] = runtimes(1);
        runtime.block_on(async {
            // The thread is there.
            task::spawn_blocking(|| ()).await.expect("no panic");
            let unseen = tokio::task::spawn_blocking(|| sleep(LONG));
            task::spawn_blocking(|| ()).await.expect("no panic"); // site: behind unseen
            unseen.await.expect("no panic");
        });
        drop(runtime);
        let behind = full().at(site!("behind unseen"));
        reported(&[behind.says("its thread ran what is not tracked")]);
    });
}

#[test]
fn in_a_runtime_of_tokio() {
    child!(|| {
        debug_async::set_debug(true);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(1).build();
        runtime.expect("it can be built").block_on(async {
            let one = task::spawn_blocking(|| sleep(LONG));
            let two = task::spawn_blocking(|| ()); // site: tokio's
            one.await.expect("no panic");
            two.await.expect("no panic");
        });
        reported(&[full()
            .at(site!("tokio's"))
            .says("its thread ran blocking task")]);
    });
}

#[test]
fn repeats_are_held_back() {
    child!(|| {
        let [runtime, _] = runtimes(1);
        runtime.block_on(async {
            let one = task::spawn_blocking(|| sleep(LONG));
            let rest: Vec<_> = (0..12)
                .map(|_| task::spawn_blocking(|| ())) // site: twelve
                .collect();
            one.await.expect("no panic");
            for call in rest {
                call.await.expect("no panic");
            }
        });
        drop(runtime);
        debug_async::flush();
        let seen = take_seen();
        assert!((1..=2).contains(&seen.len()), "{seen:#?}");
        assert!(seen.iter().all(|seen| seen.line == Some(site!("twelve"))));
    });
}

#[test]
fn a_closure_that_fails_says_how_long_it_ran() {
    child!(|| {
        let runtime = runtimes(4).into_iter().next().expect("there are two");
        runtime.block_on(async {
            let failed = task::spawn_blocking(|| {
                sleep(LONG);
                Err::<(), _>("lost")
            });
            while !failed.is_finished() {
                tokio::time::sleep(SHORT).await;
            }
            drop(failed);
            let panicked = task::spawn_blocking(|| {
                sleep(LONG);
                panic!("lost too");
            });
            while !panicked.is_finished() {
                tokio::time::sleep(SHORT).await;
            }
            drop(panicked);
        });
        drop(runtime);
        debug_async::flush();
        let seen = take_seen();
        assert_eq!(seen.len(), 2, "{seen:#?}");
        for seen in seen {
            assert_eq!(seen.polls, Some(1), "{seen:#?}");
            assert!(seen.busy >= Some(LONG), "{seen:#?}");
            assert!(seen.busy <= seen.age, "{seen:#?}");
        }
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show those tasks: tests/unstable.rs"
)]
fn closures_do_not_stand_in_for_tasks_that_are_not_tracked() {
    child!(|| {
        let [runtime, _] = runtimes(16);
        let (end, ended) = held();
        runtime.block_on(async {
            let calls: Vec<_> = (0..16)
                .map(|_| task::spawn_blocking(|| drop(ended.read())))
                .collect();
            for _ in 0..16 {
                tokio::spawn(std::future::pending::<()>());
            }
            let said = |seen: &[support::Seen]| !seen.is_empty();
            let wait = std::thread::spawn(move || support::wait_until("it", said));
            while !wait.is_finished() {
                tokio::time::sleep(SHORT).await;
            }
            drop(end);
            for call in calls {
                call.await.expect("no panic");
            }
        });
        let share = Expected::new(ReportKind::UntrackedTasks);
        reported(&[share.says("16 of 16 tasks")]);
    });
}
