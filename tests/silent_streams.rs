//! What must not be reported about streams: the idioms that look like a bug and are none.

// The mistakes are what is tested.
#![allow(clippy::let_underscore_future)]
#![cfg(all(feature = "rt-multi-thread", feature = "stream"))]

mod support;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use debug_async::prelude::*;
use futures::stream::{self, FuturesUnordered, Stream};
use futures::{SinkExt, StreamExt, TryStreamExt};
use support::silent;
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_stream::StreamMap;
use tokio_stream::wrappers::{BroadcastStream, IntervalStream, ReceiverStream, WatchStream};
use tokio_util::codec::{Framed, LinesCodec};

const MS: Duration = Duration::from_millis(1);

/// Items that come one by one, each after a turn of the runtime.
fn slowly(n: u32) -> impl Stream<Item = u32> {
    async_stream::stream! {
        for i in 0..n {
            tokio::task::yield_now().await;
            yield i;
        }
    }
}

/// A receiver whose sender sends so many, and goes.
fn received(n: u32) -> ReceiverStream<u32> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        for i in 0..n {
            if sender.send(i).await.is_err() {
                break;
            }
        }
    });
    ReceiverStream::new(receiver)
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks: tests/unstable.rs"
)]
fn a_stream_that_is_dropped_half_way() {
    silent(async || {
        let mut items = pin!(slowly(9).tracked());
        assert_eq!(items.next().await, Some(0));
        let mut received = received(9).tracked();
        while let Some(item) = received.next().await {
            if item == 3 {
                break;
            }
        }
    });
}

#[test]
fn a_stream_of_which_some_are_taken() {
    silent(async || {
        let some: Vec<u32> = StreamExt::take(slowly(9).tracked(), 2).collect().await;
        assert_eq!(some, [0, 1]);
        let none: Vec<u32> = StreamExt::take(slowly(9).tracked(), 0).collect().await;
        assert!(none.is_empty());
        let small = StreamExt::take_while(slowly(9).tracked(), |i| {
            let small = *i < 3;
            async move { small }
        });
        assert_eq!(small.count().await, 3);
    });
}

#[test]
fn a_select_loop_that_polls_ended_streams_again() {
    silent(async || {
        let mut few = received(2).tracked();
        let mut many = received(5).tracked();
        let mut ticks = IntervalStream::new(interval(MS)).tracked();
        let mut seen = 0;
        loop {
            tokio::select! {
                Some(_) = few.next() => seen += 1,
                Some(_) = many.next() => seen += 1,
                Some(_) = ticks.next(), if seen < 7 => {}
                else => break,
            }
        }
        assert_eq!(seen, 7);
        for _ in 0..5 {
            assert_eq!(few.next().await, None);
        }
    });
}

#[test]
fn a_select_loop_over_a_stream_and_a_signal() {
    silent(async || {
        let (stop, mut stopped) = watch::channel(false);
        let mut items = pin!(slowly(1_000_000).tracked());
        let mut n = 0;
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                item = items.next() => {
                    n += u32::from(item.is_some());
                    if n == 10 {
                        stop.send(true).expect("it listens");
                    }
                }
            }
        }
    });
}

#[test]
fn a_branch_of_a_select_that_never_came_to_its_stream() {
    silent(async || {
        tokio::select! {
            biased;
            _ = async {} => {}
            _ = async { slowly(1).tracked().count().await } => unreachable!("the first is ready"),
        }
        let mut late = pin!(slowly(1).tracked());
        tokio::select! {
            biased;
            _ = async {} => {}
            _ = late.next() => unreachable!("the first is ready"),
        }
        late.next().await;
    });
}

#[test]
fn a_stream_that_says_none_and_goes_on() {
    silent(async || {
        let mut running = FuturesUnordered::new().tracked();
        for i in 0..3 {
            assert_eq!(running.next().await, None);
            running.get_mut().push(async move {
                tokio::task::yield_now().await;
                i
            });
            assert_eq!(running.next().await, Some(i));
        }
        let mut streams = StreamMap::new();
        streams.insert("a", Box::pin(slowly(1).tracked()));
        assert!(streams.next().await.is_some());
        assert!(streams.next().await.is_none());
        streams.insert("b", Box::pin(slowly(1).tracked()));
        assert!(streams.next().await.is_some());
    });
}

