//! Findings about streams: each form of each, once, by name and line.

// The mistakes are what is tested.
#![allow(clippy::let_underscore_future)]
#![cfg(all(feature = "rt-multi-thread", feature = "stream"))]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use debug_async::config::Config;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use futures::stream::{self, FusedStream, Stream};
use futures::{FutureExt, StreamExt};
use support::run::{Flavor, case};
use support::{Expected, Host, block, everywhere, in_debug, on, site, wait_until};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

fn numbers(n: u32) -> impl Stream<Item = u32> {
    async_stream::stream! {
        for i in 0..n {
            tokio::task::yield_now().await;
            yield i;
        }
    }
}

fn never_polled() -> Expected {
    Expected::new(ReportKind::NeverPolled).says("was never polled")
}

#[test]
fn a_stream_that_was_never_polled() {
    everywhere(|run| {
        run.block_on(async {
            let _forgotten = numbers(3).tracked(); // site: variable
            drop(vec![numbers(3).tracked_as("rows")]); // site: named
            let (_sender, receiver) = mpsc::channel::<u32>(1);
            drop(ReceiverStream::new(receiver).tracked()); // site: receiver
        });
        let stream = never_polled().says("stream `").says("and was dropped");
        run.expect(&[
            stream
                .clone()
                .at(site!("variable"))
                .named("stream::numbers"),
            stream.clone().at(site!("named")).named("rows"),
            stream.at(site!("receiver")).named("ReceiverStream<u32>"),
        ]);
    });
}

#[test]
fn a_stream_that_lives_and_is_not_polled() {
    on(&[case(Host::Ours, Flavor::CurrentThread, true)], |run| {
        run.config(Config::new().never_polled_after(Duration::from_millis(50)));
        let kept = run.block_on(async { Box::pin(numbers(1).tracked()) }); // site: alive
        wait_until("the living stream", |seen| !seen.is_empty());
        drop(kept);
        run.expect(&[never_polled()
            .at(site!("alive"))
            .says("although it has been there")]);
    });
}

#[test]
fn nested_wrappers_are_one_report() {
    everywhere(|run| {
        let inner = numbers(1).tracked(); // site: inner
        drop(inner.tracked().tracked_as("outer"));
        run.expect(&[never_polled().at(site!("inner"))]);
    });
}

#[test]
fn a_slow_poll_is_blamed_on_the_stream() {
    in_debug(|run| {
        run.block_on(async {
            let mut slow = stream::iter(0..3)
                .map(|i| {
                    if i == 1 {
                        block()
                    }
                })
                .tracked_as("slow"); // site: slow
            while slow.next().await.is_some() {}
        });
        let expected = Expected::new(ReportKind::SlowPoll).named("slow");
        let seen = run.finish();
        let [report] = &seen[..] else {
            panic!("one report expected: {seen:?}")
        };
        support::check(&seen, &[expected.at(site!("slow"))]).expect("it is that");
        assert_eq!(report.polls, Some(2), "{}", report.text);
        assert!(report.text.contains("items 2"), "{}", report.text);
    });
}

#[test]
fn a_slow_drop_is_blamed_on_the_stream() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            block();
        }
    }
    in_debug(|run| {
        run.block_on(async {
            let slow = Slow;
            let kept = stream::iter(0..3).map(move |_| {
                let _slow = &slow;
            });
            let mut kept = kept.tracked(); // site: drop
            kept.next().await;
        });
        run.expect(&[Expected::new(ReportKind::SlowDrop)
            .at(site!("drop"))
            .says("dropping stream `Map in stream::a_slow_drop_is_blamed_on_the_stream`")]);
    });
}

#[test]
fn a_stream_that_panics_when_it_is_polled_again() {
    in_debug(|run| {
        run.block_on(async {
            let once = stream::unfold(false, |done| async move { (!done).then_some(((), true)) });
            let mut once = pin!(once.tracked()); // site: again
            assert!(once.next().await.is_some());
            assert!(once.next().await.is_none());
            let again = AssertUnwindSafe(once.next()).catch_unwind().await;
            assert!(again.is_err());
        });
        run.expect(&[Expected::new(ReportKind::PolledAfterCompletion)
            .at(site!("again"))
            .says("panicked when it was polled again after its end")]);
    });
}

