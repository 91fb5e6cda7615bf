//! Wrapped and bare behave alike: outputs, panics, drop order, cancellation, wakes.
//!
//! Each test runs the same body twice, in production, in debug mode and with the
//! mode off, and compares what it logged.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use debug_async::future::TrackedFuture;
use debug_async::prelude::*;
use debug_async::runtime::Builder;
use support::Program;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn log(what: impl Into<String>) {
    LOG.with_borrow_mut(|log| log.push(what.into()));
}

fn logged() -> Vec<String> {
    LOG.take()
}

/// Logs its drop.
struct D(&'static str);

impl Drop for D {
    fn drop(&mut self) {
        log(format!("drop {}", self.0));
    }
}

/// Wraps, or does not. `Wrap(true)` is `.tracked()`.
#[derive(Clone, Copy)]
struct Wrap(bool);

impl Wrap {
    fn future<'a, F: Future + 'a>(
        self,
        future: F,
    ) -> Pin<Box<dyn Future<Output = F::Output> + 'a>> {
        if self.0 {
            Box::pin(future.tracked())
        } else {
            Box::pin(future)
        }
    }
}

/// Runs `body` bare and wrapped, and fails unless it logs the same, in each mode.
macro_rules! alike {
    ($body:expr) => {
        alike!($body, ["on", "off"]);
    };
    ($body:expr, $stacks:expr) => {
        let program = Program::new(|| {
            let body: fn(Wrap) = $body;
            body(Wrap(false));
            let bare = logged();
            assert!(!bare.is_empty(), "nothing is compared");
            body(Wrap(true));
            assert_eq!(logged(), bare);
        });
        for mode in ["off", "0"] {
            program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        }
        for stacks in $stacks {
            let vars = [("ASYNC_DEBUG", "1"), ("ASYNC_DEBUG_AWAIT_STACKS", stacks)];
            program.run(&vars).succeeded();
        }
    };
}

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn outputs() {
    alike!(|wrap| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("built");
        let output = runtime.block_on(async {
            let borrowed = String::from("borrowed");
            let length = wrap.future(async { borrowed.len() }).await;
            let unit = wrap.future(async {}).await;
            let error = wrap.future(async { Err::<(), _>("no") }).await;
            format!("{length} {unit:?} {error:?}")
        });
        log(output);
    });
}

#[test]
fn polls_and_wakes() {
    alike!(|wrap| {
        let polls = AtomicUsize::new(0);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut future = wrap.future(poll_fn(|cx| {
            let poll = polls.fetch_add(1, SeqCst);
            match poll {
                0 => cx.waker().wake_by_ref(),
                #[allow(clippy::waker_clone_wake)] // the clone is what is tried
                1 => cx.waker().clone().wake(),
                2 => return Poll::Pending,
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        }));
        for _ in 0..4 {
            let ready = future.as_mut().poll(&mut context).is_ready();
            log(format!(
                "{ready}, {} polls, {} wakes",
                polls.load(SeqCst),
                count.0.load(SeqCst)
            ));
        }
        drop(future);
        log(format!("{} references", Arc::strong_count(&count)));
    });
}

/// Not with await stacks: each clone has its own then.
#[test]
fn a_future_that_compares_its_wakers_finds_them_the_same() {
    let body: fn(Wrap) = |wrap| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("built");
        runtime.block_on(async {
            let mut known: Option<Waker> = None;
            let mut polls = 0;
            wrap.future(poll_fn(|cx| {
                let same = known.as_ref().map(|known| known.will_wake(cx.waker()));
                log(format!("{same:?}"));
                known = Some(cx.waker().clone());
                polls += 1;
                if polls == 3 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }))
            .await;
        });
    };
    alike!(body, ["off"]);
}

