//! Why a long poll may have been in order.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use crate::clock;

/// Whether a poll on this thread that just took long did not hold anything up.
///
/// Only asked when a poll was slow: it may read a file.
pub(crate) fn excused() -> bool {
    worker_moved_on() || clock::was_suspended() || being_debugged()
}

/// `tokio::task::block_in_place` hands the worker to another thread, and this one
/// goes on without. What is to be woken later is then woken at once, because there
/// is no later on this thread: `yield_now` shows it.
fn worker_moved_on() -> bool {
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    // Outside of a worker, it is woken at once too.
    if tokio::runtime::worker_index().is_none() {
        return false;
    }
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
    woken.0.load(Relaxed)
}

/// A debugger stops threads at will.
#[cfg(target_os = "linux")]
fn being_debugged() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    tracer(&status).is_some_and(|pid| pid != 0)
}

#[cfg(not(target_os = "linux"))]
fn being_debugged() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn tracer(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_tracer_is_read() {
        assert_eq!(
            super::tracer("Name:\tx\nTracerPid:\t42\nUid:\t0\n"),
            Some(42)
        );
        assert_eq!(super::tracer("Name:\tx\n"), None);
        assert!(!super::being_debugged());
    }
}
