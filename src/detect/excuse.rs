//! Why a long poll may have been in order.

use crate::clock;

/// Whether a poll on this thread that just took long did not hold anything up.
///
/// Only asked when a poll was slow: it may read a file.
pub(crate) fn excused() -> bool {
    worker_moved_on() || clock::was_suspended() || being_debugged()
}

/// `tokio::task::block_in_place` hands the worker to another thread; when that
/// thread has parked since, the count of this worker is odd, although we are in
/// the middle of one of its polls.
#[cfg(target_has_atomic = "64")]
fn worker_moved_on() -> bool {
    let (Some(worker), Ok(handle)) = (
        tokio::runtime::worker_index(),
        tokio::runtime::Handle::try_current(),
    ) else {
        return false;
    };
    let metrics = handle.metrics();
    worker < metrics.num_workers() && metrics.worker_park_unpark_count(worker) % 2 == 1
}

#[cfg(not(target_has_atomic = "64"))]
fn worker_moved_on() -> bool {
    false
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
