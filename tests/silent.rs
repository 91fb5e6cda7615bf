//! What must not be reported: the idioms that look like a bug and are none.
//!
//! Each runs in debug mode and in production, on both flavours. Which of them
//! concern tasks is in `silent_tasks.rs`.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use debug_async::prelude::*;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use support::{everywhere, silent};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

async fn one() -> u32 {
    1
}

async fn other() -> u32 {
    tokio::task::yield_now().await;
    2
}

async fn fails() -> Result<u32, &'static str> {
    Err("no")
}

async fn succeeds() -> Result<u32, &'static str> {
    tokio::task::yield_now().await;
    Ok(3)
}

#[test]
fn a_select_branch_that_lost_before_its_first_poll() {
    silent(async || {
        tokio::select! {
            biased;
            _ = one() => {}
            _ = other().tracked() => unreachable!("the first is ready"),
        }
    });
}

#[test]
fn a_select_branch_that_was_disabled() {
    silent(async || {
        tokio::select! {
            _ = one() => {}
            _ = other().tracked(), if false => {}
        }
    });
}

#[test]
fn a_select_branch_of_a_function_that_was_handed_on() {
    async fn race(a: impl Future<Output = u32>, b: impl Future<Output = u32>) -> u32 {
        tokio::select! { biased; a = a => a, b = b => b }
    }
    silent(async || {
        race(one(), other().tracked()).await;
    });
}

#[test]
fn a_select_branch_that_is_pinned_outside_and_polled_in_a_later_round() {
    silent(async || {
        let mut slow = pin!(other().tracked());
        let mut rounds = 0;
        loop {
            tokio::select! {
                biased;
                _ = one(), if rounds < 3 => rounds += 1,
                _ = &mut slow => break,
            }
        }
    });
}

#[test]
fn a_select_branch_that_rests_outside_and_that_nobody_came_to() {
    silent(async || {
        let mut rests = pin!(other().tracked().parked());
        tokio::select! {
            biased;
            _ = one() => {}
            _ = &mut rests => unreachable!("the other is ready"),
        }
    });
}

#[test]
fn a_timer_that_is_set_anew_before_a_select_came_to_it() {
    silent(async || {
        let long = Duration::from_secs(60);
        let mut idle = Box::pin(sleep(long).tracked());
        for _item in 0..3 {
            tokio::select! {
                biased;
                _ = one() => idle.set(sleep(long).tracked()),
                () = &mut idle => unreachable!("it is long"),
            }
        }
        assert!(idle.now_or_never().is_none());
    });
}

#[test]
fn a_branch_of_the_select_macros_of_futures() {
    silent(async || {
        futures::select_biased! {
            _ = pin!(one().fuse()) => {}
            _ = pin!(other().tracked().fuse()) => {}
        }
        drop(futures::future::select(Box::pin(one()), Box::pin(other().tracked())).await);
    });
}

#[test]
fn the_losers_of_select_ok_and_select_all() {
    silent(async || {
        let all = vec![succeeds().tracked().boxed(), fails().tracked().boxed()];
        drop(futures::future::select_ok(all).await);
        let all = vec![one().tracked().boxed(), other().tracked().boxed()];
        drop(futures::future::select_all(all).await);
    });
}

#[test]
fn a_timeout_that_fires() {
    silent(async || {
        let result = timeout(Duration::from_millis(5), pending::<()>().tracked()).await;
        assert!(result.is_err());
    });
}

#[test]
fn a_timeout_that_was_never_polled_itself_because_another_branch_won() {
    silent(async || {
        tokio::select! {
            biased;
            _ = one() => {}
            _ = timeout(Duration::from_secs(1), other().tracked()) => {}
        }
    });
}

#[test]
fn what_a_timed_out_function_had_not_come_to() {
    async fn steps() -> u32 {
        let later = other().tracked();
        sleep(Duration::from_secs(60)).await;
        later.await
    }
    silent(async || {
        assert!(timeout(Duration::from_millis(5), steps()).await.is_err());
        assert!(
            timeout(Duration::from_millis(5), steps().tracked())
                .await
                .is_err()
        );
        assert!(
            timeout(Duration::from_millis(5), Box::pin(steps()))
                .await
                .is_err()
        );
    });
}

