//! Async cleanup of streams: when it runs, in which order, and what is said of it.

#![cfg(all(feature = "rt-multi-thread", feature = "stream"))]

mod support;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::stream::{ClosingStream, aclosing, shutdown_streams};
use futures::stream::{FusedStream, Stream, StreamExt, iter};
use futures::{FutureExt, pin_mut};
use support::run::{Flavor, case};
use support::{Expected, Host, Program, everywhere, in_debug, on, silent, site, wait_until};
use tokio::time::{sleep, timeout};

const MS: Duration = Duration::from_millis(1);

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn log(what: impl Into<String>) {
    LOG.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(what.into());
}

fn logged() -> Vec<String> {
    std::mem::take(&mut *LOG.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn until_logged(n: usize) {
    let start = Instant::now();
    while LOG.lock().unwrap_or_else(PoisonError::into_inner).len() < n {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", logged());
        sleep(MS).await;
    }
}

type Numbers = futures::stream::Iter<std::ops::Range<u32>>;

/// Numbers, whose cleanup gives way and says who it is.
#[track_caller]
fn numbers(name: &'static str) -> ClosingStream<Numbers, &'static str> {
    iter(0..3).tracked_as(name).on_close(async move {
        tokio::task::yield_now().await;
        log(name);
        name
    })
}

/// Runs `body` in each mode, and fails unless it logs this.
macro_rules! logs {
    ($body:expr, $expected:expr) => {
        let program = Program::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("built");
            runtime.block_on($body);
            assert_eq!(logged(), $expected);
        });
        for mode in ["off", "0", "1"] {
            program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        }
    };
}

// ----- when it runs ----------------------------------------------------------------

#[test]
fn it_runs_at_the_end_before_the_none() {
    logs!(
        async {
            let mut stream = numbers("closed");
            assert_eq!(stream.size_hint(), (3, Some(3)));
            while let Some(item) = stream.next().await {
                log(item.to_string());
            }
            log("none");
            assert!(stream.is_terminated());
            assert_eq!(stream.size_hint(), (0, Some(0)));
            assert_eq!(stream.next().await, None);
            assert_eq!(stream.close().await, Some("closed"));
            assert_eq!(stream.close().await, None);
            drop(stream);
            shutdown_streams().await;
        },
        ["0", "1", "2", "closed", "none"]
    );
}

#[test]
fn it_runs_when_the_stream_is_closed_and_the_stream_ends_with_it() {
    logs!(
        async {
            let mut stream = numbers("closed");
            assert_eq!(stream.next().await, Some(0));
            assert!(!stream.is_terminated());
            assert_eq!(stream.close().await, Some("closed"));
            assert_eq!(stream.close().await, None, "twice is fine");
            assert_eq!(stream.next().await, None);
            assert!(stream.is_terminated());
            // Also if it is pinned, or was never polled, or is gone.
            let stream = async_stream::stream! { yield 1 };
            let stream = stream.tracked().on_close(async { log("pinned") });
            pin_mut!(stream);
            stream.close().await;
            let close = numbers("gone").close();
            assert_eq!(close.await, Some("gone"));
        },
        ["closed", "pinned", "gone"]
    );
}

#[test]
fn several_may_close_it() {
    logs!(
        async {
            let stream = numbers("closed");
            let (one, other, third) = (stream.close(), stream.close(), stream.close());
            let outputs = futures::join!(one, other, third);
            let outputs = [outputs.0, outputs.1, outputs.2];
            assert_eq!(outputs.iter().flatten().count(), 1, "{outputs:?}");

            // The one that has begun gives up; the other goes on.
            let stream = iter(0..1).tracked().on_close(async {
                log("begun");
                sleep(20 * MS).await;
                log("done");
            });
            let mut begun = Box::pin(stream.close());
            assert!(begun.as_mut().now_or_never().is_none());
            let other = tokio::spawn(stream.close());
            tokio::task::yield_now().await;
            assert!(begun.as_mut().now_or_never().is_none());
            drop(begun);
            let output = timeout(Duration::from_secs(20), other).await;
            assert_eq!(output.expect("in time").expect("no panic"), Some(()));
        },
        ["closed", "begun", "done"]
    );
}

#[test]
fn a_close_that_is_cancelled_can_be_taken_up_again() {
    logs!(
        async {
            let slow = || {
                iter(0..3).tracked().on_close(async {
                    log("begun");
                    sleep(20 * MS).await;
                    log("done");
                })
            };
            let mut stream = slow();
            stream.next().await;
            assert!(timeout(MS, stream.close()).await.is_err());
            assert_eq!(stream.close().await, Some(()));
            // By the stream itself.
            let mut stream = slow();
            assert!(timeout(MS, stream.close()).await.is_err());
            assert_eq!(stream.next().await, None);
            // Or by the runtime.
            let stream = slow();
            assert!(timeout(MS, stream.close()).await.is_err());
            drop(stream);
            shutdown_streams().await;
        },
        ["begun", "done", "begun", "done", "begun", "done"]
    );
}

// ----- aclosing --------------------------------------------------------------------

/// Two streams within one another, of each of which one is taken; then `then`.
async fn nested<R>(then: impl AsyncFnOnce() -> R) -> R {
    aclosing(numbers("cursor"), async |mut cursor| {
        cursor.next().await;
        aclosing(numbers("rows"), async |mut rows| {
            rows.next().await;
            then().await
        })
        .await
    })
    .await
}

#[test]
fn aclosing_closes_the_inner_before_the_outer() {
    logs!(
        async {
            let result: Result<u32, &str> = nested(async || Err("failed")).await;
            assert_eq!(result, Err("failed"));
            log("after");
            let count = aclosing(numbers("all"), async |all| all.count().await).await;
            assert_eq!(count, 3);
            aclosing(numbers("by hand"), async |stream| {
                assert_eq!(stream.close().await, Some("by hand"));
                log("closed");
            })
            .await;
        },
        ["rows", "cursor", "after", "all", "by hand", "closed"]
    );
}

#[test]
fn aclosing_closes_when_the_body_panics() {
    logs!(
        async {
            let panics = nested(async || panic!("on purpose"));
            let result: Result<(), _> = AssertUnwindSafe(panics).catch_unwind().await;
            let payload = result.expect_err("it panics");
            assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
            log("after");
            // Also if the cleanup panics then.
            let stream = iter(0..1).tracked().on_close(async { panic!("second") });
            let panics = aclosing(stream, async |_| panic!("first"));
            let result: Result<(), _> = AssertUnwindSafe(panics).catch_unwind().await;
            let payload = result.expect_err("it panics");
            assert_eq!(payload.downcast_ref(), Some(&"first"));
        },
        ["rows", "cursor", "after"]
    );
}

#[test]
fn aclosing_hands_over_in_order_when_it_is_cancelled() {
    logs!(
        async {
            let forever = nested(async || pending::<()>().await);
            assert!(timeout(5 * MS, forever).await.is_err());
            log("cancelled");
            shutdown_streams().await;
            let task = tokio::spawn(nested(async || pending::<()>().await));
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.is_err());
            shutdown_streams().await;
        },
        ["cancelled", "rows", "cursor", "rows", "cursor"]
    );
}

