//! Lost errors and panics: one report each, by the function and the line.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::fmt;
use std::future::pending;
use std::time::Duration;

use debug_async::config::Config;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet, LocalSet};
use support::run::{Case, Flavor, case};
use support::{Expected, Host, Program, Run, collect, everywhere, site, take_seen, wait_until};

#[derive(Debug)]
struct Lost(#[allow(dead_code)] u32);

/// An error that nobody can print.
struct Silent;

async fn fails() -> Result<(), Lost> {
    tokio::task::yield_now().await;
    Err(Lost(7))
}

async fn panics() {
    tokio::task::yield_now().await;
    panic!("boom {}", 1); // site: boom
}

fn error() -> Expected {
    Expected::new(ReportKind::UnretrievedError)
}

fn panic() -> Expected {
    Expected::new(ReportKind::UnretrievedPanic).error("boom 1")
}

/// Waits, on the runtime, until there are no tasks.
async fn all_ended() {
    let handle = tokio::runtime::Handle::current();
    let ended = async {
        while handle.metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, ended).await.expect("they end");
}

#[test]
fn an_error_lost_by_the_macro() {
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn!(fails()); // site: macro error
            all_ended().await;
        });
        let error = error().at(site!("macro error")).named("spawn::fails");
        run.expect(&[error.error("Lost(7)").stack(run.case.debug)]);
    });
}

#[test]
fn an_error_lost_by_the_function() {
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn(fails()); // site: function error
            all_ended().await;
        });
        let error = error().at(site!("function error")).named("spawn::fails");
        run.expect(&[error.no_error().says("`spawn::Lost`").stack(run.case.debug)]);
    });
}

#[test]
fn an_error_whose_handle_is_dropped_after_its_end() {
    everywhere(|run| {
        run.block_on(async {
            let kept = debug_async::spawn!(fails()); // site: kept
            let plain = debug_async::spawn(fails()); // site: kept plain
            all_ended().await;
            drop((kept, plain));
        });
        let kept = error().at(site!("kept")).error("Lost(7)");
        run.expect(&[kept, error().at(site!("kept plain")).says("`spawn::Lost`")]);
    });
}

#[test]
fn a_named_task() {
    everywhere(|run| {
        run.block_on(async {
            let shard = 3;
            debug_async::spawn!(name = format!("shard {shard}"), fails()); // site: named
            all_ended().await;
        });
        let error = error().at(site!("named")).named("shard 3");
        run.expect(&[error.task_named("shard 3").error("Lost(7)")]);
    });
}

#[test]
fn an_error_that_cannot_be_printed_and_no_result_at_all() {
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn!(async { Err::<(), Silent>(Silent) }); // site: unprintable
            debug_async::spawn!(async { Some(1) });
            debug_async::spawn(async { Ok::<(), Silent>(()) });
            all_ended().await;
        });
        run.expect(&[error()
            .at(site!("unprintable"))
            .no_error()
            .says("`spawn::Silent`")]);
    });
}

#[test]
fn a_task_that_does_not_return() {
    everywhere(|run| {
        run.block_on(async {
            let ticks = debug_async::spawn!(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
            debug_async::spawn!(async { panic!("boom {}", 1) }); // site: not_returning
            ticks.abort();
            all_ended().await;
        });
        run.expect(&[panic().at(site!("not_returning"))]);
    });
}

#[test]
fn an_error_of_any_result_is_told_from_ok() {
    everywhere(|run| {
        run.block_on(async {
            let other = || std::io::Error::from(std::io::ErrorKind::Other);
            debug_async::spawn(async move { std::io::Result::<()>::Err(other()) }); // site: io
            debug_async::spawn(async { Err::<Box<u8>, Box<u8>>(Box::new(1)) }); // site: boxes
            debug_async::spawn(async { Err::<std::convert::Infallible, u8>(1) }); // site: infallible
            debug_async::spawn(async { Ok::<u8, std::convert::Infallible>(1) });
            debug_async::spawn(async { Ok::<Box<u8>, ()>(Box::new(1)) });
            debug_async::spawn(async { Ok::<Option<bool>, Option<bool>>(None) });
            all_ended().await;
        });
        run.expect(&[
            error().at(site!("io")).says("Error"),
            error().at(site!("boxes")).says("`u8`"),
            error().at(site!("infallible")).says("`u8`"),
        ]);
    });
}

#[test]
fn a_debug_that_panics_is_survived() {
    struct Bad;
    impl fmt::Debug for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in Debug")
        }
    }
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn!(async { Err::<(), Bad>(Bad) }); // site: bad
            all_ended().await;
        });
        run.expect(&[error().at(site!("bad")).no_error()]);
    });
}