#[test]
fn what_a_generic_function_that_was_dropped_midway_had_not_come_to() {
    async fn steps<T>(given: T) -> T {
        let later = other().tracked();
        pending::<()>().await;
        later.await;
        given
    }
    struct Client<T>(T);
    impl<T> Client<T> {
        async fn steps(&self) -> &T {
            let later = other().tracked();
            pending::<()>().await;
            later.await;
            &self.0
        }
    }
    silent(async || {
        let mut running = Box::pin(steps("given"));
        assert!(futures::poll!(running.as_mut()).is_pending());
        drop(running);
        let client = Client("given");
        let mut running = Box::pin(client.steps());
        assert!(futures::poll!(running.as_mut()).is_pending());
        drop(running);
    });
}

#[test]
fn what_a_cancelled_select_branch_had_not_come_to() {
    silent(async || {
        tokio::select! {
            biased;
            _ = async {
                let kept = (other().tracked(), Some(Box::pin(other().tracked())));
                pending::<()>().await;
                drop(kept);
            } => {}
            _ = sleep(Duration::from_millis(5)) => {}
        }
    });
}

#[test]
fn what_a_struct_in_a_cancelled_function_held() {
    struct Plan {
        steps: Vec<Pin<Box<dyn Future<Output = u32>>>>,
    }
    silent(async || {
        let run = async {
            let plan = Plan {
                steps: vec![Box::pin(other().tracked()), Box::pin(one().tracked())],
            };
            sleep(Duration::from_secs(60)).await;
            for step in plan.steps {
                step.await;
            }
        };
        assert!(timeout(Duration::from_millis(5), run).await.is_err());
    });
}

#[test]
fn a_cache_hit() {
    async fn lookup(cached: Option<u32>) -> u32 {
        let fetch = other().tracked();
        match cached {
            Some(hit) => hit,
            None => fetch.await,
        }
    }
    silent(async || {
        for cached in [Some(1), Some(2), None, Some(3)] {
            lookup(cached).await;
        }
    });
}

#[test]
fn what_a_cancelled_token_does_not_run() {
    silent(async || {
        let token = CancellationToken::new();
        token.cancel();
        let run = token.run_until_cancelled(one());
        assert_eq!(run.await, None);
        let run = token.run_until_cancelled(async { 1 }.tracked());
        assert_eq!(run.tracked().await, None);
        let run = token.run_until_cancelled_owned(other().tracked());
        assert_eq!(run.await, None);
    });
}

#[test]
fn a_future_that_is_kept_and_polled_later() {
    silent(async || {
        let kept: Vec<Pin<Box<dyn Future<Output = u32>>>> =
            vec![Box::pin(one().tracked()), Box::pin(other().tracked())];
        sleep(Duration::from_millis(20)).await;
        for future in kept {
            future.await;
        }
    });
}

#[test]
fn a_shared_and_a_lazy_future() {
    silent(async || {
        let shared = other().tracked().shared();
        assert_eq!(shared.clone().await + shared.await, 4);
        assert_eq!(futures::future::lazy(|_| 1).tracked().await, 1);
        let cell = tokio::sync::OnceCell::new();
        for _ in 0..2 {
            cell.get_or_init(|| one().tracked()).await;
        }
    });
}

#[test]
fn the_rest_of_a_try_join_whose_first_fails_at_once() {
    silent(async || {
        assert!(tokio::try_join!(fails(), succeeds().tracked()).is_err());
        assert!(tokio::try_join!(fails().tracked(), succeeds().tracked()).is_err());
        assert!(futures::try_join!(fails(), succeeds().tracked()).is_err());
        let both = futures::future::try_join(fails(), succeeds().tracked());
        assert!(both.await.is_err());
        let all = vec![fails().tracked().boxed(), succeeds().tracked().boxed()];
        assert!(futures::future::try_join_all(all).await.is_err());
    });
}

#[test]
fn a_future_that_an_error_was_in_the_way_of_this_time() {
    async fn both(first: impl Future<Output = Result<u32, &'static str>>) -> Option<u32> {
        let second = succeeds().tracked();
        let first = first.await.ok()?;
        Some(first + second.await.ok()?)
    }
    silent(async || {
        assert_eq!(both(fails()).await, None);
        assert_eq!(both(succeeds()).await, Some(6));
        assert_eq!(both(fails()).await, None);
    });
}

#[test]
fn the_winner_of_futures_unordered() {
    silent(async || {
        let mut set = FuturesUnordered::new();
        set.push(one().tracked().boxed());
        set.push(other().tracked().boxed());
        assert_eq!(set.next().await, Some(1));
    });
}

