//! Futures that are polled by one, and then by another.

// Futures are made in one place to be polled in another.
#![allow(clippy::async_yields_async)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task;
use futures::FutureExt;
use support::{Expected, everywhere, in_debug, site};
use tokio::sync::oneshot;
use tokio::time::sleep;

const MOMENT: Duration = Duration::from_millis(50);

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

fn another() -> tokio::runtime::Runtime {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.expect("it can be built")
}

/// Polls it once.
async fn begin(future: Pin<&mut (impl Future + ?Sized)>) {
    assert!(futures::poll!(future).is_pending());
}

fn wrong() -> Expected {
    Expected::new(ReportKind::WrongRuntime)
}

#[test]
fn a_future_that_goes_to_another_runtime() {
    in_debug(|run| {
        // Another's main future.
        let waits = async { async { sleep(LONG).await }.tracked_as("waits") }; // site: waits
        let mut waits = Box::pin(run.block_on(waits));
        run.block_on(begin(waits.as_mut()));
        another().block_on(begin(waits.as_mut()));
        // A task of another.
        let (_kept, told) = oneshot::channel::<()>();
        let told = async { told.map(drop).tracked().tracked_as("told") }; // site: told
        let mut told = Box::pin(run.block_on(told));
        let other = another();
        run.block_on(async { begin(told.as_mut()).await });
        other.block_on(async {
            let task = debug_async::spawn(async move {
                begin(told.as_mut()).await;
                // Said once, and of the outer of two.
                begin(told.as_mut()).await;
            });
            task.await.expect("no panic");
        });
        run.expect(&[
            wrong().at(site!("waits")).named("waits"),
            wrong().at(site!("told")).named("told").stack(true),
        ]);
    });
}

#[test]
fn futures_that_stay_in_theirs() {
    everywhere(|run| {
        // First polled in none.
        let (tell, told) = oneshot::channel::<()>();
        let mut told = Box::pin(run.block_on(async { told.tracked() }));
        futures::executor::block_on(begin(told.as_mut()));
        let mut unpolled = Some(Box::pin(run.block_on(async { sleep_later().tracked() })));
        let other = another();
        let unpolled = &mut unpolled;
        run.block_on(async move {
            tell.send(()).expect("it listens");
            told.await.expect("it is told");
            // From task to task, and from thread to thread.
            let (arrive, arrived) = oneshot::channel();
            let mut goes = Box::pin(arrived.tracked());
            for _ in 0..10 {
                begin(goes.as_mut()).await;
                let next = debug_async::spawn(async move {
                    begin(goes.as_mut()).await;
                    goes
                });
                goes = next.await.expect("no panic");
            }
            let handle = tokio::runtime::Handle::current();
            let blocking = task::spawn_blocking(move || handle.block_on(goes));
            arrive.send(()).expect("it listens");
            let arrived = blocking.await.expect("no panic");
            arrived.expect("it is told");
            // Waited for by one, while it runs elsewhere.
            let mut unpolled = unpolled.take().expect("it is there");
            let runs = task::spawn_blocking(move || {
                other.block_on(async {
                    begin(unpolled.as_mut()).await;
                    let mut unpolled = pin!(unpolled);
                    unpolled.as_mut().await;
                })
            });
            runs.await.expect("no panic");
        });
        run.expect(&[]);
    });
}

async fn sleep_later() {
    sleep(MOMENT).await;
}
