//! `stream_not_closed`: a stream with async cleanup was dropped before its end.
//!
//! Only debug mode says so; the cleanup is run in all of them.

use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// A stream was dropped that had not ended and was not closed. Its runtime has its
/// cleanup now.
pub(crate) fn dropped(record: &Record) {
    if record.debug().is_none() {
        return;
    }
    let kind = ReportKind::StreamNotClosed;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "{} was dropped before it ended or was closed; its cleanup runs later ({})",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message).help_with(
            "a task of its own runs the cleanup, after what comes next here: `close().await` the \
             stream, iterate over it within `aclosing(stream, async |s| …).await`, which closes \
             it on every way out, or `.discard()` it if the order does not matter",
        )
    });
}
