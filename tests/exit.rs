//! The ways out of a program: what is due is told at each.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::time::Duration;

use debug_async::prelude::*;
use debug_async::runtime::Builder;
use support::{Output, Program, site};

async fn forgotten() {}

async fn fails() -> Result<(), String> {
    Err("lost at the end".to_owned())
}

/// Makes findings that are not due yet: a drop still in its grace, and an error
/// that is kept unread.
fn leave_something() {
    let runtime = Builder::new_current_thread()
        .build()
        .expect("it can be built");
    let kept = runtime.block_on(async {
        drop(forgotten().tracked()); // site: dropped
        let kept = debug_async::spawn!(fails()); // site: kept
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        kept
    });
    assert!(kept.is_finished());
    std::mem::forget(kept);
    if support::child::case() == "with the runtime" {
        std::mem::forget(runtime);
    }
}

fn told(output: &Output, mode: &str) {
    let place = |line| format!("tests/exit.rs:{line}:");
    let dropped = [
        "WARN",
        "`exit::forgotten` was never polled",
        &place(site!("dropped")),
    ];
    output.says(1, &dropped);
    let kept = ["ERROR", "`exit::fails` failed", &place(site!("kept"))];
    output.says(1, &kept);
    // Production does not print an error on the chance that nobody will read it.
    let error = if mode == "1" {
        "lost at the end"
    } else {
        "an `Err` of type `String`"
    };
    output.says(1, &[error]);
}

const MODES: [&str; 2] = ["0", "1"];

#[test]
#[allow(clippy::redundant_closure)] // The closure has the name of the test.
fn when_main_returns() {
    let Some(program) = Program::returning(|| leave_something()) else {
        return;
    };
    for mode in MODES {
        for case in ["", "with the runtime"] {
            told(
                &program.run_case(case, &[("ASYNC_DEBUG", mode)]).succeeded(),
                mode,
            );
        }
    }
}

#[test]
fn at_process_exit() {
    let program = Program::new(|| {
        leave_something();
        std::process::exit(3);
    });
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(3), "{output}");
        told(&output, mode);
    }
}

#[test]
fn at_process_exit_in_a_task() {
    let program = Program::new(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).build();
        runtime.expect("it can be built").block_on(async {
            let task = debug_async::spawn(async {
                drop(forgotten().tracked_as("in the task"));
                std::process::exit(4);
            });
            drop(task.await);
        });
    });
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(4), "{output}");
        output.says(1, &["`in the task` was never polled"]);
    }
}

#[test]
fn when_main_panics() {
    let program = Program::returning(|| {
        leave_something();
        panic!("in main");
    });
    let Some(program) = program else { return };
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(101), "{output}");
        assert!(output.stderr.contains("in main"), "{output}");
        told(&output, mode);
    }
}

#[test]
fn when_the_main_future_panics() {
    let program = Program::returning(|| {
        let runtime = Builder::new_current_thread()
            .build()
            .expect("it can be built");
        runtime.block_on(async {
            drop(forgotten().tracked_as("before"));
            debug_async::spawn!(fails());
            tokio::task::yield_now().await;
            panic!("in main");
        });
    });
    let Some(program) = program else { return };
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]);
        assert_eq!(output.code, Some(101), "{output}");
        output.says(1, &["`before` was never polled"]);
        output.says(1, &["`exit::fails` failed"]);
    }
}

#[test]
fn what_a_detached_thread_drops_just_before_the_end() {
    let program = Program::new(|| {
        let other = std::thread::spawn(|| drop(forgotten().tracked_as("on a thread")));
        other.join().expect("no panic");
    });
    let output = program.run(&[]).succeeded();
    output.says(1, &["`on a thread` was never polled"]);
}

#[test]
fn with_a_subscriber_nothing_is_printed_beside_it() {
    let program = Program::new(|| {
        let to_stdout = tracing_subscriber::fmt().with_writer(std::io::stdout);
        to_stdout.with_ansi(false).init();
        leave_something();
    });
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        output.says(0, &["was never polled"]);
        output.says(0, &["lost at the end"]);
        for part in [
            "WARN debug_async::never_polled: ",
            "ERROR debug_async::unretrieved_error: ",
        ] {
            assert_eq!(output.stdout.matches(part).count(), 1, "{part} {output}");
        }
    }
}

#[test]
fn without_findings_nothing_is_printed_and_the_exit_is_quick() {
    let program = Program::new(|| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        runtime.expect("it can be built").block_on(async {
            let task = debug_async::spawn!(async { Ok::<_, ()>(1) });
            task.await.expect("no panic").expect("it is `Ok`");
        });
        let start = std::time::Instant::now();
        debug_async::flush();
        assert!(start.elapsed() < Duration::from_secs(1));
    });
    for mode in ["off", "0", "1"] {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        output.says(0, &["debug_async"]);
    }
}

#[test]
fn a_flush_by_hand_tells_what_is_due_and_twice_tells_nothing_twice() {
    let program = Program::new(|| {
        drop(forgotten().tracked());
        debug_async::flush();
        eprintln!("flushed");
        debug_async::flush();
    });
    let output = program.run(&[]).succeeded();
    output.says(1, &["was never polled"]);
    let (before, _) = output.stderr.split_once("flushed").expect("it is printed");
    assert!(before.contains("was never polled"), "{output}");
}

#[test]
fn a_drop_is_judged_a_second_later_without_any_flush() {
    let program = Program::new(|| {
        support::collect();
        let start = std::time::Instant::now();
        drop(forgotten().tracked());
        support::wait_until("the report", |seen| seen.len() == 1);
        assert!(
            start.elapsed() >= Duration::from_millis(990),
            "{:?}",
            start.elapsed()
        );
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_report_from_a_thread_local_that_is_destroyed_does_not_panic() {
    use std::cell::RefCell;
    use std::pin::Pin;
    thread_local! {
        static KEPT: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
    }
    let program = Program::new(|| {
        let other = std::thread::spawn(|| {
            KEPT.set(Some(Box::pin(forgotten().tracked_as("in a thread-local"))));
        });
        other.join().expect("no panic");
    });
    for mode in MODES {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        output.says(0, &["panicked"]);
        output.says(1, &["`in a thread-local` was never polled"]);
    }
}
