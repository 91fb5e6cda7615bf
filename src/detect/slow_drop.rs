//! `slow_drop`: dropping a future blocked its thread.

use std::time::Duration;

use super::excuse;
use crate::clock;
use crate::record::{Debugged, Record};
use crate::report::{Live, Report, ReportKind};

/// Reports a drop that took `own` too long, unless there is an excuse. `live`: what
/// was seen of it while it ran.
#[cold]
pub(crate) fn report(record: &Record, own: Duration, live: Option<Live>) {
    let threshold = record.debug().map_or(own, Debugged::slow_poll);
    if own < threshold || excuse::excused() {
        return;
    }
    let doing = live.as_ref().map_or("", Live::in_words);
    let message = format!(
        "dropping {} took {}{doing}: it blocked its thread ({})",
        super::subject(record),
        clock::human(own),
        super::origin(record),
    );
    let make = || {
        Report::about(record, ReportKind::SlowDrop, message)
            .took(own)
            .in_task(tokio::task::try_id())
            .help_with(
                "something it held blocks in its `Drop`: close it explicitly before, or move it to \
             `spawn_blocking` to be dropped there",
            )
    };
    excuse::raise_unless_in_place(
        ReportKind::SlowDrop,
        Some(record.site()),
        &record.scope(),
        live,
        make,
    );
}
