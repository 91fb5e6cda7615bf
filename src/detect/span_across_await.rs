//! `span_across_await`: a `tracing` span was entered and not left before the
//! future gave way to others.

use tracing::span::Id;

use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// The span that is current on this thread, where there is one.
#[inline]
pub(crate) fn current_span() -> Option<Id> {
    if !tracing::dispatcher::has_been_set() {
        return None;
    }
    tracing::dispatcher::get_default(|dispatch| dispatch.current_span().id().cloned())
}

/// A poll began in one span and gave way in another.
#[cold]
pub(crate) fn report(record: &Record) {
    let kind = ReportKind::SpanAcrossAwait;
    // What it was left in, by name: that is the one to look for.
    let left = tracing::dispatcher::get_default(|dispatch| {
        dispatch.current_span().metadata().map(|span| span.name())
    });
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let span = left.map_or_else(
            || "another span".to_owned(),
            |name| format!("span `{name}`"),
        );
        let message = format!(
            "{} waits with {span} entered: the span now covers whatever runs on this thread ({})",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message)
            .in_task(tokio::task::try_id())
            .help_with(
                "do not hold `span.enter()` across an `.await`: use `future.instrument(span)` or \
             `#[tracing::instrument]`",
            )
    });
}
