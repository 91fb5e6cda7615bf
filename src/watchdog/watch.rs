//! `watch`: a runtime that somebody else built.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::runtimes::{self, Registration};
use crate::mode::{self, Mode, Scope};

/// Watches a runtime that was not built by this crate: what blocks one of its workers
/// is reported with the line that does, although nothing in it is tracked.
///
/// One line at the start of a program with a plain `#[tokio::main]`. A runtime of
/// [`debug_async::runtime`](crate::runtime), `#[debug_async::main]`'s for one, is
/// watched by itself, and this does nothing for it. Nor does it outside debug mode.
///
/// It spawns one task on the runtime, which sleeps nearly always and ends with it;
/// `num_alive_tasks` counts it. The future that `block_on` runs on a runtime of
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
    drop(handle.spawn(Probe {
        number,
        registration: Some(registration),
    }));
    for _ in 1..workers {
        // One for each worker, that each may be known from the start.
        drop(handle.spawn(Probe {
            number,
            registration: None,
        }));
    }
}

/// Says which thread runs a worker, by running there. With the registration of the
/// runtime it stays, to be asked again, and to see the runtime end.
struct Probe {
    number: u32,
    registration: Option<Registration>,
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(index) = tokio::runtime::worker_index() {
            runtimes::on_worker(self.number, Some(index));
        }
        match &self.registration {
            Some(registration) => {
                registration.ask_by(cx.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}
