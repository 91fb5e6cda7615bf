//! `watch`: a runtime that somebody else built.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;

use super::runtimes::{self, Registration};
use crate::clock::{self, Instant};
use crate::mode::{self, Mode, Scope};

/// Watches a runtime that was not built by this crate: what blocks one of its workers
/// is reported with the line that does, although nothing in it is tracked.
///
/// One line at the start of a program with a plain `#[tokio::main]`. A runtime of
/// [`debug_async::runtime`](crate::runtime), `#[debug_async::main]`'s for one, is
/// watched by itself, and this does nothing for it. Nor does it outside debug mode.
///
/// It spawns a task on the runtime, which sleeps nearly always and ends with it;
/// `num_alive_tasks` counts it. A few more find out at first which thread runs which
/// worker, and end at once. The future that `block_on` runs on a runtime of
/// several workers is on none of them: track it (`.tracked()`) to see it.
///
/// What waits (for a lock, a device, the time) is reported from
/// [`slow_poll`](crate::config::Config::slow_poll) on. What computes cannot be told
/// from many short polls before the worker has stood for 10 ms times the runtime's
/// `event_interval`, 610 ms by default, and is reported from then on; what waits a little
/// again and again, before it has stood for `slow_poll` times that.
///
/// # Examples
///
/// ```
/// #[tokio::main]
/// async fn main() {
///     debug_async::watch(&tokio::runtime::Handle::current());
///     // …
/// }
/// ```
pub fn watch(handle: &Handle) {
    let scope = mode::scope_of(handle);
    let is_ours = !Arc::ptr_eq(&scope, Scope::process());
    if is_ours || scope.mode() != Mode::Debug {
        return;
    }
    let metrics = handle.metrics();
    let workers = metrics.num_workers();
    let number = runtimes::number();
    let Some(registration) = runtimes::register(number, handle.id(), metrics, &scope, None) else {
        return;
    };
    if Handle::try_current().is_ok_and(|current| current.id() == handle.id()) {
        runtimes::on_worker(number, tokio::runtime::worker_index());
    }
    let probe = Probe {
        number,
        workers,
        registration,
    };
    drop(handle.spawn(probe));
    spread(number, workers, AT_FIRST, |scout| drop(handle.spawn(scout)));
}

/// Says which thread runs a worker, by running there. Stays, to be asked again, and to
/// see the runtime end.
struct Probe {
    number: u32,
    workers: usize,
    registration: Registration,
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The first time there are others.
        if self.registration.ask_by(cx.waker()) {
            let Probe {
                number, workers, ..
            } = *self;
            spread(number, workers, LATER, |scout| drop(tokio::spawn(scout)));
        }
        Poll::Pending
    }
}

/// For how long the workers of a runtime are sought, at most: other tasks have their
/// turns meanwhile.
const AT_FIRST: Duration = Duration::from_millis(20);
const LATER: Duration = Duration::from_millis(2);

/// Sends out one for each worker. A worker that has nothing to do takes what another
/// has too much of, so they stay till each has had one.
fn spread(number: u32, workers: usize, time: Duration, spawn: impl Fn(Scout)) {
    let found = Arc::new(AtomicU64::new(0));
    let until = clock::now() + time;
    for _ in 0..workers {
        spawn(Scout {
            number,
            workers: workers.min(64) as u32,
            found: Arc::clone(&found),
            until,
        });
    }
}

struct Scout {
    number: u32,
    workers: u32,
    /// The workers that have had one, a bit each.
    found: Arc<AtomicU64>,
    until: Instant,
}

impl Future for Scout {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(index) = tokio::runtime::worker_index() else {
            return Poll::Ready(());
        };
        runtimes::on_worker(self.number, Some(index));
        let bit = 1 << (index % 64);
        let found = self.found.fetch_or(bit, Relaxed) | bit;
        if found.count_ones() >= self.workers || clock::now() >= self.until {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
