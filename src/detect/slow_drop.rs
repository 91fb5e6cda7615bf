//! `slow_drop`: dropping a future blocked its thread.

use std::time::Duration;

use super::excuse;
use crate::clock;
use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// Reports a drop that took `own` too long, unless there is an excuse.
#[cold]
pub(crate) fn report(record: &Record, own: Duration) {
    if excuse::excused() {
        return;
    }
    let kind = ReportKind::SlowDrop;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "dropping {} took {}: it blocked its thread ({})",
            super::subject(record),
            clock::human(own),
            super::origin(record),
        );
        Report::about(record, kind, message)
            .took(own)
            .in_task(tokio::task::try_id())
            .help_with(
                "something it held blocks in its `Drop`: close it explicitly before, or move it to \
             `spawn_blocking` to be dropped there",
            )
    });
}