#[test]
fn a_stream_whose_push_panics_after_a_none() {
    silent(async || {
        let mut running = FuturesUnordered::new().tracked();
        assert!(running.next().await.is_none());
        running.get_mut().push(async { panic!("on purpose") });
        let next = tokio::spawn(async move { running.next().await });
        assert!(next.await.is_err_and(|error| error.is_panic()));
    });
}

#[test]
fn a_stream_that_panics_before_its_end() {
    silent(async || {
        let panics = stream::iter([1]).map(|_| panic!("on purpose")).tracked();
        let task = tokio::spawn(async move { panics.map(|(): ()| 1).count().await });
        assert!(task.await.is_err_and(|error| error.is_panic()));
    });
}

#[test]
fn streams_that_are_joined() {
    silent(async || {
        let merged = tokio_stream::StreamExt::merge(received(3).tracked(), received(2).tracked());
        assert_eq!(merged.count().await, 5);
        let zipped = StreamExt::zip(slowly(3).tracked(), received(9).tracked());
        assert_eq!(zipped.count().await, 3);
        let chained = StreamExt::chain(slowly(3).tracked(), slowly(3).tracked());
        assert_eq!(StreamExt::take(chained, 2).count().await, 2);
        let none = stream::empty::<u32>().tracked();
        assert_eq!(StreamExt::zip(none, slowly(9).tracked()).count().await, 0);
        let many: Vec<_> = (0..3).map(|_| Box::pin(slowly(2).tracked())).collect();
        assert_eq!(stream::select_all(many).count().await, 6);
        let flat = stream::iter(vec![received(1).tracked(), received(1).tracked()]).flatten();
        assert_eq!(StreamExt::take(flat, 1).count().await, 1);
    });
}

#[test]
fn streams_that_are_cut_up_and_buffered() {
    silent(async || {
        let chunks = StreamExt::chunks(slowly(5).tracked(), 2);
        assert_eq!(chunks.count().await, 3);
        let timed = tokio_stream::StreamExt::chunks_timeout(received(5).tracked(), 2, 10 * MS);
        assert!(timed.count().await >= 3);
        let wait = |i| async move {
            sleep(MS).await;
            i
        };
        let buffered = slowly(5).tracked().map(wait).buffer_unordered(3).tracked();
        assert_eq!(buffered.count().await, 5);
        let mut ordered = pin!(slowly(5).tracked().map(wait).buffered(3));
        ordered.next().await;
        let all = slowly(3).tracked().for_each_concurrent(2, |_| sleep(MS));
        all.await;
        let first = slowly(9)
            .tracked()
            .map(Err::<(), _>)
            .try_collect::<Vec<_>>();
        assert_eq!(first.await, Err(0));
    });
}

#[test]
fn streams_of_all_sorts_to_their_end() {
    silent(async || {
        let counted = stream::unfold(0, |n| async move { (n < 3).then_some((n, n + 1)) });
        assert_eq!(counted.tracked().count().await, 3);
        let (sender, receiver) = broadcast::channel(2);
        for i in 0..5 {
            sender.send(i).expect("it is there");
        }
        drop(sender);
        // The first says how many were missed.
        assert_eq!(BroadcastStream::new(receiver).tracked().count().await, 3);
        let (_sender, receiver) = watch::channel(1);
        let mut values = WatchStream::new(receiver).tracked();
        assert_eq!(values.next().await, Some(1));
        let mut ticks = IntervalStream::new(interval(MS)).tracked();
        ticks.next().await;
        let boxed: Pin<Box<dyn Stream<Item = u32> + Send>> = Box::pin(slowly(3));
        assert_eq!(boxed.tracked().count().await, 3);
        assert_eq!(slowly(2).boxed_local().tracked().count().await, 2);
        let fused = StreamExt::fuse(slowly(1)).tracked();
        let mut fused = pin!(fused);
        for _ in 0..4 {
            fused.next().await;
        }
    });
}