#[test]
fn many_of_one_site_in_futures_unordered_of_which_one_is_taken() {
    silent(async || {
        let mut set: FuturesUnordered<_> = (0..100).map(|_| other().tracked()).collect();
        assert_eq!(set.next().await, Some(2));
    });
}

#[test]
fn what_buffered_streams_had_not_come_to() {
    silent(async || {
        let mut stream = futures::stream::iter(0..10)
            .map(|_| other().tracked())
            .buffered(3);
        assert_eq!(stream.next().await, Some(2));
        drop(stream);
        let made = futures::stream::iter(0..10).map(|_| one().tracked());
        assert_eq!(made.buffer_unordered(2).take(1).count().await, 1);
    });
}

#[test]
fn join_all_and_join() {
    silent(async || {
        let all = futures::future::join_all((0..10).map(|_| other().tracked())).await;
        assert_eq!(all.len(), 10);
        let (a, b) = tokio::join!(one().tracked(), other().tracked());
        assert_eq!(a + b, 3);
    });
}

#[test]
fn a_future_that_is_polled_by_hand() {
    everywhere(|run| {
        let mut boxed: Pin<Box<dyn Future<Output = u32>>> = Box::pin(other().tracked());
        let mut context = Context::from_waker(Waker::noop());
        assert!(boxed.as_mut().poll(&mut context).is_pending());
        drop(boxed);
        assert_eq!(other().tracked().now_or_never(), None);
        run.expect(&[]);
    });
}

#[test]
fn a_future_that_was_discarded() {
    silent(async || {
        other().tracked().discard();
        other().tracked_as("named").discard();
    });
}

#[test]
fn a_panic_that_unwinds_over_a_future_nobody_had_polled() {
    silent(async || {
        let result = AssertUnwindSafe(async {
            let _later = other().tracked();
            let _held = Box::pin(other().tracked());
            if ready(true).await {
                panic!("on purpose");
            }
        });
        assert!(result.catch_unwind().await.is_err());
        let result = catch_unwind(|| {
            let _later = other().tracked();
            panic!("on purpose");
        });
        assert!(result.is_err());
    });
}

#[test]
fn a_fused_future_that_is_polled_after_it_completed() {
    silent(async || {
        let mut fused = pin!(one().fuse().tracked());
        fused.as_mut().await;
        let again = poll_fn(|cx| Poll::Ready(fused.as_mut().poll(cx)));
        assert!(again.await.is_pending());

        let mut maybe = pin!(futures::future::maybe_done(one()).tracked());
        maybe.as_mut().await;
        maybe.as_mut().await;
    });
}

#[test]
fn spans_that_are_entered_for_each_poll() {
    silent(async || {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(std::io::sink)
            .finish();
        let _default = tracing::subscriber::set_default(subscriber);
        other()
            .instrument(tracing::info_span!("inside"))
            .tracked()
            .await;
        other()
            .tracked()
            .instrument(tracing::info_span!("outside"))
            .await;
        async {
            tracing::info_span!("left again").in_scope(|| ());
            other().await;
        }
        .tracked()
        .await;
    });
}

#[test]
fn a_poll_that_is_allowed_to_be_slow() {
    silent(async || {
        async { support::block() }
            .tracked()
            .slow_ok(Duration::from_secs(5))
            .await;
    });
}

#[test]
fn the_futures_around_one_that_is_allowed_to_be_slow() {
    silent(async || {
        let hash = async { support::block() }
            .tracked()
            .slow_ok(Duration::from_secs(5));
        let around = async { hash.await }.tracked();
        debug_async::spawn!(around)
            .await
            .expect("it does not panic");
    });
}

#[test]
fn toggling_the_switch_in_mid_life() {
    silent(async || {
        for (before, after) in [(true, false), (false, true)] {
            debug_async::set_debug(before);
            let (kept, waiting) = (other().tracked(), sleep(Duration::from_millis(2)).tracked());
            let mut polled = Box::pin(other().tracked());
            assert!(futures::poll!(polled.as_mut()).is_pending());
            let task = debug_async::spawn!(async {
                sleep(Duration::from_millis(5)).await;
                Ok::<(), ()>(())
            });
            debug_async::set_debug(after);
            kept.await;
            polled.await;
            waiting.await;
            assert!(task.await.is_ok());
        }
    });
}
