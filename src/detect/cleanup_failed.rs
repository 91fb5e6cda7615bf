//! `cleanup_failed`: the async cleanup of a stream failed where nobody looked, or could
//! not be run.

use std::time::Duration;

use crate::clock;
use crate::record::{End, Record};
use crate::report::{self, Report, ReportKind};

const LOOK: &str = "`close().await` the stream where the error can be handled";
const IN_TIME: &str = "close it while its runtime runs: `close().await`, `aclosing(stream, async \
     |s| …).await`, or `shutdown_streams().await` as the last thing that runs there";

/// It returned an error, which nobody took.
pub(crate) fn returned(record: &Record, error: &str) {
    let what = format!("returned an error that nobody looked at, of type `{error}`");
    raise(record, &what, LOOK, |report| report);
}

/// It panicked, in a task that runs what was handed over.
pub(crate) fn panicked(record: &Record, end: End) {
    let End::Panic {
        message,
        place,
        stack,
    } = end
    else {
        return;
    };
    let text = message
        .as_deref()
        .map_or(String::new(), |message| format!(": {message}"));
    let at = place.map_or(String::new(), |place| format!(" at {place}"));
    raise(record, &format!("panicked{text}{at}"), LOOK, |report| {
        report.with_error(message).with_stack(stack)
    });
}

/// It was dropped with the runtime that was to run it.
pub(crate) fn dropped(record: &Record) {
    let what = "was not done when its runtime ended";
    raise(record, what, IN_TIME, |report| report);
}

/// The shutdown does not wait for it any longer.
pub(crate) fn too_slow(record: &Record, limit: Duration) {
    let what = format!(
        "was not done within the {} of the shutdown",
        clock::human(limit)
    );
    let help = "the program ends without it: let it take less time, or give it more by \
         `Config::close_timeout` or `ASYNC_DEBUG_CLOSE_TIMEOUT`";
    raise(record, &what, help, |report| report);
}

fn raise(record: &Record, what: &str, help: &str, with: impl FnOnce(Report) -> Report) {
    let kind = ReportKind::CleanupFailed;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "the cleanup of {} {what} ({})",
            super::subject(record),
            super::origin(record),
        );
        with(Report::about(record, kind, message).help_with(help))
    });
}
