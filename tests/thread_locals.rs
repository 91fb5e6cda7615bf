//! What a program does in the destructor of a thread-local of its own, when the
//! thread-locals of this crate and of tokio are gone already.
//!
//! Those that are used last are destroyed first. So [`at_the_end_of_a_thread`] sets its
//! own, and then has the thread use all of ours.

// The mistakes are what is tested.
#![allow(clippy::let_underscore_future)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::runtime::{Builder, Handle, Runtime};
use support::{Output, Program};

struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

thread_local! {
    static AT_END: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.enable_all().worker_threads(2).build();
    runtime.expect("it can be built")
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

async fn waits() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Uses what this crate keeps for a thread: polls that nest, drops, stacks, a dump.
fn use_everything() {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("it can be built");
    runtime.block_on(async {
        debug_async::spawn(waits().tracked())
            .await
            .expect("no panic");
        async {}.tracked().discard();
        assert!(poll(pending::<()>().tracked()).is_pending());
        let blocking = debug_async::task::spawn_blocking(|| ());
        blocking.await.expect("no panic");
    });
    drop(debug_async::dump().to_string());
    debug_async::flush();
}

/// Does something on a thread that has used everything, in the last of its destructors.
fn at_the_end_of_a_thread(act: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        AT_END.with_borrow_mut(|at_end| {
            at_end.0 = Some(Box::new(move || {
                act();
                done.send(()).expect("it is waited for");
            }));
        });
        use_everything();
    });
    thread.join().expect("no panic");
    is_done.recv().expect("it came to its end");
}

/// Runs it in each mode. A panic in a destructor of a thread-local ends the process.
fn in_each_mode(program: &Program, check: impl Fn(&str, Output)) {
    for mode in ["off", "0", "1"] {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        output.says(0, &["panicked"]);
        output.says(0, &["were lost"]);
        check(mode, output);
    }
}

#[test]
fn a_drop_is_reported() {
    let program = Program::new(|| {
        at_the_end_of_a_thread(|| {
            drop(async {}.tracked_as("dropped at the end"));
        });
    });
    in_each_mode(&program, |mode, output| {
        let times = usize::from(mode != "off");
        output.says(times, &["`dropped at the end` was never polled"]);
    });
}

#[test]
fn a_poll_and_what_it_wakes() {
    let program = Program::new(|| {
        let (waker, woken) = mpsc::channel::<Waker>();
        let is_done = Arc::new(AtomicBool::new(false));
        let runtime = runtime();
        let waits = {
            let is_done = Arc::clone(&is_done);
            runtime.spawn(async move {
                std::future::poll_fn(|cx| {
                    let _ = waker.send(cx.waker().clone());
                    match is_done.load(SeqCst) {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                })
                .await;
            })
        };
        at_the_end_of_a_thread(move || {
            // The waker of a task that another thread runs: cloned, woken, dropped.
            let waker = woken.recv().expect("it was polled");
            let other = waker.clone();
            drop(waker);
            is_done.store(true, SeqCst);
            other.wake();
            // And polls here.
            assert!(poll(async { 7 }.tracked()).is_ready());
            let mut waits = pin!(pending::<()>().tracked().parked());
            let mut context = Context::from_waker(Waker::noop());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            assert!(waits.as_mut().poll(&mut context).is_pending());
        });
        runtime.block_on(waits).expect("no panic");
    });
    in_each_mode(&program, |_, output| output.says(0, &["debug_async"]));
}

#[test]
fn a_slow_poll_is_reported() {
    let program = Program::new(|| {
        at_the_end_of_a_thread(|| {
            let blocks = async { support::block() };
            assert!(poll(blocks.tracked_as("blocks")).is_ready());
        });
    });
    in_each_mode(&program, |mode, output| {
        output.says(usize::from(mode == "1"), &["slow_poll", "`blocks`"]);
    });
}

#[test]
fn a_spawn_runs() {
    let program = Program::new(|| {
        let runtime = runtime();
        let handle: Handle = runtime.handle().clone();
        let (told, tells) = mpsc::channel();
        at_the_end_of_a_thread(move || {
            let task = handle.spawn(async { Err::<(), _>("lost at the end") });
            while !task.is_finished() {
                std::thread::yield_now();
            }
            drop(task);
            let again = told.clone();
            handle
                .spawn_blocking(move || told.send("a closure"))
                .detach();
            let remote = async move { again.send("a future") };
            debug_async::runtime::run_threadsafe(&handle, remote).detach();
            debug_async::flush();
        });
        let mut all = [tells.recv(), tells.recv()].map(|told| told.expect("it ran"));
        all.sort();
        assert_eq!(all, ["a closure", "a future"]);
    });
    in_each_mode(&program, |mode, output| {
        let times = usize::from(mode != "off");
        output.says(times, &["debug_async::unretrieved_error"]);
    });
}

#[test]
fn a_runtime_that_ends_there() {
    let program = Program::new(|| {
        let (sender, receiver) = mpsc::channel();
        let runtime = runtime();
        let began = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&began);
        runtime.spawn(async move {
            begins.store(true, SeqCst);
            pending::<()>().await;
        });
        while !began.load(SeqCst) {
            std::thread::yield_now();
        }
        sender.send(runtime).expect("it is received");
        at_the_end_of_a_thread(move || {
            let runtime = receiver.recv().expect("it was sent");
            drop(runtime);
            drop(debug_async::dump().to_string());
            let _ = debug_async::is_debug();
            debug_async::set_slow_poll(Duration::from_secs(1));
        });
    });
    in_each_mode(&program, |mode, output| {
        let times = usize::from(mode != "off");
        output.says(times, &["debug_async::pending_at_shutdown"]);
    });
}
