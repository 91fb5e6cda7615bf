//! `outside_runtime`: a stream with async cleanup was dropped where no runtime runs.
//!
//! That it was made there is no mistake by itself: it belongs to the runtime that it is
//! first polled in.

use crate::record::Record;
use crate::report::{self, Report, ReportKind};

const HELP: &str = "make the stream and close it within the runtime: `close().await` it before \
     `block_on` returns, or let `shutdown_streams().await` be the last thing that runs there";

/// It was dropped, and no runtime is known that could run its cleanup.
pub(crate) fn lost(record: &Record) {
    raise(record, "its cleanup was not run");
}

/// It was dropped, and its runtime does not run, as far as can be seen.
pub(crate) fn dropped(record: &Record) {
    raise(record, "its cleanup is run only if its runtime runs again");
}

fn raise(record: &Record, so: &str) {
    let kind = ReportKind::OutsideRuntime;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "{} was dropped outside of a runtime, not closed: {so} ({})",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message).help_with(HELP)
    });
}
