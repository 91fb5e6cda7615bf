//! What goes wrong around us: the program goes on as it would without us.

#![cfg(all(target_os = "linux", feature = "rt-multi-thread"))]

mod support;

use std::os::fd::AsRawFd;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use support::{Program, child, take_seen};

const DEBUG: &[(&str, &str)] = &[("ASYNC_DEBUG", "1")];

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.enable_all().worker_threads(2).debug(true);
    builder.build().expect("it can be built")
}

/// Loses an error, in a runtime that ends.
fn lose_an_error() {
    runtime().block_on(async {
        let task = debug_async::spawn(async { Err::<(), _>("lost") });
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    });
}

/// From here on, what is printed to stderr goes there.
fn redirect_stderr(to: &impl AsRawFd) {
    // SAFETY: a system call on descriptors that are open.
    #[allow(unsafe_code)]
    let copied = unsafe { libc::dup2(to.as_raw_fd(), 2) };
    assert_eq!(copied, 2);
}

#[test]
fn a_full_disk_behind_stderr() {
    let program = Program::new(|| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        redirect_stderr(&full.expect("Linux has it"));
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

#[test]
fn a_closed_pipe_behind_stderr() {
    let program = Program::new(|| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        redirect_stderr(&writer);
        drop(reader);
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

#[test]
fn a_closed_pipe_behind_a_subscriber() {
    let program = Program::new(|| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        tracing_subscriber::fmt()
            .with_writer(std::sync::Mutex::new(writer))
            .init();
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

/// What is forked off has no reporter, and does not wait for one.
#[test]
fn a_fork() {
    let program = Program::new(|| {
        lose_an_error();
        // SAFETY: what runs in the other process is what would run here, and it ends by
        // itself; that other threads are missing there is what is tested.
        #[allow(unsafe_code)]
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            drop(async {}.tracked());
            debug_async::flush();
            std::process::exit(7);
        }
        let mut status = 0;
        // SAFETY: a system call, with a place for its result.
        #[allow(unsafe_code)]
        let waited = unsafe { libc::waitpid(forked, &mut status, 0) };
        assert_eq!((waited, libc::WEXITSTATUS(status)), (forked, 7));
    });
    let started = std::time::Instant::now();
    let output = program.run(DEBUG).succeeded();
    // Of this process, and nothing of the other.
    output.says(1, &["ERROR debug_async::unretrieved_error"]);
    output.says(0, &["WARN debug_async::never_polled"]);
    assert!(started.elapsed() < Duration::from_secs(40), "it waited");
}

#[test]
fn an_abort_in_a_task() {
    let program = Program::new(|| {
        runtime().block_on(async {
            let aborts = debug_async::spawn(async { std::process::abort() });
            aborts.await.expect("not reached")
        })
    });
    // By a signal.
    assert_eq!(program.run(DEBUG).code, None);
}

#[test]
fn a_runtime_that_is_dropped_in_a_task() {
    child!(|| {
        let outer = runtime();
        let inner = runtime();
        inner.spawn(std::future::pending::<()>());
        let result = outer.block_on(async {
            let task = debug_async::spawn(async move { drop(inner) });
            task.await
        });
        // tokio's own answer.
        let panic = result.expect_err("it panics").into_panic();
        let message = panic.downcast_ref::<&str>().copied().unwrap_or_default();
        assert!(message.contains("Cannot drop a runtime"), "{message}");
        outer.block_on(async { debug_async::spawn(async {}).await.expect("it goes on") });
    });
}

#[test]
fn two_hundred_threads_that_report_at_once() {
    const THREADS: usize = 200;
    const EACH: usize = 50;
    child!(|| {
        let start = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().debug(true).build();
                    let runtime = runtime.expect("it can be built");
                    start.wait();
                    runtime.block_on(async {
                        for _ in 0..EACH {
                            drop(async {}.tracked());
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        debug_async::flush();
        let seen = take_seen();
        let polls = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::NeverPolled);
        let told = polls.map(|seen| seen.count).max();
        let summed = seen.iter().find(|seen| seen.kind == ReportKind::Summary);
        let text = summed.map(|seen| seen.message.clone()).unwrap_or_default();
        assert!(
            told == Some((THREADS * EACH) as u64) || text.contains("10000"),
            "{told:?} {text}"
        );
    });
}