#[test]
fn a_panic_lost_by_the_macro() {
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn!(panics()); // site: macro panic
            all_ended().await;
        });
        let panic = panic().at(site!("macro panic")).named("spawn::panics");
        let place = format!("tests/spawn.rs:{}:", site!("boom"));
        run.expect(&[panic.says(&place).stack(run.case.debug)]);
    });
}

#[test]
fn a_panic_lost_by_the_function() {
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn(panics()); // site: function panic
            all_ended().await;
        });
        run.expect(&[panic().at(site!("function panic")).named("spawn::panics")]);
    });
}

#[test]
fn the_stack_of_a_panic_is_that_of_the_panic() {
    support::in_debug(|run| {
        run.block_on(async {
            debug_async::spawn(panics());
            all_ended().await;
        });
        let seen = run.finish();
        let [report] = &seen[..] else {
            panic!("{seen:?}")
        };
        let stack = report.stack.as_ref().expect("debug mode takes it");
        // By its line: line tables alone do not name it.
        let boom = stack.iter().find(|(_, file, line)| {
            let here = file.as_ref().is_some_and(|file| file.ends_with("spawn.rs"));
            here && *line == Some(site!("boom"))
        });
        assert!(boom.is_some(), "{}", report.text);
    });
}

#[test]
fn a_call_that_may_block() {
    everywhere(|run| {
        run.block_on(async {
            let failed = task::spawn_blocking(|| Err::<(), Lost>(Lost(1))); // site: blocking error
            let panicked = task::spawn_blocking(|| panic!("boom {}", 1)); // site: blocking panic
            while !failed.is_finished() || !panicked.is_finished() {
                tokio::task::yield_now().await;
            }
        });
        let failed = error().at(site!("blocking error")).no_error();
        run.expect(&[
            failed.says("`closure in spawn::a_call_that_may_block"),
            panic().at(site!("blocking panic")),
        ]);
    });
}

#[test]
fn a_local_task() {
    everywhere(|run| {
        run.block_on(async {
            let set = LocalSet::new();
            set.spawn_local(fails()); // site: local set
            set.run_until(async {
                task::spawn_local(fails()); // site: local error
                task::spawn_local(panics()); // site: local panic
            })
            .await;
            set.await;
        });
        run.expect(&[
            error().at(site!("local set")).named("spawn::fails"),
            error().at(site!("local error")).named("spawn::fails"),
            panic().at(site!("local panic")).named("spawn::panics"),
        ]);
    });
}

#[test]
fn a_local_runtime() {
    let program = Program::new(|| {
        collect();
        let mut builder = debug_async::runtime::Builder::new_current_thread();
        let runtime = builder
            .enable_all()
            .debug(true)
            .build_local(Default::default());
        let runtime = runtime.expect("a runtime can be built");
        runtime.spawn_local(fails()); // site: local runtime
        runtime.block_on(async {
            task::spawn_local(panics()); // site: local runtime panic
            all_ended().await;
        });
        drop(runtime);
        debug_async::flush();
        let expected = [
            error().at(site!("local runtime")).named("spawn::fails"),
            panic()
                .at(site!("local runtime panic"))
                .named("spawn::panics"),
        ];
        support::check(&take_seen(), &expected).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_join_set_dropped_with_what_had_failed() {
    everywhere(|run| {
        run.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(fails()); // site: set error
            // site: set panic
            set.spawn(async {
                panics().await;
                Ok(())
            });
            set.spawn_blocking(|| Err(Lost(2))); // site: set blocking
            set.spawn(async {
                pending::<()>().await;
                Ok(())
            });
            while tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
                > 1
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(set);
            all_ended().await;
        });
        run.expect(&[
            error().at(site!("set error")).named("spawn::fails"),
            panic().at(site!("set panic")),
            error()
                .at(site!("set blocking"))
                .says("closure in spawn::a_join_set"),
        ]);
    });
}

#[test]
fn a_join_set_that_was_detached() {
    everywhere(|run| {
        run.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(fails()); // site: set detached
            set.detach_all();
            all_ended().await;
        });
        run.expect(&[error().at(site!("set detached")).named("spawn::fails")]);
    });
}

