//! Futures and streams that two tasks poll.

#![cfg(all(feature = "rt-multi-thread", feature = "stream"))]

mod support;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet};
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, Stream, StreamExt};
use support::{Expected, Seen, in_debug, silent, site, wait_until};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

const MOMENT: Duration = Duration::from_millis(60);

type Shared<S> = Arc<Mutex<Pin<Box<S>>>>;

fn shared<S>(stream: S) -> Shared<S> {
    Arc::new(Mutex::new(Box::pin(stream)))
}

/// As many write it: the lock is not held while it waits.
async fn next<S: Stream>(stream: &Shared<S>) -> Option<S::Item> {
    poll_fn(|cx| stream.lock().expect("no panic").as_mut().poll_next(cx)).await
}

async fn finish<F: Future>(future: &Shared<F>) -> F::Output {
    poll_fn(|cx| future.lock().expect("no panic").as_mut().poll(cx)).await
}

fn two() -> Expected {
    Expected::new(ReportKind::PolledByTwoTasks)
}

/// Waits till it is found.
async fn found() {
    let is_it = |seen: &Seen| seen.kind == ReportKind::PolledByTwoTasks;
    let seen = task::spawn_blocking(move || wait_until("it", |seen| seen.iter().any(is_it)));
    seen.await.expect("it was seen");
}

/// Gives a number now and then.
fn numbers(every: Duration) -> impl Stream<Item = u32> + Send {
    futures::stream::unfold(0, move |n| async move {
        sleep(every).await; // site: numbers
        Some((n, n + 1))
    })
}

#[test]
fn a_stream_that_two_tasks_take_from() {
    in_debug(|run| {
        run.block_on(async {
            let stream = shared(numbers(MOMENT * 100).boxed().tracked_as("shared")); // site: stream
            let consume = |stream: Shared<
                debug_async::stream::TrackedStream<BoxStream<'static, u32>>,
            >| async move {
                for _ in 0..10_000 {
                    tokio::select! {
                        Some(_) = next(&stream) => {}
                        () = sleep(MOMENT) => {}
                    }
                }
            };
            let first = debug_async::spawn!(name = "first", consume(Arc::clone(&stream)));
            let second = debug_async::spawn!(name = "second", consume(stream));
            found().await;
            for consumer in [first, second] {
                consumer.abort();
                let _ = consumer.await;
            }
        });
        run.expect(&[two()
            .at(site!("stream"))
            .named("shared")
            .says("first")
            .says("second")
            .waits("waited in", site!("numbers"))]);
    });
}

#[test]
fn a_future_that_two_tasks_wait_for() {
    in_debug(|run| {
        run.block_on(async {
            let (sender, mut messages) = mpsc::channel::<()>(1);
            let messages = async move { messages.recv().await }; // site: receives
            let future = shared(messages.tracked_as("message")); // site: future
            let again = Arc::new(Notify::new());
            let waits = |future: Shared<_>, again: Arc<Notify>| async move {
                // Last, so that the first round shows it.
                tokio::select! {
                    biased;
                    () = async { loop { again.notified().await } } => {}
                    _ = finish(&future) => {}
                }
            };
            let one =
                debug_async::spawn!(name = "one", waits(Arc::clone(&future), Arc::clone(&again)));
            settle().await;
            let other = debug_async::spawn!(
                name = "other",
                waits(Arc::clone(&future), Arc::new(Notify::new()))
            );
            let polls = task::spawn(async move {
                loop {
                    settle().await;
                    again.notify_one();
                }
            });
            found().await;
            drop(sender);
            polls.abort();
            for task in [one, other] {
                task.abort();
                let _ = task.await;
            }
        });
        run.expect(&[two()
            .at(site!("future"))
            .named("message")
            .says("task `other` polled it while task `one` waited on it")
            .waits("task `one` waited in", site!("receives"))
            .waits("task `other` waited in", site!("receives"))]);
    });
}

/// Till whatever can run has.
async fn settle() {
    sleep(MOMENT).await;
}

/// Takes what it finds, again and again, but for the time it is not its turn.
async fn in_turn<S: Stream>(stream: &Shared<S>, turn: &Semaphore) {
    for _ in 0..20 {
        let permit = turn.acquire().await.expect("it is open");
        tokio::select! {
            item = next(stream) => assert!(item.is_some()),
            () = sleep(Duration::from_millis(5)) => {}
        }
        // The stream still has a waker of this task.
        drop(permit);
        task::yield_now().await;
    }
}

