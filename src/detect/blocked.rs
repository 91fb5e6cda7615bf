//! `blocked`: a poll is still running, and has been for long.

use std::time::Duration;

use super::{Whose, excuse, slow_poll};
use crate::clock;
use crate::record::Record;
use crate::report::{Live, Report, ReportKind};

const KIND: ReportKind = ReportKind::Blocked;

/// Reports a poll that has been running for `age`. `again`: it has been reported
/// before, when it was younger.
pub(crate) fn report(record: &Record, age: Duration, live: Option<Live>, again: bool) {
    let message = format!(
        "one poll of {} has been running for {}{}, and still is: it blocks its thread ({})",
        super::subject(record),
        clock::human(age),
        live.as_ref().map_or("", Live::in_words),
        super::origin(record),
    );
    let site = Some(record.site());
    let make = || {
        Report::about(record, KIND, message)
            .took(age)
            .in_task(live.and_then(|live| live.task))
            .help_with(slow_poll::HELP)
            .again(again)
    };
    if !excuse::being_debugged() {
        excuse::raise_unless_in_place(KIND, site, &record.scope(), live, make);
    }
}

/// Reports a worker that has been kept for `age` by a future that is not tracked.
pub(crate) fn report_worker(whose: &Whose<'_>, age: Duration, live: Live, again: bool) {
    let Whose { scope, worker, .. } = whose;
    let message = format!(
        "one poll of a task that is not tracked has been running for about {}{}, and still is: \
         it blocks {worker}",
        clock::human(age),
        live.in_words(),
    );
    let make = || {
        Report::new(KIND, scope, message)
            .took(age)
            .in_task(live.task)
            .help_with(slow_poll::HELP)
            .again(again)
    };
    excuse::raise_if_in_poll(KIND, whose, live, make);
}
