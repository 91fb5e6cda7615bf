//! Tasks that are polled all the time because they wake themselves.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task;
use support::{Expected, Run, Seen, check, in_debug, site, wait_until};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Longer than a finding takes to be certain.
const CERTAIN: Duration = Duration::from_millis(4_500);

fn busy() -> Expected {
    Expected::new(ReportKind::Busy)
}

async fn run_till_found(name: &str, spins: impl Future<Output = ()> + Send + 'static) {
    let task = debug_async::spawn!(name = name, spins); // site: spawned
    let is_it = |seen: &Seen| seen.kind == ReportKind::Busy;
    let seen = task::spawn_blocking(move || wait_until("it", |seen| seen.iter().any(is_it)));
    seen.await.expect("it was seen");
    sleep(Duration::from_millis(2_500)).await;
    task.abort();
    let _ = task.await;
}

/// A machine that has more to do than it can is slow in other ways, too.
fn found_busy(run: &mut Run) -> Vec<Seen> {
    let mut seen = run.finish();
    seen.retain(|seen| seen.kind == ReportKind::Busy);
    seen
}

fn expect_busy(run: &mut Run, expected: Expected) {
    check(&found_busy(run), &[expected]).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[track_caller]
fn none_is_busy<F: AsyncFn()>(scenario: F) {
    in_debug(|run| {
        run.block_on(scenario());
        let busy = found_busy(run);
        assert!(busy.is_empty(), "{busy:#?}");
    });
}

#[test]
fn a_future_that_wakes_itself() {
    in_debug(|run| {
        run.block_on(async {
            let (_kept, mut never) = mpsc::channel::<()>(1);
            let spins = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            run_till_found("spins", async move {
                tokio::select! {
                    () = spins => {}
                    _ = never.recv() => {}
                }
            })
            .await;
        });
        let expected = busy().at(site!("spawned")).named("spins");
        expect_busy(run, expected.says("polls in").stack(true));
    });
}

#[test]
fn a_loop_that_yields() {
    in_debug(|run| {
        run.block_on(async {
            run_till_found("yields", async {
                loop {
                    task::yield_now().await; // site: yields
                }
            })
            .await;
        });
        let expected = busy().at(site!("spawned")).named("yields");
        expect_busy(run, expected.waits("it yields in", site!("yields")));
    });
}

#[test]
fn tasks_that_wake_each_other() {
    none_is_busy(async || {
        let until = Instant::now() + CERTAIN;
        let (ping, mut pings) = mpsc::channel(1);
        let (pong, mut pongs) = mpsc::channel(1);
        let other = debug_async::spawn(async move {
            while let Some(()) = pings.recv().await {
                if pong.send(()).await.is_err() {
                    break;
                }
            }
        });
        let mut rounds = 0;
        while Instant::now() < until {
            ping.send(()).await.expect("it listens");
            pongs.recv().await;
            rounds += 1;
        }
        drop((ping, pongs));
        other.await.expect("no panic");
        assert!(rounds > 0);
    });
}

#[test]
fn work_that_uses_its_budget_up() {
    none_is_busy(async || {
        let until = Instant::now() + CERTAIN;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // More than there is time for; nobody else has to wake it.
        for n in 0..2_000_000 {
            sender.send(n).expect("there is room");
        }
        drop(sender);
        let reader = debug_async::spawn(async move {
            while Instant::now() < until && receiver.recv().await.is_some() {}
        });
        reader.await.expect("no panic");
        // The parts of one task wake each other.
        let (sender, mut receiver) = mpsc::channel(1);
        let sends = async move {
            while Instant::now() < until + CERTAIN {
                sender.send(()).await.expect("it listens");
            }
        };
        let both =
            async move { tokio::join!(sends, async { while receiver.recv().await.is_some() {} }) };
        debug_async::spawn(both).await.expect("no panic");
    });
}

#[test]
fn what_yields_for_a_while() {
    none_is_busy(async || {
        let spin = async |time: Duration| {
            let until = Instant::now() + time;
            while Instant::now() < until {
                task::yield_now().await;
            }
        };
        let short = debug_async::spawn(async move { spin(Duration::from_millis(900)).await });
        short.await.expect("no panic");
        sleep(CERTAIN).await;
        // On purpose, and said so.
        let long = async move {
            let spins = pin!(spin(CERTAIN).tracked().slow_ok(Duration::from_secs(1)));
            spins.await;
        };
        debug_async::spawn(long).await.expect("no panic");
    });
}
