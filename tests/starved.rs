//! Futures that were woken and are not polled, although their task is.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use support::{Expected, in_debug, silent, site, wait_until};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Longer than a finding takes to be certain.
const CERTAIN: Duration = Duration::from_millis(4_500);

/// How many tasks are in each state of affairs that looks like it and is not.
const MANY: u32 = 1_000;

const MOMENT: Duration = Duration::from_millis(60);

fn starved() -> Expected {
    Expected::new(ReportKind::Starved)
}

/// Waits till it was found, and then for long enough to see that it is said once.
async fn found() {
    let is_it = |seen: &support::Seen| seen.kind == ReportKind::Starved;
    let seen = task::spawn_blocking(move || wait_until("it", |seen| seen.iter().any(is_it)));
    seen.await.expect("it was seen");
    sleep(Duration::from_millis(2_500)).await;
}

/// Runs it as a task till it was found starving.
async fn run_till_found(name: &str, hangs: impl Future<Output = ()> + Send + 'static) {
    let task = debug_async::spawn!(name = name, hangs);
    found().await;
    assert!(!task.is_finished());
    task.abort();
    let _ = task.await;
}

#[test]
fn an_arm_that_awaits_the_lock_which_the_parked_future_was_given() {
    in_debug(|run| {
        run.block_on(async {
            let mutex = Arc::new(Mutex::new(()));
            let held = mutex.clone().lock_owned().await;
            task::spawn(async move {
                sleep(MOMENT * 4).await;
                drop(held);
            })
            .detach();
            run_till_found("locks itself", async move {
                let wants = async { drop(mutex.lock().await) }; // site: wants the lock
                let mut wants = pin!(wants.tracked_as("parked")); // site: parked, of a mutex
                tokio::select! {
                    () = &mut wants => {}
                    () = sleep(MOMENT) => drop(mutex.lock().await), // site: wants it too
                }
            })
            .await;
        });
        run.expect(&[starved()
            .at(site!("parked, of a mutex"))
            .named("parked")
            .says("task `locks itself` has")
            .waits("it waited in", site!("wants the lock"))
            .waits("task `locks itself` now waits in", site!("wants it too"))]);
    });
}

#[test]
fn an_arm_that_awaits_the_place_which_the_parked_future_was_given() {
    in_debug(|run| {
        run.block_on(async {
            let (sender, mut messages) = mpsc::channel(1);
            sender.send(0).await.expect("there is room");
            let other = sender.clone();
            let receiver = debug_async::spawn!(async move {
                sleep(MOMENT * 4).await;
                messages.recv().await;
                // Not another one.
                sleep(LONG).await;
                messages.recv().await;
            });
            run_till_found("sends", async move {
                let sends = async { other.send(1).await }; // site: sends
                let mut sends = Box::pin(sends.tracked_as("sends one")); // site: parked, of a channel
                tokio::select! {
                    _ = &mut sends => {}
                    () = sleep(MOMENT) => { let _ = sender.send(2).await; } // site: sends too
                }
            })
            .await;
            receiver.abort();
            let _ = receiver.await;
        });
        run.expect(&[starved()
            .at(site!("parked, of a channel"))
            .named("sends one")
            .waits("it waited in", site!("sends"))
            .waits("task `sends` now waits in", site!("sends too"))]);
    });
}

#[test]
fn the_body_of_a_loop_over_a_buffered_stream() {
    in_debug(|run| {
        run.block_on(async {
            run_till_found("consumes", async {
                // One for the body of the loop, and one that it leaves where it is.
                let work = |n: u32| async move {
                    sleep(MOMENT * n).await; // site: works
                };
                // site: buffered
                let works = futures::stream::iter(1..3).map(|n| work(n).tracked_as("work"));
                let mut works = works.buffer_unordered(2);
                while let Some(()) = works.next().await {
                    sleep(LONG).await; // site: consumes
                }
            })
            .await;
        });
        run.expect(&[starved()
            .at(site!("buffered"))
            .named("work")
            .waits("it waited in", site!("works"))
            .waits("task `consumes` now waits in", site!("consumes"))]);
    });
}

/// Polls one, and then only the other.
struct Machine<A, B> {
    paused: Pin<Box<A>>,
    runs: Pin<Box<B>>,
    polls: u32,
}

impl<A: Future<Output = ()>, B: Future<Output = ()>> Future for Machine<A, B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        if self.polls == 1 {
            assert!(self.paused.as_mut().poll(cx).is_pending());
        }
        self.runs.as_mut().poll(cx)
    }
}

#[test]
fn a_paused_part_of_a_state_machine() {
    in_debug(|run| {
        run.block_on(async {
            let (tell, told) = oneshot::channel::<()>();
            let (done, is_done) = oneshot::channel::<()>();
            let paused = async move {
                told.await.expect("it is told"); // site: is told
                drop(done);
            };
            // It is nested: the one that could be polled is to blame.
            let paused = async move { paused.tracked().await };
            let runs = async move { drop(is_done.await) }; // site: runs
            let machine = Machine {
                paused: Box::pin(paused.tracked_as("paused")), // site: paused
                runs: Box::pin(runs),
                polls: 0,
            };
            task::spawn(async move {
                sleep(MOMENT * 2).await;
                let _ = tell.send(());
            })
            .detach();
            run_till_found("machine", machine).await;
        });
        run.expect(&[starved()
            .at(site!("paused"))
            .named("paused")
            .waits("it waited in", site!("is told"))
            .waits("task `machine` now waits in", site!("runs"))]);
    });
}