#[test]
fn a_span_that_is_left_entered_while_it_waits() {
    in_debug(|run| {
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::set_global_default(subscriber).expect("it is the first");
        run.block_on(async {
            let leaky = async_stream::stream! {
                let _entered = tracing::error_span!("leaky").entered();
                tokio::task::yield_now().await;
                yield 1;
            };
            let leaky = leaky.tracked(); // site: span
            assert_eq!(leaky.count().await, 1);
        });
        run.expect(&[Expected::new(ReportKind::SpanAcrossAwait).at(site!("span"))]);
    });
}

#[test]
fn the_dump_shows_the_items() {
    in_debug(|run| {
        run.block_on(async {
            let mut items = pin!(numbers(9).tracked_as("rows"));
            for _ in 0..3 {
                items.next().await;
            }
            let dump = tokio::task::spawn_blocking(debug_async::dump);
            let dump = dump.await.expect("no panic");
            let rows = dump.objects.iter().find(|object| object.name == "rows");
            assert_eq!(rows.and_then(|rows| rows.items), Some(3), "{dump}");
            assert!(dump.to_string().contains("6 (items 3)"), "{dump}");
            assert!(
                dump.tree().to_string().contains(", polls 6, items 3)"),
                "{}",
                dump.tree()
            );
            let others = dump.objects.iter().filter(|object| object.name != "rows");
            assert!(
                others.clone().all(|object| object.items.is_none()),
                "{dump}"
            );
        });
        run.expect(&[]);
    });
}

#[test]
fn it_says_of_itself_what_the_stream_does() {
    let hinted = stream::iter(0..3).tracked();
    assert_eq!(hinted.size_hint(), (3, Some(3)));
    assert_eq!(
        format!("{:?}", hinted.get_ref()).len() + "TrackedStream()".len(),
        format!("{hinted:?}").len()
    );
    hinted.discard();

    let mut fused = stream::iter([1]).fuse().tracked();
    assert!(!fused.is_terminated());
    assert_eq!(fused.next().now_or_never(), Some(Some(1)));
    assert_eq!(fused.next().now_or_never(), Some(None));
    assert!(fused.is_terminated());
}

#[test]
fn the_stream_is_polled_as_often_as_the_wrapper() {
    struct Counted<'a>(&'a mut u32);
    impl Stream for Counted<'_> {
        type Item = ();
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            *self.0 += 1;
            match *self.0 % 4 {
                0 => Poll::Ready(None),
                1 => Poll::Pending,
                _ => Poll::Ready(Some(())),
            }
        }
    }
    for debug in [true, false] {
        debug_async::set_debug(debug);
        let mut polls = 0;
        let mut stream = Counted(&mut polls).tracked();
        let mut context = Context::from_waker(Waker::noop());
        let seen: Vec<_> = (0..9)
            .map(|_| stream.poll_next_unpin(&mut context))
            .collect();
        drop(stream);
        assert_eq!(polls, 9);
        assert_eq!(
            seen[..4],
            [
                Poll::Pending,
                Poll::Ready(Some(())),
                Poll::Ready(Some(())),
                Poll::Ready(None)
            ]
        );
        assert_eq!(seen[..4], seen[4..8]);
    }
}

#[test]
fn a_panic_goes_through_and_leaves_it_usable() {
    for debug in [true, false] {
        debug_async::set_debug(debug);
        let mut stream = stream::iter([0, 1, 2]).map(|i| 6 / i).tracked();
        let first = catch_unwind(AssertUnwindSafe(|| stream.next().now_or_never()));
        assert!(first.is_err());
        assert_eq!(stream.next().now_or_never(), Some(Some(6)));
        assert_eq!(stream.get_mut().size_hint(), (1, Some(1)));
    }
}