#[test]
fn what_is_spawned_on_a_handle() {
    everywhere(|run| {
        let handle = run.handle();
        handle.spawn(fails()); // site: handle error
        let call = handle.spawn_blocking(|| panic!("boom {}", 1)); // site: handle panic
        run.block_on(async {
            while !call.is_finished() {
                tokio::task::yield_now().await;
            }
            all_ended().await;
        });
        drop(call);
        run.expect(&[
            error().at(site!("handle error")).named("spawn::fails"),
            panic().at(site!("handle panic")),
        ]);
    });
}

#[test]
fn an_error_in_a_handle_that_is_kept_unread() {
    support::on(OURS, |run| {
        run.config(Config::new().unretrieved_after(Duration::from_millis(50)));
        let kept = run.block_on(async {
            let kept = debug_async::spawn!(fails()); // site: unread
            let panicked = debug_async::spawn!(panics()); // site: unread panic
            all_ended().await;
            (kept, panicked)
        });
        wait_until("what nobody reads", |seen| seen.len() == 2);
        drop(kept);
        let unread = error().at(site!("unread")).says("nobody has looked since");
        run.expect(&[unread, panic().at(site!("unread panic"))]);
    });
}

#[test]
fn an_error_that_is_read_before_its_time_is_no_longer_news() {
    support::on(OURS, |run| {
        run.config(Config::new().unretrieved_after(Duration::from_millis(200)));
        run.block_on(async {
            let kept = debug_async::spawn!(fails());
            all_ended().await;
            assert!(kept.await.expect("no panic").is_err());
            tokio::time::sleep(Duration::from_millis(400)).await;
        });
        run.expect(&[]);
    });
}

#[test]
fn the_error_of_a_task_spawned_from_a_task() {
    everywhere(|run| {
        run.block_on(async {
            let outer = debug_async::spawn!(async {
                debug_async::spawn!(fails()); // site: inner
            });
            outer.await.expect("no panic");
            all_ended().await;
        });
        run.expect(&[error().at(site!("inner")).named("spawn::fails")]);
    });
}

const OURS: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
    case(Host::Ours, Flavor::CurrentThread, false),
    case(Host::Ours, Flavor::MultiThread, false),
];

/// Drops the handles of tasks that fail at the same time.
fn race(run: &mut Run) {
    const TASKS: u64 = 20_000;
    run.block_on(async {
        let (send, receive) = std::sync::mpsc::channel();
        let dropper = std::thread::spawn(move || receive.into_iter().for_each(drop));
        for n in 0..TASKS {
            let handle = debug_async::spawn!(async { Err::<(), _>(Lost(1)) }); // site: race
            send.send(handle).expect("it receives");
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        drop(send);
        dropper.join().expect("it only drops");
        all_ended().await;
    });
    let seen = run.finish();
    assert!(seen.len() <= 5, "the 1st, 10th, … at most: {seen:#?}");
    assert!(
        seen.iter().all(|seen| seen.line == Some(site!("race"))),
        "{seen:#?}"
    );
    // The last report has the total, if the reporter only came to it when all was
    // over; otherwise the summary at the end of the process does.
    if seen.iter().any(|seen| seen.count == TASKS) {
        eprintln!("the summary is right: true");
        return;
    }
    debug_async::report::set_hook(Box::new(move |report| {
        let total = format!("{TASKS} × unretrieved_error at ");
        eprintln!(
            "the summary is right: {}",
            report.message().contains(&total)
        );
        eprintln!("{report}");
    }));
}

#[test]
#[allow(clippy::redundant_closure)] // The closure has the name of the test.
fn a_handle_dropped_while_its_task_ends_is_one_report_each_of_twenty_thousand() {
    let cases = [
        case(Host::Ours, Flavor::MultiThread, true),
        case(Host::Ours, Flavor::MultiThread, false),
    ];
    for output in support::run::outputs(&cases, |run| race(run)) {
        output.succeeded().says(1, &["the summary is right: true"]);
    }
}
