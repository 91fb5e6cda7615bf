//! What holds nobody up, or is no poll: the watchdog says nothing of it.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::Builder;
#[cfg(target_os = "linux")]
use support::on_processor;
use support::run::{Case, Flavor, case};
use support::{Expected, Host, Program, check, collect, on, take_seen};
use tokio::task::yield_now;

const CURRENT: Case = case(Host::Ours, Flavor::CurrentThread, true);
const MULTI: Case = case(Host::Ours, Flavor::MultiThread, true);
const OURS: &[Case] = &[CURRENT, MULTI];

const MS: Duration = Duration::from_millis(1);

/// Longer than what makes a poll slow, and what makes it blocked here.
const LONG: Duration = Duration::from_millis(600);

fn quick_to_tell() -> Config {
    Config::new().blocked(300 * MS)
}

fn sleeps() {
    thread::sleep(LONG);
}

fn computes(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box((0..100).fold(0u64, |sum, n| black_box(sum ^ n)));
    }
}

/// As if it were alone on the machine.
#[cfg(target_os = "linux")]
fn computes_on_processor(time: Duration) {
    let before = on_processor();
    while on_processor() < before + time {
        computes(MS / 2);
    }
}

#[test]
fn what_leaves_its_worker_to_another_thread() {
    on(&[MULTI], |run| {
        run.config(quick_to_tell());
        run.block_on(async {
            let task = tokio::spawn(async { tokio::task::block_in_place(sleeps) });
            task.await.expect("no panic");
            let task = debug_async::spawn!(async { tokio::task::block_in_place(sleeps) });
            task.await.expect("no panic");
            let task = debug_async::spawn!(async { debug_async::task::block_in_place(sleeps) });
            task.await.expect("no panic");
            // In the future of `block_on`, tracked by it; and further in.
            tokio::task::block_in_place(sleeps);
            async { tokio::task::block_in_place(sleeps) }
                .tracked()
                .await;
            // What such a closure drives.
            let handle = tokio::runtime::Handle::current();
            let task = tokio::spawn(async move {
                tokio::task::block_in_place(|| handle.block_on(async { sleeps() }));
            });
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn what_leaves_its_worker_to_another_thread_where_no_stack_can_be_taken() {
    let program = Program::new(|| {
        collect();
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.debug(true).config(quick_to_tell()).build();
        runtime.expect("it can be built").block_on(async {
            let task = debug_async::spawn!(async { tokio::task::block_in_place(sleeps) });
            task.await.expect("no panic");
            debug_async::flush();
            let seen = take_seen();
            assert!(seen.is_empty(), "{seen:#?}");
            // What does not is told while it runs.
            let task = debug_async::spawn!(async { sleeps() });
            task.await.expect("no panic");
        });
        debug_async::flush();
        let blocked = Expected::new(ReportKind::Blocked).stack(true);
        check(&take_seen(), &[blocked]).expect("it is told");
    });
    let no_samples = ("ASYNC_DEBUG_SAMPLE_SIGNAL", "off");
    program.run(&[no_samples]).succeeded();
}

#[test]
fn what_runs_where_it_may_block() {
    on(OURS, |run| {
        run.config(quick_to_tell());
        run.block_on(async {
            let each = [
                tokio::task::spawn_blocking(sleeps),
                tokio::task::spawn_blocking(|| {
                    let handle = tokio::runtime::Handle::current();
                    handle.block_on(async { sleeps() }.tracked());
                }),
                tokio::task::spawn_blocking(|| {
                    tokio::runtime::Handle::current().block_on(async { sleeps() });
                }),
                tokio::task::spawn_blocking(|| futures::executor::block_on(async { sleeps() })),
                tokio::task::spawn_blocking(|| computes(LONG)),
            ];
            for task in each {
                task.await.expect("no panic");
            }
            let task = debug_async::task::spawn_blocking(sleeps);
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn ten_thousand_short_polls_on_a_machine_that_is_full() {
    on(OURS, |run| {
        // A tracked poll is timed by the clock, which the load may stop it by.
        run.config(Config::new().slow_poll(400 * MS));
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let loads = (0..cores).map(|_| thread::spawn(|| computes(3_000 * MS)));
        let loads: Vec<_> = loads.collect();
        run.block_on(async {
            let polls = || async {
                for _ in 0..100 {
                    computes(MS / 10);
                    yield_now().await;
                }
            };
            let untracked = (0..50).map(|_| tokio::spawn(polls()));
            let untracked: Vec<_> = untracked.collect();
            let tracked = (0..50).map(|_| debug_async::spawn!(polls().tracked()));
            for task in tracked.collect::<Vec<_>>() {
                task.await.expect("no panic");
            }
            for task in untracked {
                task.await.expect("no panic");
            }
        });
        for load in loads {
            load.join().expect("no panic");
        }
        run.expect(&[]);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn polls_that_get_no_processor() {
    on(OURS, |run| {
        run.config(Config::new().slow_poll(300 * MS));
        let cores = thread::available_parallelism().map_or(2, usize::from);
        // The watchdog is there.
        run.block_on(async { tokio::time::sleep(500 * MS).await });
        // Each poll waits for several times as long as it computes.
        let loads = (0..cores * 8).map(|_| thread::spawn(|| computes(5_000 * MS)));
        let loads: Vec<_> = loads.collect();
        run.block_on(async {
            let polls = || async {
                for _ in 0..3 {
                    computes_on_processor(80 * MS);
                    yield_now().await;
                }
            };
            let tracked = debug_async::spawn!(polls().tracked());
            tokio::spawn(polls()).await.expect("no panic");
            tracked.await.expect("no panic");
        });
        for load in loads {
            load.join().expect("no panic");
        }
        run.expect(&[]);
    });
}

#[test]
fn one_task_alone_that_lets_others_have_their_turn() {
    on(OURS, |run| {
        run.block_on(async {
            let task = tokio::spawn(async {
                let start = Instant::now();
                while start.elapsed() < 2_000 * MS {
                    computes(2 * MS);
                    yield_now().await;
                }
                // Not for long enough, one after the other.
                while start.elapsed() < 4_000 * MS {
                    thread::sleep(60 * MS);
                    yield_now().await;
                }
            });
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn what_does_nothing() {
    on(OURS, |run| {
        run.block_on(async {
            tokio::time::sleep(1_500 * MS).await;
        });
        // Nobody drives it.
        thread::sleep(1_500 * MS);
        run.block_on(async {
            tokio::spawn(async {}).await.expect("no panic");
        });
        computes(1_500 * MS);
        run.expect(&[]);
    });
}

#[test]
fn a_runtime_of_tokio_s_that_nobody_drives() {
    let program = Program::new(|| {
        collect();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("it can be built");
        runtime.block_on(async {
            debug_async::watch(&tokio::runtime::Handle::current());
            tokio::spawn(async {}).await.expect("no panic");
        });
        thread::sleep(1_500 * MS);
        runtime.block_on(async {
            tokio::spawn(async {}).await.expect("no panic");
        });
        computes(1_500 * MS);
        drop(runtime);
        debug_async::flush();
        let seen = take_seen();
        assert!(seen.is_empty(), "{seen:#?}");
    });
    program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
}

#[test]
fn what_is_allowed_to_take_its_time() {
    on(OURS, |run| {
        run.config(quick_to_tell());
        run.block_on(async {
            let minute = Duration::from_secs(60);
            let blocks = || async { sleeps() };
            blocks().tracked().slow_ok(minute).await;
            let task = debug_async::spawn!(blocks().tracked().slow_ok(minute));
            task.await.expect("no panic");
            let task = tokio::spawn(blocks().tracked().slow_ok(minute));
            task.await.expect("no panic");
            // Nor are those around it to blame.
            let outer = async move { blocks().tracked().slow_ok(minute).await };
            tokio::spawn(outer.tracked()).await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn what_goes_on_after_something_that_may_take_its_time() {
    on(OURS, |run| {
        run.config(Config::new().slow_poll(300 * MS).blocked(300 * MS));
        run.block_on(async {
            let sleeps = |time| async move { thread::sleep(time) };
            let allowed = move |time| sleeps(time).tracked().slow_ok(Duration::from_secs(60));
            let once = async move {
                allowed(400 * MS).await;
                thread::sleep(120 * MS);
            };
            let task = debug_async::spawn!(once.tracked());
            task.await.expect("no panic");
            // A little again and again, at any depth.
            let often = async move {
                for _ in 0..40 {
                    allowed(9 * MS).await;
                    thread::sleep(MS);
                    allowed(9 * MS).tracked().await;
                    thread::sleep(MS);
                }
            };
            let task = debug_async::spawn!(often.tracked());
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn what_goes_on_after_it_has_left_its_worker() {
    on(&[MULTI], |run| {
        run.config(Config::new().slow_poll(300 * MS).blocked(500 * MS));
        run.block_on(async {
            let task = debug_async::spawn!(async {
                debug_async::task::block_in_place(|| thread::sleep(400 * MS));
                thread::sleep(200 * MS);
            });
            task.await.expect("no panic");
            let task = debug_async::spawn!(async {
                tokio::task::block_in_place(|| thread::sleep(400 * MS));
                thread::sleep(200 * MS);
            });
            task.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

#[test]
fn what_is_not_in_debug_mode() {
    let program = Program::new(|| {
        collect();
        let debug = Builder::new_multi_thread().debug(true).build();
        let debug = debug.expect("it can be built");
        for flavor in [Builder::new_current_thread, Builder::new_multi_thread] {
            let runtime = flavor().debug(false).slow_poll(100 * MS).build();
            let runtime = runtime.expect("it can be built");
            runtime.block_on(async {
                tokio::spawn(async { sleeps() }).await.expect("no panic");
                let task = debug_async::spawn!(async { sleeps() }.tracked());
                task.await.expect("no panic");
            });
        }
        // It was in it before.
        debug.block_on(async {
            debug_async::set_debug(false);
            tokio::spawn(async { sleeps() }).await.expect("no panic");
        });
        drop(debug);
        debug_async::flush();
        let seen = take_seen();
        assert!(seen.is_empty(), "{seen:#?}");
    });
    program.run(&[]).succeeded();
}

#[cfg(unix)]
#[test]
fn a_process_that_was_stopped() {
    on(OURS, |run| {
        run.config(quick_to_tell().slow_poll(200 * MS));
        let pid = std::process::id();
        let stop = format!("sleep 0.5; kill -STOP {pid}; sleep 1.5; kill -CONT {pid}");
        let stop = std::process::Command::new("sh").args(["-c", &stop]).spawn();
        run.block_on(async {
            let polls = || async {
                let start = Instant::now();
                while start.elapsed() < 3_000 * MS {
                    computes(10 * MS);
                    thread::sleep(20 * MS);
                    yield_now().await;
                }
            };
            let tracked = debug_async::spawn!(polls().tracked());
            tokio::spawn(polls()).await.expect("no panic");
            tracked.await.expect("no panic");
        });
        let stopped = stop.expect("there is a shell").wait();
        assert!(stopped.expect("it is our child").success());
        run.expect(&[]);
    });
}

#[test]
fn the_printing_of_a_panic() {
    let program = Program::new(|| {
        std::panic::set_hook(Box::new(|_| thread::sleep(300 * MS)));
        collect();
        // While it is printed, only the stack shows that it is.
        let config = match support::child::case().as_str() {
            "sampled" => Config::new().blocked(200 * MS),
            _ => Config::new(),
        };
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let runtime = builder.debug(true).config(config.clone()).build();
            runtime.expect("it can be built").block_on(async {
                let panics = || async {
                    if black_box(true) {
                        panic!("as it should");
                    }
                };
                let task = tokio::spawn(panics());
                task.await.expect_err("it panicked");
                let task = debug_async::spawn!(panics());
                task.await.expect_err("it panicked");
                let task = debug_async::spawn!(async move { panics().tracked().await });
                task.await.expect_err("it panicked");
            });
        }
        debug_async::flush();
        check(&take_seen(), &[]).unwrap_or_else(|wrong| {
            // The hook prints nothing.
            eprintln!("{wrong}");
            std::process::exit(1);
        });
    });
    let no_samples = ("ASYNC_DEBUG_SAMPLE_SIGNAL", "off");
    program.run_case("not sampled", &[no_samples]).succeeded();
    if cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        program.run_case("sampled", &[]).succeeded();
    }
}
