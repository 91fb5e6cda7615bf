//! What is judged when a thing is gone.

use std::sync::Arc;
use std::time::Duration;

use super::frame;
use super::polling::not_its_own;
use crate::clock;
use crate::detect::{abandoned, never_polled, pending_at_shutdown, slow_drop, slow_poll};
use crate::record::{Record, Step};
use crate::registry;
use crate::watchdog;

/// Something may have been dropped before its time.
fn judge_unfinished(record: &Arc<Record>, within: Option<Arc<Record>>, within_another: bool) {
    let unfinished_task = record.object().is_task() && !record.has(Step::Done);
    if record.has(Step::Polled) && !unfinished_task {
        return;
    }
    let scope = record.scope();
    // A future that goes down with the runtime is judged as ever: it may have been
    // kept in something that only then comes to its end.
    if scope.is_ending() && !record.object().is_part() {
        if unfinished_task && record.debug().is_none() {
            pending_at_shutdown::dropped(record, &scope);
        }
    } else if !record.has(Step::Polled) && !never_polled::is_silenced(record) {
        // One report for what is nested: the innermost, unless a task is around
        // it, which is more than a wrapper.
        let blamed = within.filter(|_| record.object().is_part());
        let blamed = blamed.unwrap_or_else(|| Arc::clone(record));
        if within_another {
            frame::leave_to_outer(blamed);
        } else {
            // As with the creation: what it takes is not the doing of the poll
            // that drops.
            let start = clock::tick();
            never_polled::dropped(&blamed);
            frame::allow(start);
        }
    }
}

/// The thing is gone.
#[inline(never)]
pub(super) fn ended(record: &Arc<Record>) {
    if record.debug().is_none() && record.has(Step::Polled) && record.has(Step::Done) {
        return;
    }
    if let Some(debug) = record.debug() {
        debug.tracker.ended();
        registry::leave(record);
        record.site().delays().add(&debug.delays);
        if record.object().is_task() {
            abandoned::ended(record);
            record.has_result();
        }
    }
    let dropped = frame::end_drop(record);
    judge_unfinished(record, dropped.unpolled, dropped.within_another);
    let (Some(debug), Some((start, elapsed))) = (record.debug(), dropped.timed) else {
        return;
    };
    let own = slow_poll::judge(elapsed, dropped.told, debug.slow_poll_nanos());
    if let Some(own) = own
        && !frame::may_block()
        && watchdog::tells_itself(start)
    {
        let own = own.saturating_sub(not_its_own(start));
        slow_drop::report(record, own, watchdog::taken_since(start));
    }
    // As with polls.
    if own.is_some() || debug.has_own_threshold() {
        frame::excuse(Duration::from_nanos(
            start.nanos().saturating_sub(dropped.told),
        ));
    }
}