#[test]
fn in_the_main_future_too_and_without_stacks() {
    in_debug(|run| {
        if run.case.host == support::Host::Tokio {
            return run.expect(&[]);
        }
        run.config(debug_async::config::Config::new().await_stacks(false));
        run.block_on(async {
            let mut woken = pin!(sleep(MOMENT).tracked_as("woken")); // site: of main
            assert!(timeout(MOMENT / 10, &mut woken).await.is_err());
            found().await;
        });
        run.expect(&[starved()
            .at(site!("of main"))
            .says("main future")
            .stack(true)]);
    });
}

#[test]
fn a_future_that_rests_on_purpose() {
    silent(async || {
        let resting = async |parked: bool| {
            let woken = sleep(MOMENT).tracked();
            let mut woken = pin!(if parked { woken.parked() } else { woken });
            assert!(timeout(MOMENT / 10, &mut woken).await.is_err());
            // For less than it takes, or for longer and said so.
            sleep(if parked { CERTAIN } else { MOMENT * 10 }).await;
            woken.await;
        };
        tokio::join!(resting(true), resting(false));
    });
}

#[test]
fn futures_that_are_done_or_gone() {
    none_is_starved(async || {
        let tasks: JoinSet<()> = (0..MANY)
            .map(|n| async move {
                let mut done = Box::pin(sleep(MOMENT).tracked());
                done.as_mut().await;
                let mut kept = Box::pin(sleep(MOMENT).tracked());
                let is_done = futures::poll!(kept.as_mut()).is_ready();
                if is_done || n % 2 == 0 {
                    drop(kept);
                } else {
                    // To another, which polls it to the end.
                    task::spawn(kept).await.expect("no panic");
                }
                sleep(CERTAIN).await;
                drop(done);
            })
            .collect();
        tasks.join_all().await;
    });
}

/// Takes a processor for a moment.
fn compute() {
    let until = Instant::now() + Duration::from_micros(200);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Work that waits a little, again and again.
async fn step() {
    sleep(Duration::from_millis(30)).await;
    compute();
}

async fn steps(count: u32) {
    for _ in 0..count {
        step().tracked().await;
    }
}

/// Fails if any is found starving. A machine that has more to do than it can is slow in
/// other ways, too.
#[track_caller]
fn none_is_starved<F: AsyncFn()>(scenario: F) {
    in_debug(|run| {
        run.block_on(scenario());
        let seen = run.finish();
        let starved: Vec<_> = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::Starved)
            .collect();
        assert!(starved.is_empty(), "{starved:#?}");
    });
}

/// Has many tasks do it for as long as it takes to be sure.
async fn many<F>(idiom: fn(Instant) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let until = Instant::now() + CERTAIN;
    let tasks: JoinSet<()> = (0..MANY).map(|_| idiom(until)).collect();
    tasks.join_all().await;
}

#[test]
fn a_select_in_a_loop_with_short_arms() {
    async fn idiom(until: Instant) {
        while Instant::now() < until {
            let mut steps = pin!(steps(5).tracked());
            loop {
                tokio::select! {
                    () = &mut steps => break,
                    () = sleep(Duration::from_millis(10)) => {
                        step().await;
                        task::yield_now().await;
                    }
                }
            }
        }
    }
    none_is_starved(async || many(idiom).await);
}

#[test]
fn a_biased_select_with_a_busy_first_branch() {
    async fn idiom(until: Instant) {
        while Instant::now() < until {
            let mut waits = pin!(sleep(Duration::from_millis(10)).tracked());
            let mut left = 10;
            loop {
                tokio::select! {
                    biased;
                    () = std::future::ready(()), if left > 0 => {
                        left -= 1;
                        sleep(Duration::from_millis(50)).await;
                    }
                    () = &mut waits => break,
                }
            }
        }
    }
    none_is_starved(async || many(idiom).await);
}

#[test]
fn a_timeout_again_and_again() {
    async fn idiom(until: Instant) {
        while Instant::now() < until {
            let mut steps = pin!(steps(3).tracked());
            while timeout(Duration::from_millis(5), &mut steps).await.is_err() {
                compute();
            }
        }
    }
    none_is_starved(async || many(idiom).await);
}

#[test]
fn branches_that_are_polled_together() {
    async fn idiom(until: Instant) {
        while Instant::now() < until {
            tokio::join!(steps(1).tracked(), steps(3).tracked(), sleep(MOMENT));
            futures::future::join_all((0..3).map(|n| steps(n).tracked())).await;
        }
    }
    none_is_starved(async || many(idiom).await);
}

#[test]
fn many_futures_in_one_place() {
    none_is_starved(async || {
        let until = Instant::now() + CERTAIN;
        let again = |until: Instant| async move {
            while Instant::now() < until {
                steps(1).tracked().await;
            }
        };
        // Takes its time for each round.
        let mut all: FuturesUnordered<_> = (0..5 * MANY).map(|_| again(until).tracked()).collect();
        while all.next().await.is_some() {
            task::yield_now().await;
        }
        let few = futures::stream::iter(0..50).map(|_| steps(2).tracked());
        few.buffer_unordered(10).for_each(|()| step()).await;
    });
}