#[cfg(feature = "stream")]
#[test]
fn items_ends_panics_and_drops_of_a_stream() {
    use futures::stream::{BoxStream, Stream, StreamExt};

    fn wrapped<'a, S: Stream<Item = u32> + Send + 'a>(wrap: Wrap, stream: S) -> BoxStream<'a, u32> {
        if wrap.0 {
            stream.tracked().boxed()
        } else {
            stream.boxed()
        }
    }
    fn generator() -> impl Stream<Item = u32> + Send {
        async_stream::stream! {
            let _first = D("first");
            tokio::task::yield_now().await;
            yield 1;
            let _second = D("second");
            yield 2;
            log("resumed");
        }
    }
    alike!(|wrap| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("built");
        runtime.block_on(async {
            for items in 0..4 {
                let mut stream = wrapped(wrap, generator());
                for _ in 0..items {
                    log(format!(
                        "{:?}, {:?}",
                        stream.next().await,
                        stream.size_hint()
                    ));
                }
                log("dropping");
            }
            let mut stream = wrapped(wrap, futures::stream::iter([0, 1]).map(|i| 6 / i));
            log(format!("{:?}", stream.size_hint()));
            let panic = catch_unwind(AssertUnwindSafe(|| {
                let mut context = Context::from_waker(Waker::noop());
                stream.poll_next_unpin(&mut context)
            }));
            log(format!("panics {}", panic.is_err()));
            for _ in 0..3 {
                log(format!(
                    "{:?}, {:?}",
                    stream.next().await,
                    stream.size_hint()
                ));
            }
        });
    });
}

#[test]
fn the_order_of_drops_at_the_end_and_when_cancelled() {
    async fn holds(kept: D) {
        let _first = D("first");
        let _second = D("second");
        tokio::task::yield_now().await;
        log("resumed");
        let _third = D("third");
        drop(kept);
    }
    alike!(|wrap| {
        let mut context = Context::from_waker(Waker::noop());
        for polls in 0..3 {
            let mut future = wrap.future(holds(D("argument")));
            for _ in 0..polls {
                let ready = future.as_mut().poll(&mut context).is_ready();
                log(format!("ready {ready}"));
            }
            log("dropping");
            drop(future);
        }
    });
}

#[test]
fn a_future_in_a_select_is_cancelled_when_it_was() {
    alike!(|wrap| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("built");
        runtime.block_on(async {
            let lost = async {
                let _held = D("held");
                pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = wrap.future(lost) => log("lost"),
                () = tokio::task::yield_now() => log("won"),
            }
            log("after");
        });
    });
}

#[test]
fn a_panic_passes_as_it_is_and_the_hook_is_called_once() {
    struct Payload(u32);
    alike!(|wrap| {
        static HOOKS: AtomicUsize = AtomicUsize::new(0);
        std::panic::set_hook(Box::new(|_| {
            HOOKS.fetch_add(1, SeqCst);
        }));
        HOOKS.store(0, SeqCst);
        let mut context = Context::from_waker(Waker::noop());
        let mut future = wrap.future(async {
            let _held = D("held");
            std::panic::panic_any(Payload(7));
        });
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        let payload: Result<Poll<()>, _> = poll;
        let payload = payload.expect_err("it panics").downcast::<Payload>();
        log(format!("payload {}", payload.expect("as it was").0));
        log(format!("hook calls {}", HOOKS.load(SeqCst)));
        // An async function that panicked panics when it is polled again.
        let again = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        log(format!(
            "again {}, hook calls {}",
            again.is_err(),
            HOOKS.load(SeqCst)
        ));
    });
}

#[test]
fn a_panic_of_a_task_passes_as_it_is_and_its_message_appears_once() {
    let program = Program::new(|| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("built");
        runtime.block_on(async {
            struct Payload(u32);
            let any = debug_async::spawn(async { std::panic::panic_any(Payload(7)) });
            let error: tokio::task::JoinError = match any.await {
                Ok(()) => unreachable!("it panics"),
                Err(error) => error,
            };
            let payload = error.into_panic().downcast::<Payload>().expect("as it was");
            assert_eq!(payload.0, 7);
            let text = debug_async::spawn!(async {
                if true {
                    panic!("the {}", "message")
                }
            });
            let error = text.await.expect_err("it panics");
            assert!(error.to_string().contains("the message"), "{error}");
            let blocking = debug_async::task::spawn_blocking(|| panic!("the call"));
            let error = blocking.await.expect_err("it panics");
            assert!(error.to_string().contains("the call"), "{error}");
        });
    });
    for mode in ["off", "0", "1"] {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        output.says(1, &["the message"]);
        output.says(1, &["the call"]);
        output.says(3, &["panicked at"]);
    }
}