#[test]
fn aclosing_may_be_spawned_and_may_borrow() {
    logs!(
        async {
            let task = tokio::spawn(async {
                let mut seen = Vec::new();
                aclosing(numbers("rows"), async |mut rows| {
                    while let Some(row) = rows.next().await {
                        seen.push(row);
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                seen
            });
            assert_eq!(task.await.expect("no panic"), [0, 1, 2]);
            debug_async::spawn!(nested(async || ()))
                .await
                .expect("no panic");
        },
        ["rows", "rows", "cursor"]
    );
}

// ----- within one another ----------------------------------------------------------

/// The same items; the stream that they come from is a part of it.
#[track_caller]
fn around<S: Stream>(
    name: &'static str,
    inner: S,
) -> ClosingStream<impl Stream<Item = S::Item>, &'static str> {
    let items = async_stream::stream! {
        pin_mut!(inner);
        while let Some(item) = inner.next().await {
            yield item;
        }
    };
    items.tracked_as(name).on_close(async move {
        tokio::task::yield_now().await;
        log(name);
        name
    })
}

#[test]
fn what_lies_within_a_stream_is_closed_before_it() {
    logs!(
        async {
            let inner = numbers("inner").map(|i| i * 2);
            let mut outer = inner.tracked().on_close(async { log("outer") });
            assert_eq!(outer.next().await, Some(0));
            outer.close().await;
            drop(outer);
            // Of four the innermost first.
            let two = around("second", around("first", numbers("innermost")));
            let mut four = Box::pin(around("last", two.take(2)));
            four.next().await;
            four.close().await;
            drop(four);
            // One that has ended was closed then. Of two, the later first.
            let both = numbers("one").chain(numbers("two").zip(numbers("three")).map(|(i, _)| i));
            let mut both = Box::pin(both.tracked().on_close(async { log("both") }));
            for _ in 0..4 {
                both.next().await;
            }
            both.close().await;
            drop(both);
            // Also what a stream makes as it goes.
            let flat = iter(["a", "b", "c"]).map(numbers).flatten();
            let mut flat = flat.tracked().on_close(async { log("flat") });
            for _ in 0..4 {
                flat.next().await;
            }
            flat.close().await;
            drop(flat);
            shutdown_streams().await;
        },
        [
            "inner",
            "outer",
            "innermost",
            "first",
            "second",
            "last",
            "one",
            "three",
            "two",
            "both",
            "a",
            "b",
            "flat"
        ]
    );
}

#[test]
fn an_aclosing_within_a_stream_is_closed_before_it() {
    logs!(
        async {
            let stream = async_stream::stream! {
                aclosing(numbers("rows"), async |mut rows| {
                    rows.next().await;
                    pending::<()>().await;
                })
                .await;
                yield 1;
            };
            let stream = stream.tracked().on_close(async { log("cursor") });
            pin_mut!(stream);
            assert!(stream.next().now_or_never().is_none());
            stream.close().await;
            log("closed");
            shutdown_streams().await;
        },
        ["rows", "cursor", "closed"]
    );
}

#[test]
fn what_goes_down_with_a_stream_is_cleaned_up_before_it() {
    logs!(
        async {
            // Of what is behind a pointer it is known then, and of what was not polled.
            aclosing(around("outer", numbers("boxed").boxed()), async |mut s| {
                s.next().await
            })
            .await;
            aclosing(around("never polled", numbers("nor this")), async |_| ()).await;
            log("dropped");
            let mut outer = Box::pin(around("by hand", numbers("boxed, too").boxed()));
            outer.next().await;
            let closing = outer.close();
            drop(outer);
            assert_eq!(closing.await, Some("by hand"));
            log("closed");
            let mut outer = Box::pin(around("outer", numbers("inner")));
            outer.next().await;
            drop(outer);
            shutdown_streams().await;
            let outer = numbers("with it").map(|i| i).tracked();
            let mut outer = outer.on_close(async { log("discarded") });
            outer.next().await;
            outer.discard();
            shutdown_streams().await;
        },
        [
            "boxed",
            "outer",
            "nor this",
            "never polled",
            "dropped",
            "boxed, too",
            "by hand",
            "closed",
            "inner",
            "outer",
            "with it",
            "discarded"
        ]
    );
}

#[test]
fn of_streams_within_one_another_the_outer_is_reported() {
    in_debug(|run| {
        run.block_on(async {
            let mut outer = Box::pin(around("outer", numbers("boxed").boxed())); // site: around
            outer.next().await;
            drop(outer);
            // Nobody could have closed what was not polled.
            around("closed", numbers("within").boxed()).close().await;
            around("closed too", numbers("within")).close().await;
            // What was is closed by nobody but the user, if it is behind a pointer.
            let polled = numbers("polled").boxed(); // site: behind
            let mut outer = Box::pin(around("closed by hand", polled));
            outer.next().await;
            outer.close().await;
            drop(outer);
            shutdown_streams().await;
        });
        run.expect(&[
            not_closed().at(site!("around")).named("outer"),
            not_closed().at(site!("behind")).named("polled"),
        ]);
    });
}

#[test]
fn a_stream_that_is_somebody_else_s_goes_on() {
    logs!(
        async {
            let mut rows = numbers("rows");
            let mut first = (&mut rows)
                .map(|i| i * 2)
                .tracked()
                .on_close(async { log("first") });
            assert_eq!(first.next().await, Some(0));
            first.close().await;
            drop(first);
            assert_eq!(rows.next().await, Some(1));
            // Nor is it closed with the body that another one is read in.
            aclosing(numbers("other"), async |mut other| {
                other.next().await;
                assert_eq!(rows.next().await, Some(2));
            })
            .await;
            assert_eq!(rows.next().await, None);
        },
        ["first", "other", "rows"]
    );
}

#[test]
fn the_shutdown_keeps_the_order() {
    #[track_caller]
    fn slow(name: &'static str) -> ClosingStream<Numbers, ()> {
        iter(0..3).tracked_as(name).on_close(async move {
            sleep(20 * MS).await;
            log(name);
        })
    }
    logs!(
        async {
            let scopes = tokio::spawn(aclosing(numbers("cursor"), async |mut cursor| {
                cursor.next().await;
                aclosing(slow("rows"), async |_| pending::<()>().await).await;
            }));
            tokio::task::yield_now().await;
            shutdown_streams().await;
            scopes.abort();
            let parts = tokio::spawn(async {
                let stream = slow("inner").map(|i| i).tracked();
                let mut stream = stream.on_close(async { log("outer") });
                stream.next().await;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
            shutdown_streams().await;
            parts.abort();
        },
        ["rows", "cursor", "inner", "outer"]
    );
}

#[test]
fn an_aclosing_that_is_aborted_before_it_begins_is_silent() {
    silent(async || {
        let scope = || aclosing(numbers("rows"), async |_| pending::<()>().await);
        let tracked = debug_async::spawn!(scope());
        tracked.abort();
        assert!(tracked.await.is_err());
        let tokios = tokio::spawn(scope());
        tokios.abort();
        assert!(tokios.await.is_err());
        shutdown_streams().await;
        assert_eq!(logged(), ["rows", "rows"]);
    });
}

/// Closed by several tasks while another reads, and yet another gives up.
#[test]
fn the_order_holds_when_many_close_it() {
    let program = Program::new(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.expect("built").block_on(async {
            for round in 0..200 {
                let slowly = async |i| {
                    tokio::task::yield_now().await;
                    i
                };
                let inner = iter(0..50).then(slowly).boxed();
                let inner = inner.tracked().on_close(async { log("inner") });
                let mut outer = inner.map(|i| i).tracked().on_close(async {
                    tokio::task::yield_now().await;
                    log("outer");
                });
                assert_eq!(outer.next().await, Some(0));
                let closes = (0..3).map(|i| {
                    let close = outer.close();
                    tokio::spawn(async move {
                        for _ in 0..(round + i) % 7 {
                            tokio::task::yield_now().await;
                        }
                        if i == 2 {
                            let _gives_up = close.now_or_never();
                        } else {
                            close.await;
                        }
                    })
                });
                let closes: Vec<_> = closes.collect();
                let reads = tokio::spawn(async move { outer.count().await });
                let all = futures::future::join(futures::future::join_all(closes), reads);
                let all = timeout(Duration::from_secs(20), all).await;
                all.expect("nobody waits for ever").1.expect("no panic");
                shutdown_streams().await;
                let order = logged();
                assert_eq!(order, ["inner", "outer"]);
            }
        });
    });
    program.run(&[]).succeeded();
}

// ----- dropped unclosed ------------------------------------------------------------

fn not_closed() -> Expected {
    Expected::new(ReportKind::StreamNotClosed).says("was dropped before it ended or was closed")
}

#[test]
fn a_stream_that_is_dropped_unclosed_is_reported_and_cleaned_up_by_the_runtime() {
    everywhere(|run| {
        run.block_on(async {
            let mut stream = numbers("rows"); // site: unclosed
            stream.next().await;
            drop(stream);
            shutdown_streams().await;
        });
        assert_eq!(logged(), ["rows"]);
        // In production, it is run in silence.
        let expected = not_closed().at(site!("unclosed")).named("rows").stack(true);
        let expected = run.case.debug.then_some(expected);
        run.expect(expected.as_slice());
    });
}

#[test]
fn with_the_mode_off_it_is_cleaned_up_in_silence() {
    let program = Program::new(|| {
        support::collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("built").block_on(async {
            let mut stream = numbers("rows");
            stream.next().await;
            drop(stream);
            shutdown_streams().await;
        });
        drop(numbers("outside"));
        assert_eq!(logged(), ["rows"]);
        debug_async::flush();
        assert_eq!(support::take_seen().len(), 0);
    });
    program.run(&[("ASYNC_DEBUG", "off")]).succeeded();
}

#[test]
fn one_that_was_never_polled_is_one_report() {
    in_debug(|run| {
        run.block_on(async {
            drop(numbers("rows")); // site: unpolled
            shutdown_streams().await;
        });
        assert_eq!(logged(), ["rows"]);
        run.expect(&[not_closed().at(site!("unpolled"))]);
    });
}

#[test]
fn a_stream_that_is_dropped_on_another_thread_goes_to_its_runtime() {
    let cases = [
        case(Host::Ours, Flavor::MultiThread, true),
        case(Host::Tokio, Flavor::MultiThread, true),
    ];
    on(&cases, |run| {
        let mut stream = run.block_on(async { numbers("rows") }); // site: thread
        run.block_on(stream.next());
        drop(stream);
        run.block_on(until_logged(1));
        run.expect(&[not_closed().at(site!("thread"))]);
    });
}

#[test]
fn what_a_stream_that_is_over_keeps_goes_to_its_runtime() {
    on(&[case(Host::Ours, Flavor::MultiThread, true)], |run| {
        let outer = run.block_on(async {
            let inner = numbers("boxed").boxed(); // site: kept by one
            let mut outer = Box::pin(around("outer", inner));
            outer.next().await;
            outer.as_mut().close().await;
            assert_eq!(logged(), ["outer"]);
            outer
        });
        // In no runtime.
        drop(outer);
        run.block_on(until_logged(1));
        assert_eq!(logged(), ["boxed"]);
        run.expect(&[not_closed().at(site!("kept by one"))]);
    });
}

#[test]
fn a_stream_that_is_made_outside_belongs_to_the_runtime_that_polls_it() {
    on(&[case(Host::Tokio, Flavor::MultiThread, true)], |run| {
        debug_async::set_debug(true);
        let mut stream = numbers("rows"); // site: adopted
        run.block_on(stream.next());
        drop(stream);
        run.block_on(until_logged(1));
        run.expect(&[not_closed().at(site!("adopted"))]);
    });
}

fn outside() -> Expected {
    Expected::new(ReportKind::OutsideRuntime).says("was dropped outside of a runtime")
}

#[test]
fn a_stream_that_never_saw_a_runtime_cannot_be_cleaned_up() {
    everywhere(|run| {
        // The mode of what is in no runtime is the process's.
        debug_async::set_debug(run.case.debug);
        let mut stream = numbers("rows"); // site: nowhere
        assert_eq!(stream.next().now_or_never(), Some(Some(0)));
        drop(stream);
        run.block_on(async { tokio::task::yield_now().await });
        assert!(logged().is_empty());
        let expected = outside().at(site!("nowhere")).named("rows");
        run.expect(&[expected.says("its cleanup was not run")]);
    });
}

#[test]
fn a_stream_that_is_dropped_when_its_runtime_rests() {
    let cases = [
        case(Host::Ours, Flavor::CurrentThread, true),
        case(Host::Ours, Flavor::CurrentThread, false),
    ];
    on(&cases, |run| {
        let mut later = run.block_on(async { numbers("later") }); // site: rests
        run.block_on(later.next());
        drop(later);
        run.block_on(until_logged(1));
        assert_eq!(logged(), ["later"]);
        let discarded = run.block_on(async { numbers("discarded") }); // site: discarded
        discarded.discard();
        run.restart();
        assert!(logged().is_empty());
        let rests = outside().at(site!("rests")).named("later");
        let lost = failed().at(site!("discarded")).named("discarded");
        run.expect(&[
            rests.says("is run only if its runtime runs again"),
            lost.says("was not done when its runtime ended"),
        ]);
    });
}

#[test]
fn a_stream_that_is_made_outside_and_closed_inside() {
    everywhere(|run| {
        let mut stream = numbers("rows");
        run.block_on(async {
            stream.next().await;
            stream.close().await;
        });
        drop(stream);
        assert_eq!(logged(), ["rows"]);
        run.expect(&[]);
    });
}

// ----- it fails --------------------------------------------------------------------

fn failed() -> Expected {
    Expected::new(ReportKind::CleanupFailed)
}

#[test]
fn an_error_that_nobody_looks_at() {
    fn failing() -> ClosingStream<Numbers, Result<(), String>> {
        let fails = async { Err("no".to_owned()) };
        iter(0..3).tracked_as("rows").on_close(fails) // site: fails
    }
    everywhere(|run| {
        run.block_on(async {
            // Taken.
            assert_eq!(failing().close().await, Some(Err("no".to_owned())));
            let stream = failing();
            stream.close().now_or_never();
            // At its end.
            assert_eq!(failing().count().await, 3);
        });
        let expected = failed().at(site!("fails")).named("rows");
        let expected = expected.says("returned an error that nobody looked at, of type `String`");
        run.expect(&[expected]);
    });
}

#[test]
fn an_error_of_a_cleanup_that_was_handed_over() {
    everywhere(|run| {
        run.block_on(async {
            let fails = async { Err::<(), _>(std::io::Error::other("no")) };
            let stream = iter(0..3).tracked_as("rows"); // site: handed over
            let failing = aclosing(stream.on_close(fails), async |_| pending::<()>().await);
            assert!(timeout(MS, failing).await.is_err());
            shutdown_streams().await;
        });
        let expected = failed().at(site!("handed over")).says("of type `Error`");
        run.expect(&[expected]);
    });
}

#[test]
fn a_panic_of_a_cleanup_that_was_handed_over() {
    everywhere(|run| {
        run.block_on(async {
            let panics = async { panic!("on purpose") };
            let stream = iter(0..3).tracked_as("rows"); // site: panics
            stream.on_close(panics).discard();
            shutdown_streams().await;
        });
        let expected = failed().at(site!("panics")).error("on purpose");
        run.expect(&[expected.says("panicked: on purpose at tests/cleanup.rs:")]);
    });
}

#[test]
fn a_panic_of_a_cleanup_is_that_of_whoever_closes() {
    silent(async || {
        let panics = || {
            iter(0..0)
                .tracked()
                .on_close(async { panic!("on purpose") })
        };
        let stream = panics();
        assert!(
            AssertUnwindSafe(stream.close())
                .catch_unwind()
                .await
                .is_err()
        );
        assert!(stream.close().await.is_none());
        let mut stream = panics();
        assert!(
            AssertUnwindSafe(stream.next())
                .catch_unwind()
                .await
                .is_err()
        );
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn a_cleanup_that_its_runtime_did_not_come_to() {
    everywhere(|run| {
        run.block_on(async {
            let never = iter(0..3).tracked_as("never").on_close(pending::<()>()); // site: never
            never.discard();
            tokio::task::yield_now().await;
        });
        run.restart();
        let expected = failed().at(site!("never")).named("never");
        run.expect(&[expected.says("was not done when its runtime ended")]);
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks at shutdown: tests/unstable.rs"
)]
fn a_stream_that_goes_down_with_its_runtime() {
    everywhere(|run| {
        run.block_on(async {
            let mut held = numbers("held"); // site: held
            held.next().await;
            tokio::spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        run.restart();
        assert!(logged().is_empty());
        let expected = failed().at(site!("held")).named("held");
        run.expect(&[expected.says("was not done when its runtime ended")]);
    });
}

// ----- the shutdown ----------------------------------------------------------------

#[test]
fn the_shutdown_closes_what_is_open_and_the_stream_then_ends() {
    silent(async || {
        let (sender, mut items) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut stream = numbers("open");
            while let Some(item) = stream.next().await {
                sender.send(item).expect("it listens");
                sleep(20 * MS).await;
            }
        });
        assert_eq!(items.recv().await, Some(0));
        shutdown_streams().await;
        assert_eq!(logged(), ["open"]);
        task.await.expect("no panic");
        shutdown_streams().await;
    });
}

#[test]
fn the_shutdown_has_a_limit() {
    on(
        &[
            case(Host::Ours, Flavor::CurrentThread, true),
            case(Host::Ours, Flavor::MultiThread, false),
        ],
        |run| {
            run.config(Config::new().close_timeout(50 * MS));
            run.block_on(async {
                let never = iter(0..3).tracked_as("never").on_close(pending::<()>()); // site: limit
                never.discard();
                let open = iter(0..3).tracked_as("open").on_close(pending::<()>()); // site: open
                let start = Instant::now();
                shutdown_streams().await;
                assert!(start.elapsed() >= 50 * MS);
                open.discard();
            });
            run.restart();
            let late = |name, line| {
                let said = "was not done within the 50ms of the shutdown";
                failed().at(line).named(name).says(said)
            };
            run.expect(&[late("never", site!("limit")), late("open", site!("open"))]);
        },
    );
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks at shutdown: tests/unstable.rs"
)]
fn main_closes_what_is_left() {
    #[debug_async::main(flavor = "current_thread")]
    async fn entry() {
        let mut left = numbers("left");
        left.next().await;
        tokio::spawn(async move {
            let _left = left;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        let dropped = numbers("dropped");
        log("main returns");
        dropped.discard();
    }
    #[debug_async::main(flavor = "current_thread")]
    async fn panics() {
        let _dropped = numbers("dropped");
        panic!("on purpose");
    }
    #[debug_async::main(flavor = "local")]
    async fn local() {
        numbers("local").discard();
    }
    let program = Program::new(|| {
        entry();
        let mut seen = logged();
        seen[1..].sort();
        assert_eq!(seen, ["main returns", "dropped", "left"]);
        assert!(catch_unwind(panics).is_err());
        assert_eq!(logged(), ["dropped"]);
        local();
        assert_eq!(logged(), ["local"]);
    });
    for mode in ["off", "0", "1"] {
        program
            .run(&[("ASYNC_DEBUG", mode)])
            .succeeded()
            .says(0, &["debug_async::"]);
    }
}

// ----- what is no finding ----------------------------------------------------------

#[test]
fn what_is_closed_is_silent() {
    silent(async || {
        assert_eq!(numbers("at its end").count().await, 3);
        numbers("unpolled").close().await;
        let mut half_way = numbers("half-way");
        half_way.next().await;
        half_way.close().await;
        numbers("discarded").discard();
        nested(async || ()).await;
        assert!(
            timeout(MS, nested(async || pending::<()>().await))
                .await
                .is_err()
        );
        let boxed = numbers("boxed").boxed();
        assert_eq!(boxed.count().await, 3);
        shutdown_streams().await;
    });
}

#[test]
fn a_stream_that_panics_is_silent() {
    silent(async || {
        let task = tokio::spawn(async {
            let panics = iter(0..3).map(|i| assert!(i < 1));
            let panics = panics.tracked().on_close(async { log("closed") });
            panics.count().await
        });
        assert!(task.await.is_err());
        shutdown_streams().await;
        assert_eq!(logged(), ["closed"]);
    });
}

#[test]
fn a_slow_cleanup_that_waits_is_silent() {
    silent(async || {
        let stream = iter(0..3).tracked().on_close(sleep(200 * MS));
        assert_eq!(stream.count().await, 3);
    });
}

#[test]
fn a_cleanup_that_blocks_is_blamed_by_its_own_line() {
    in_debug(|run| {
        run.block_on(async {
            let stream = iter(0..3).tracked();
            let stream = stream.on_close(async { support::block() }); // site: blocks
            stream.close().await;
        });
        run.expect(&[Expected::new(ReportKind::SlowPoll).at(site!("blocks"))]);
    });
}

#[test]
fn a_cleanup_may_wait_for_long() {
    on(&[case(Host::Ours, Flavor::CurrentThread, true)], |run| {
        run.config(Config::new().never_polled_after(20 * MS));
        run.block_on(async {
            let stream = iter(0..3).tracked();
            let mut stream = stream.on_close(async {});
            stream.next().await;
            // The living have been looked at: this is one that is seen.
            let _kept = iter(0..3).tracked(); // site: kept
            tokio::task::spawn_blocking(|| wait_until("the living", |seen| !seen.is_empty()))
                .await
                .expect("no panic");
            stream.close().await;
        });
        run.expect(&[Expected::new(ReportKind::NeverPolled).at(site!("kept"))]);
    });
}
