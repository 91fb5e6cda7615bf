//! `blocking_pool_full`: a closure waited for a thread of the blocking pool.
//!
//! That it waited is not enough: a thread that starts, or wakes up, late on a busy
//! machine is not a pool that is full. So the pool must have had all the threads that
//! it may have. Where that is not known, in a runtime that is not ours, the closure's
//! thread must have run another one while it waited.

use std::cell::Cell;
use std::time::Duration;

use super::{excuse, running};
use crate::clock::{self, Instant};
use crate::record::Record;
use crate::report::{self, Report, ReportKind};
use crate::site::Site;

/// What a closure's thread has done before.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// Since when it is known to run.
    since: Option<Instant>,
    /// Whether a runtime of ours started it.
    ours: bool,
    last: Option<Last>,
}

/// The closure that a thread ran before.
#[derive(Clone, Copy)]
struct Last {
    site: &'static Site,
    type_name: &'static str,
    ran: Duration,
    ended: Instant,
}

thread_local! {
    static THREAD: Cell<Thread> = const {
        Cell::new(Thread { since: None, ours: false, last: None })
    };
}

/// A runtime of ours has started this thread.
pub(crate) fn thread_began() {
    let _ = THREAD.try_with(|thread| {
        thread.set(Thread {
            since: Some(clock::now()),
            ours: true,
            last: None,
        });
    });
}

/// Whether a closure waited for a thread because all were taken: `full` is whether
/// the pool has all the threads it may have, if that is known, and `had_another` is
/// whether its thread ran another closure meanwhile.
fn judge(waited: Duration, threshold: Duration, full: Option<bool>, had_another: bool) -> bool {
    waited >= threshold && full.unwrap_or(had_another)
}

/// A closure of debug mode has got its thread, and is about to run.
pub(crate) fn began(record: &Record, queued: Instant) {
    let Some(debug) = record.debug() else { return };
    let now = clock::now();
    debug.set_waited(now.saturating_duration_since(queued));
    let Ok(thread) = THREAD.try_with(|cell| {
        let mut thread = cell.get();
        thread.since.get_or_insert(now);
        cell.set(thread);
        thread
    }) else {
        return;
    };
    // While its thread was not there yet, it waited for that.
    let since = thread.since.map_or(queued, |since| since.max(queued));
    let waited = now.saturating_duration_since(since);
    let threshold = debug.slow_poll();
    let full = thread.ours.then(|| debug.scope.threads().is_full());
    let before = thread.last.filter(|last| last.ended > queued);
    // Not whether the machine was suspended: this clock stood still meanwhile.
    if judge(waited, threshold, full, before.is_some()) && !excuse::being_debugged() {
        report(record, waited, before);
    }
}

/// It has run, for so long.
pub(crate) fn ended(record: &Record, ran: Duration) {
    let last = Last {
        site: record.site(),
        type_name: record.type_name(),
        ran,
        ended: clock::now(),
    };
    let _ = THREAD.try_with(|cell| {
        let last = Some(last);
        cell.set(Thread { last, ..cell.get() });
    });
}

#[cold]
fn report(record: &Record, waited: Duration, before: Option<Last>) {
    let kind = ReportKind::BlockingPoolFull;
    let scope = record.scope();
    report::raise(kind, Some(record.site()), &scope, || {
        let mut message = format!(
            "{} waited {} for a thread ({})",
            super::subject(record),
            clock::human(waited),
            super::origin(record),
        );
        message.push_str(&match before {
            Some(last) => format!(": its thread ran {} before", last.words()),
            None => ": its thread ran what is not tracked before".to_owned(),
        });
        // This one does not count yet.
        let running = running::in_scope(&scope);
        if !running.is_empty() {
            let (others, sites) = (
                running.len(),
                running::by_site(&running, &running::CLOSURES),
            );
            message.push_str(&format!(", and {others} more are running: {sites}"));
        }
        Report::about(record, kind, message).took(waited).help_with(
            "all threads of the blocking pool were taken: hold back what is given to it with a \
             `Semaphore`, do long computations on a pool of their own (`rayon`) and endless \
             loops on a `std::thread`, or raise `max_blocking_threads`",
        )
    });
}

impl Last {
    fn words(&self) -> String {
        let location = self.site.location();
        let name = crate::name::of_closure(self.type_name, location.line());
        let ran = clock::human(self.ran);
        format!("blocking task `{name}` spawned at {location} (for {ran})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_long_wait_alone_is_nothing() {
        assert!(!judge(900 * MS, 100 * MS, Some(false), false));
        assert!(!judge(900 * MS, 100 * MS, Some(false), true));
        assert!(!judge(900 * MS, 100 * MS, None, false));
    }

    #[test]
    fn a_long_wait_for_a_pool_that_is_full() {
        assert!(judge(100 * MS, 100 * MS, Some(true), false));
        assert!(judge(100 * MS, 100 * MS, None, true));
        assert!(!judge(99 * MS, 100 * MS, Some(true), true));
    }
}