#[test]
fn a_panic_in_a_drop_passes_as_it_is() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            log("panics in drop");
            panic!("in drop");
        }
    }
    alike!(|wrap| {
        let held = Panics;
        let future = wrap.future(async move {
            let _held = held;
            pending::<()>().await;
        });
        let result = catch_unwind(AssertUnwindSafe(|| drop(future)));
        log(format!(
            "{:?}",
            result.expect_err("it panics").downcast_ref::<&str>()
        ));
        // And what comes after is in order.
        drop(wrap.future(async { drop(D("after")) }));
        log("done");
    });
}

#[test]
fn an_output_with_a_drop_is_dropped_where_it_was() {
    alike!(|wrap| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("built");
        runtime.block_on(async {
            let output = wrap.future(async { D("output") }).await;
            log("completed");
            drop(output);
        });
    });
}

#[test]
fn a_lost_output_is_dropped_in_its_task_or_with_its_handle() {
    let program = Program::new(|| {
        let run = |ours: bool| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("built");
            runtime.block_on(async {
                let lost = || async { Err::<(), D>(D("error")) };
                log("dropped before the end");
                if ours {
                    drop(debug_async::spawn(lost()));
                } else {
                    drop(tokio::spawn(lost()));
                }
                tokio::task::yield_now().await;
                log("dropped after the end");
                if ours {
                    let handle = debug_async::spawn(lost());
                    tokio::task::yield_now().await;
                    log("ended");
                    drop(handle);
                } else {
                    let handle = tokio::spawn(lost());
                    tokio::task::yield_now().await;
                    log("ended");
                    drop(handle);
                }
            });
            logged()
        };
        assert_eq!(run(true), run(false));
    });
    for mode in ["off", "0", "1"] {
        program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
    }
}

#[test]
fn a_wrapper_of_a_future_that_is_not_send_or_not_unpin_compiles() {
    fn send<T: Send>(_: &T) {}
    fn unpin<T: Unpin>(_: &T) {}
    let sent = async {}.tracked();
    send(&sent);
    sent.discard();
    let local = std::rc::Rc::new(1);
    let stays = async move { *local }.tracked();
    stays.discard();
    let moves = std::future::ready(1).tracked();
    unpin(&moves);
    moves.discard();
    let dynamic: Pin<Box<dyn Future<Output = u32> + '_>> = Box::pin(async { 1 });
    dynamic.tracked().discard();
}

#[test]
fn the_future_inside_can_be_reached() {
    let mut tracked: TrackedFuture<_> = std::future::ready(1).tracked();
    assert_eq!(
        format!("{tracked:?}"),
        format!("TrackedFuture({:?})", tracked.get_ref())
    );
    *tracked.get_mut() = std::future::ready(2);
    let mut tracked = pin!(tracked);
    let _: Pin<&std::future::Ready<i32>> = tracked.as_ref().get_pin_ref();
    let inner = tracked.as_mut().get_pin_mut();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(inner.poll(&mut context), Poll::Ready(2));
}

#[test]
fn tasks_run_in_the_same_order() {
    let program = Program::new(|| {
        let run = |ours: bool| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("built");
            runtime.block_on(async {
                let mut handles = Vec::new();
                for n in 0..3 {
                    let task = async move {
                        for step in 0..3 {
                            log(format!("{n} {step}"));
                            tokio::task::yield_now().await;
                        }
                    };
                    if ours {
                        handles.push(debug_async::spawn!(task).into_tokio());
                    } else {
                        handles.push(tokio::spawn(task));
                    }
                }
                for handle in handles {
                    handle.await.expect("no panic");
                }
            });
            logged()
        };
        assert_eq!(run(true), run(false));
    });
    for mode in ["off", "0", "1"] {
        program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
    }
}
