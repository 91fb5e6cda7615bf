//! `slow_drop`: dropping a future blocked its thread.

use std::time::Duration;

use crate::record::Record;
use crate::report::{Live, ReportKind};

/// Reports a drop that took `own` too long, unless there is an excuse. `live`: what
/// was seen of it while it ran.
#[cold]
pub(crate) fn report(record: &Record, own: Duration, live: Option<Live>) {
    super::took_too_long(ReportKind::SlowDrop, "dropping", record, own, live, HELP);
}

const HELP: &str = "something it held blocks in its `Drop`: close it explicitly before, or move it \
     to `spawn_blocking` to be dropped there";
