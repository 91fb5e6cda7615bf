//! `blocked`: a poll is still running, and has been for long.

use std::sync::Arc;
use std::time::Duration;

use super::{excuse, slow_poll};
use crate::clock;
use crate::mode::Scope;
use crate::record::Record;
use crate::report::{Live, Report, ReportKind};
use crate::site::Site;

const KIND: ReportKind = ReportKind::Blocked;

/// Reports a poll that has been running for `age`. `again`: it has been reported
/// before, when it was younger.
pub(crate) fn report(record: &Record, age: Duration, live: Live, again: bool) {
    let message = format!(
        "one poll of {} has been running for {}{}, and still is: it blocks its thread ({})",
        super::subject(record),
        clock::human(age),
        live.in_words(),
        super::origin(record),
    );
    let site = Some(record.site());
    let task = live.task;
    raise(site, &record.scope(), live, || {
        Report::about(record, KIND, message)
            .took(age)
            .in_task(task)
            .help_with(slow_poll::HELP)
            .again(again)
    });
}

/// Reports a worker that has been kept for `age` by a future that is not tracked.
pub(crate) fn report_worker(
    scope: &Arc<Scope>,
    worker: &str,
    age: Duration,
    live: Live,
    again: bool,
) {
    let message = format!(
        "one poll of a task that is not tracked has been running for about {}{}, and still is: \
         it blocks {worker}",
        clock::human(age),
        live.in_words(),
    );
    let task = live.task;
    raise(None, scope, live, || {
        Report::new(KIND, scope, message)
            .took(age)
            .in_task(task)
            .help_with(slow_poll::HELP)
            .again(again)
    });
}

fn raise(
    site: Option<&'static Site>,
    scope: &Arc<Scope>,
    live: Live,
    make: impl FnOnce() -> Report,
) {
    if !excuse::being_debugged() {
        excuse::raise_unless_in_place(KIND, site, scope, Some(live), make);
    }
}
