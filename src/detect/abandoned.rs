//! `abandoned`: many tasks of one site run on that somebody waited for, and then did not.
//!
//! Who drops a handle does not stop its task: a `timeout` or a `select!` that is meant to
//! cancel leaves it running. One such task is common; that they pile up is news: at 100
//! that live, at 200, 400 and so on. Not reported are tasks
//!
//! - whose handle was dropped without having been polled: fire-and-forget,
//! - that were aborted or `detach()`ed, or have ended since.

use crate::record::{Debugged, Flag, Record, Step};
use crate::report::{self, Report, ReportKind};

const KIND: ReportKind = ReportKind::Abandoned;

/// The handle of a task is gone.
pub(crate) fn unheld(record: &Record) {
    let Some(debug) = record.debug() else { return };
    let is_left = record.has(Step::Awaited)
        && !record.has(Step::Read)
        && !record.has(Step::Done)
        && !record.is(Flag::ABORTED)
        && !debug.scope.is_ending();
    if !is_left || record.set_and_see(Flag::ABANDONED, Flag::GONE) {
        return;
    }
    if let Some(live) = record.site().abandon() {
        // Each is told: there are so few.
        report::raise(KIND, None, &record.scope(), || {
            make(record, debug, live).again(live >= 200)
        });
    }
}

/// A task is gone.
pub(crate) fn ended(record: &Record) {
    if record.set_and_see(Flag::GONE, Flag::ABANDONED) {
        record.site().abandoned_ended();
    }
}

fn make(record: &Record, debug: &Debugged, live: u64) -> Report {
    let message = format!(
        "{live} tasks such as {} are still alive that somebody waited for and then did not: \
         dropping a handle does not stop its task ({})",
        super::subject(record),
        super::origin(record),
    );
    let leaves = debug.tracker.owner().map(|owner| owner.leaves());
    let report = Report::about(record, KIND, message).help_with(HELP);
    match leaves.unwrap_or_default().first() {
        Some(leaf) => report.waits("this one waits in", leaf.stack),
        None => report,
    }
}

const HELP: &str = "where a `timeout` or a `select!` is to cancel them, await the future and not \
     the handle of a task, `abort()` them, or keep them in a `JoinSet`; if they are to run on, \
     `detach()` the handle";
