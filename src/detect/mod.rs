//! The findings, a file each: when it is one, what the report says, what to do.

pub(crate) mod abandoned;
pub(crate) mod blocked;
pub(crate) mod blocking_pool_full;
mod busy;
#[cfg(feature = "stream")]
pub(crate) mod cleanup_failed;
pub(crate) mod dropped_midway;
pub(crate) mod excuse;
pub(crate) mod large_future;
pub(crate) mod living;
pub(crate) mod lost_waker;
pub(crate) mod never_polled;
#[cfg(feature = "stream")]
pub(crate) mod outside_runtime;
pub(crate) mod pending_at_shutdown;
pub(crate) mod polled_after_completion;
pub(crate) mod polled_by_two_tasks;
mod running;
pub(crate) mod shutdown_hang;
pub(crate) mod slow_drop;
#[cfg(feature = "io")]
pub(crate) mod slow_io;
pub(crate) mod slow_poll;
pub(crate) mod span_across_await;
pub(crate) mod starved;
#[cfg(feature = "stream")]
pub(crate) mod stream_not_closed;
#[cfg(feature = "io")]
pub(crate) mod unflushed_io;
pub(crate) mod unjoined_results;
pub(crate) mod unretrieved;
pub(crate) mod untracked_tasks;
pub(crate) mod wrong_runtime;

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::mode::Scope;
use crate::record::{Debugged, Record};
use crate::report::{Live, Report, ReportKind};

/// Which worker a finding is about where no record says more.
pub(crate) struct Whose<'a> {
    pub(crate) scope: &'a Arc<Scope>,
    /// For the middle of a sentence.
    pub(crate) worker: &'a str,
    /// There is no doubt which thread runs it.
    pub(crate) certain: bool,
}

/// ``task `hasher` ``
fn subject(record: &Record) -> String {
    format!("{} `{}`", record.object().noun(), record.name())
}

/// `spawned at src/main.rs:12:5`
fn origin(record: &Record) -> String {
    format!("{} {}", record.object().born(), record.site().location())
}

/// Reports something that took `own` and blocked its thread, if that is too long and
/// there is no excuse. `what`: the message begins with it.
fn took_too_long(
    kind: ReportKind,
    what: &str,
    record: &Record,
    own: Duration,
    live: Option<Live>,
    help: &'static str,
) {
    let threshold = record.debug().map_or(own, Debugged::slow_poll);
    if own < threshold || excuse::excused() {
        return;
    }
    let message = format!(
        "{what} {} took {}{}: it blocked its thread ({})",
        subject(record),
        clock::human(own),
        live.as_ref().map_or("", Live::in_words),
        origin(record),
    );
    let make = || {
        Report::about(record, kind, message)
            .took(own)
            .in_task(tokio::task::try_id())
            .help_with(help)
    };
    excuse::raise_unless_in_place(kind, Some(record.site()), &record.scope(), live, make);
}
