//! The end of a runtime: what is open is closed.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::{Handle, Id};

use super::{handover, open};
use crate::clock;
use crate::detect::cleanup_failed;
use crate::mode;

/// Closes the streams with async cleanup that this runtime still has, and waits for the
/// cleanups that were handed to it. asyncio's `loop.shutdown_asyncgens()`.
///
/// To be awaited as the last thing before `block_on` returns. `#[debug_async::main]` and
/// `#[debug_async::test]` do so by themselves.
///
/// Cleanups run at the same time. A stream that another task still has gives no more
/// items. Those that are not done after
/// [`Config::close_timeout`](crate::config::Config::close_timeout) are not waited for any
/// longer, and reported (`cleanup_failed`).
///
/// # Examples
///
/// ```
/// use debug_async::prelude::*;
/// use debug_async::stream::shutdown_streams;
/// use tokio_stream::StreamExt;
///
/// let runtime = debug_async::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(async {
///     let mut rows = tokio_stream::iter(1..9).tracked().on_close(async { println!("closed") });
///     rows.next().await;
///     rows.discard();
///     shutdown_streams().await;
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn shutdown_streams() {
    // Elsewhere than in a runtime, nothing was ever handed over.
    let Ok(handle) = Handle::try_current() else {
        return;
    };
    let runtime = handle.id();
    for stream in open::streams(runtime) {
        if let Some(errand) = stream.shut() {
            handover::hand_over(vec![errand], &handle, false);
        }
    }
    let limit = mode::scope_of(&handle).settings().close_timeout;
    if !are_done(runtime, limit).await {
        for record in open::give_up(runtime) {
            cleanup_failed::too_slow(&record, limit);
        }
    }
}

/// Whether a runtime has anything to close or to wait for.
pub(crate) fn has_open(runtime: Id) -> bool {
    open::is_any(runtime)
}

async fn are_done(runtime: Id, limit: Duration) -> bool {
    let mut timer: Option<Timer> = None;
    poll_fn(|cx| {
        if open::are_done(runtime, cx.waker().clone()) {
            return Poll::Ready(true);
        }
        let timer = timer.get_or_insert_with(|| Timer::start(limit, cx.waker().clone()));
        if timer.is_over() {
            return Poll::Ready(false);
        }
        Poll::Pending
    })
    .await
}

/// Wakes after a time. A runtime need not have tokio's timers, and their clock may stand
/// still in a test.
struct Timer {
    over: Arc<AtomicBool>,
    thread: Option<Thread>,
}

impl Timer {
    fn start(limit: Duration, waker: Waker) -> Timer {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let start = clock::now();
        let thread = std::thread::Builder::new()
            .name("debug-async-timer".into())
            .spawn(move || {
                while !is_over.load(Relaxed) {
                    let left = limit.saturating_sub(start.elapsed());
                    if left.is_zero() {
                        is_over.store(true, Relaxed);
                        waker.wake();
                        return;
                    }
                    std::thread::park_timeout(left);
                }
            });
        // Without the thread there is no limit.
        let thread = thread.ok().map(|thread| thread.thread().clone());
        Timer { over, thread }
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.thread.iter().for_each(Thread::unpark);
    }
}