#[test]
fn tasks_that_take_turns() {
    silent(async || {
        let stream = shared(numbers(Duration::from_millis(12)).tracked());
        let turn = Arc::new(Semaphore::new(1));
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let (stream, turn) = (Arc::clone(&stream), Arc::clone(&turn));
            tasks.spawn(async move { in_turn(&stream, &turn).await });
        }
        tasks.join_all().await;
        // Under a lock of tokio's, which is held over the wait.
        let stream = Arc::new(tokio::sync::Mutex::new(Box::pin(
            numbers(Duration::from_millis(12)).tracked(),
        )));
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let stream = Arc::clone(&stream);
            tasks.spawn(async move {
                for _ in 0..20 {
                    let next = async { stream.lock().await.next().await };
                    let _ = timeout(Duration::from_millis(5), next).await;
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn hand_overs() {
    silent(async || {
        let (mut here, mut there) = (mpsc::channel(1), mpsc::channel(1));
        // From one to the other and back, polled in each.
        let other = debug_async::spawn(async move {
            while let Some(mut future) = here.1.recv().await {
                assert!(futures::poll!(&mut future).is_pending());
                if there.0.send(future).await.is_err() {
                    break;
                }
            }
        });
        let one = debug_async::spawn(async move {
            let mut future = Box::pin(sleep(Duration::from_secs(3600)).tracked());
            for _ in 0..50 {
                let _ = timeout(Duration::from_millis(1), &mut future).await;
                here.0.send(future).await.expect("it listens");
                future = there.1.recv().await.expect("it sends");
            }
        });
        one.await.expect("no panic");
        other.await.expect("no panic");
        // All that is in one goes from task to task.
        let mut all: FuturesUnordered<_> = (1..20)
            .map(|n| sleep(Duration::from_millis(n)).tracked())
            .collect();
        while !all.is_empty() {
            let next = debug_async::spawn(async move {
                all.next().await;
                let _ = timeout(Duration::from_millis(1), all.next()).await;
                all
            });
            all = next.await.expect("no panic");
        }
    });
}

/// It is one task with one waker, though nobody tracks it.
#[test]
fn two_parts_of_one_task() {
    silent(async || {
        let stream = shared(numbers(Duration::from_millis(5)).boxed().tracked());
        let task = tokio::spawn(async move {
            let take = async || {
                for _ in 0..20 {
                    tokio::select! {
                        biased;
                        () = sleep(Duration::from_millis(3)) => {}
                        _ = next(&stream) => {}
                    }
                }
            };
            tokio::join!(take().tracked(), take().tracked());
        });
        task.await.expect("no panic");
    });
}

/// Who gave it away waits on something else, and was woken for that.
#[test]
fn a_hand_over_whose_giver_was_woken() {
    silent(async || {
        let (mut here, mut there) = (mpsc::channel(1), mpsc::channel(1));
        let wake = Arc::new(Notify::new());
        let wakes = Arc::clone(&wake);
        let one = debug_async::spawn(async move {
            let mut future = Box::pin(sleep(Duration::from_secs(3600)).tracked());
            for _ in 0..50 {
                assert!(futures::poll!(&mut future).is_pending());
                here.0.try_send(future).expect("there is room");
                wake.notified().await;
                future = there.1.recv().await.expect("it sends");
            }
        });
        let other = debug_async::spawn(async move {
            while let Some(mut future) = here.1.recv().await {
                // Before it polls: the other is to run after that.
                wakes.notify_one();
                assert!(futures::poll!(&mut future).is_pending());
                if there.0.send(future).await.is_err() {
                    break;
                }
            }
        });
        one.await.expect("no panic");
        other.await.expect("no panic");
    });
}

#[test]
fn what_was_made_for_many() {
    silent(async || {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let message = receiver.map(|_| ()).tracked().shared();
        let tasks: JoinSet<()> = (0..10)
            .map(|n| {
                let message = message.clone();
                async move {
                    let early = message.clone().tracked();
                    let _ = timeout(Duration::from_millis(n), early).await;
                    message.tracked().await;
                }
            })
            .collect();
        settle().await;
        sender.send(()).expect("it listens");
        tasks.join_all().await;
    });
}

/// A future, or stream, that keeps the wakers of all who poll it.
struct ForMany {
    wakers: Vec<Waker>,
}

impl Stream for ForMany {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[test]
fn what_keeps_all_wakers() {
    silent(async || {
        let stream = shared(ForMany { wakers: Vec::new() }.tracked());
        let (stop, _) = tokio::sync::watch::channel(());
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let (stream, mut stopped) = (Arc::clone(&stream), stop.subscribe());
            tasks.spawn(async move {
                tokio::select! {
                    biased;
                    _ = stopped.changed() => {}
                    _ = next(&stream) => {}
                }
            });
        }
        for _ in 0..3 {
            settle().await;
            // A poll may leave them here, and be made under a lock.
            let mut stream = stream.lock().expect("no panic");
            let wakers = std::mem::take(&mut stream.as_mut().get_mut().get_mut().wakers);
            drop(stream);
            wakers.into_iter().for_each(Waker::wake);
        }
        drop(stop);
        tasks.join_all().await;
    });
}