#[test]
fn a_stream_that_is_waited_for_with_a_timeout() {
    silent(async || {
        let (sender, receiver) = mpsc::channel::<u32>(1);
        let mut items = ReceiverStream::new(receiver).tracked();
        for _ in 0..3 {
            let next = timeout(MS, items.next()).await;
            assert!(next.is_err());
        }
        sender.send(1).await.expect("it listens");
        let next = timeout(1_000 * MS, items.next()).await;
        assert_eq!(next, Ok(Some(1)));
        let mut slow = pin!(tokio_stream::StreamExt::timeout(
            slowly(9).tracked(),
            1_000 * MS
        ));
        assert!(slow.next().await.is_some_and(|item| item.is_ok()));
        let peeked = slowly(2).tracked().peekable();
        let mut peeked = pin!(peeked);
        assert_eq!(peeked.as_mut().peek().await, Some(&0));
    });
}

#[test]
fn a_stream_that_goes_from_task_to_task() {
    silent(async || {
        let items = Arc::new(Mutex::new(received(20).tracked()));
        let consume = |items: Arc<Mutex<TrackedReceiver>>| async move {
            while let Some(_item) = items.lock().await.next().await {
                tokio::task::yield_now().await;
            }
        };
        let one = debug_async::spawn!(consume(Arc::clone(&items)));
        let other = debug_async::spawn!(consume(items));
        one.await.expect("no panic");
        other.await.expect("no panic");
    });
}

type TrackedReceiver = debug_async::stream::TrackedStream<ReceiverStream<u32>>;

#[test]
fn the_body_of_a_response_that_nobody_reads() {
    silent(async || {
        let body = || {
            Body::from_stream(
                slowly(3)
                    .tracked()
                    .map(|i| Ok::<_, std::io::Error>(i.to_string())),
            )
        };
        // As for a `HEAD`, or a client that has gone.
        drop(body());
        drop(axum::response::Response::new(body()));
        let bytes = axum::body::to_bytes(body(), 100)
            .await
            .expect("it is short");
        assert_eq!(bytes.len(), 3);
    });
}

#[test]
fn a_tracked_body_that_nobody_reads() {
    silent(async || {
        let items = slowly(3).map(|i| Ok::<_, std::io::Error>(i.to_string()));
        drop(axum::response::Response::new(Body::from_stream(
            items.tracked(),
        )));
    });
}

#[test]
fn a_sink_that_is_only_written_to() {
    silent(async || {
        let (near, _far) = tokio::io::duplex(64);
        let mut written = Framed::new(near, LinesCodec::new()).tracked();
        written.send("hello").await.expect("there is room");
        drop(written);
    });
}

#[test]
fn a_sink_and_a_stream_in_one() {
    silent(async || {
        let (near, far) = tokio::io::duplex(64);
        let mut lines = Framed::new(near, LinesCodec::new()).tracked();
        lines.send("hello").await.expect("there is room");
        let (mut sink, mut stream) = Framed::new(far, LinesCodec::new()).tracked().split();
        let line = stream.next().await;
        assert_eq!(line.and_then(Result::ok).as_deref(), Some("hello"));
        let writer = tokio::spawn(async move { sink.send("bye").await });
        let line = lines.next().await;
        assert_eq!(line.and_then(Result::ok).as_deref(), Some("bye"));
        writer.await.expect("no panic").expect("there is room");
    });
}

#[test]
fn streams_that_were_not_needed_after_all() {
    silent(async || {
        slowly(3).tracked().discard();
        // One of this line has been polled.
        for i in 0..3 {
            let mut items = pin!(slowly(3).tracked());
            if i == 1 {
                items.next().await;
            }
        }
        let cancelled = debug_async::spawn!(async { slowly(u32::MAX).tracked().count().await });
        tokio::task::yield_now().await;
        cancelled.abort();
        assert!(cancelled.await.is_err());
    });
}

#[test]
fn an_item_that_is_an_entered_span() {
    silent(async || {
        struct Entered(u32);
        impl Stream for Entered {
            type Item = tracing::span::EnteredSpan;
            fn poll_next(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                self.0 += 1;
                Poll::Ready((self.0 < 3).then(|| tracing::error_span!("item").entered()))
            }
        }
        let subscriber = tracing_subscriber::registry();
        let _default = tracing::subscriber::set_default(subscriber);
        let mut items = Entered(0).tracked();
        while let Some(span) = items.next().await {
            drop(span);
        }
    });
}

#[test]
fn a_slow_stream_that_may_be() {
    silent(async || {
        let slow = stream::iter([1]).map(|_| support::block());
        slow.tracked().slow_ok(60_000 * MS).count().await;
    });
}
