//! `unretrieved_error` and `unretrieved_panic`: a task failed and nobody looked.
//!
//! The end of the task and the end of its handle race. Each sets its flag and
//! then looks at the other's; at least one of them sees both, and one of those
//! that do gets to report.

use std::sync::Arc;

use crate::clock;
use crate::record::{End, Flag, Record, Step};
use crate::registry;
use crate::report::{self, Deferred, Report, ReportKind, Until};

/// A task has failed.
pub(crate) fn failed(record: &Arc<Record>, end: End) {
    record.set_end(end);
    record.set(Flag::FAILED);
    if record.is(Flag::UNHELD) {
        lost(record, None);
        return;
    }
    // Whoever waits for it is told now; and if they stop waiting, the drop of the
    // handle says so.
    if unwanted(record) || record.has(Step::Awaited) {
        return;
    }
    let kept = Arc::clone(record);
    let (kind, scope) = (kind_of(record), record.scope());
    report::defer(kind, None, &scope, || Deferred {
        report: make(record, kind, None, true),
        due: clock::after(scope.settings().unretrieved_after),
        until: Until::End,
        stands: Box::new(move || !unwanted(&kept) && kept.set(Flag::REPORTED)),
    });
}

/// The result of a task was taken, or is not wanted.
pub(crate) fn read(record: &Record) {
    record.take(Step::Read);
    registry::let_go(record);
}

/// The handle of a task is gone. `text` gives its error, if it still can.
pub(crate) fn unheld(record: &Arc<Record>, text: impl FnOnce() -> Option<String>) {
    record.set(Flag::UNHELD);
    registry::let_go(record);
    if record.is(Flag::FAILED) && !unwanted(record) {
        lost(record, text());
    }
}

fn unwanted(record: &Record) -> bool {
    let said = [Flag::ABORTED, Flag::EXPECTED, Flag::REPORTED];
    record.has(Step::Read) || said.into_iter().any(|flag| record.is(flag))
}

fn lost(record: &Arc<Record>, text: Option<String>) {
    if unwanted(record) || !record.set(Flag::REPORTED) {
        return;
    }
    let kind = kind_of(record);
    report::raise(kind, Some(record.site()), &record.scope(), || {
        make(record, kind, text, false)
    });
}

fn kind_of(record: &Record) -> ReportKind {
    match record.end() {
        Some(End::Panic { .. }) => ReportKind::UnretrievedPanic,
        _ => ReportKind::UnretrievedError,
    }
}

fn make(record: &Record, kind: ReportKind, text: Option<String>, held: bool) -> Report {
    let subject = super::subject(record);
    let origin = super::origin(record);
    let nobody = if held {
        "nobody has looked since"
    } else {
        "nobody looked"
    };
    match record.end() {
        Some(End::Panic {
            message,
            place,
            stack,
        }) => {
            let said = message.as_deref().unwrap_or("a panic without a message");
            let place = place
                .as_deref()
                .map(|place| format!(" at {place}"))
                .unwrap_or_default();
            let message_line = format!("{subject} panicked and {nobody}: {said}{place} ({origin})");
            Report::about(record, kind, message_line)
                .with_error(Some(said.to_owned()))
                .with_stack(*stack)
                .help_with(help(held))
        }
        Some(End::Error {
            type_name,
            text: known,
        }) => {
            let text = text.or_else(|| known.clone());
            let shown = match &text {
                Some(text) => text.clone(),
                None => format!("an `Err` of type `{type_name}`"),
            };
            let message_line = format!("{subject} failed and {nobody}: {shown} ({origin})");
            Report::about(record, kind, message_line)
                .with_error(text)
                .help_with(help(held))
        }
        None => Report::about(
            record,
            kind,
            format!("{subject} failed and {nobody} ({origin})"),
        ),
    }
}

fn help(held: bool) -> &'static str {
    if held {
        "its handle is kept but was not awaited: await it, or `detach()` it if the result is not \
         wanted"
    } else {
        "await its handle and handle the result inside or outside the task, or `detach()` the \
         handle if the result is not wanted"
    }
}
