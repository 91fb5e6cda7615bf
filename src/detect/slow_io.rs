//! `slow_io`: one operation of a reader or writer took long, from when it first had to
//! wait to its end.
//!
//! Waiting is what I/O is for, so this is good to know and no warning.

use std::time::Duration;

use crate::clock;
use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// An operation that had to wait has ended.
#[inline]
pub(crate) fn ended(record: &Record, what: &str, elapsed: Duration) {
    if let Some(debug) = record.debug()
        && elapsed >= debug.slow_poll()
    {
        slow(record, what, elapsed);
    }
}

#[cold]
fn slow(record: &Record, what: &str, elapsed: Duration) {
    let kind = ReportKind::SlowIo;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "one {what} of {} took {} ({})",
            super::subject(record),
            clock::human(elapsed),
            super::origin(record),
        );
        Report::about(record, kind, message)
            .took(elapsed)
            .in_task(tokio::task::try_id())
            .help_with(
                "it waited for the other side, and blocked nobody: put a `timeout` around it, or \
                 allow it with `.slow_ok(duration)`",
            )
    });
}
