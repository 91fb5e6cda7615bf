//! `dropped_midway`: a future that must complete was dropped between two polls.
//! `cancelled`: the same of any other, for who listens at level `DEBUG`.
//!
//! Not reported is what goes down with a panic, which is told itself. A future within
//! another that was dropped midway is not told of apart, and `cancelled` says nothing of
//! what is left when a runtime ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::record::{Debugged, Flag, Object, Record, Step};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::stack;

/// How many of the leaves that it waited on are shown.
const SHOWN: usize = 3;

/// What was said of something that is being dropped midway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    #[default]
    Nothing,
    Cancelled,
    Midway,
}

/// Something of debug mode is about to be dropped, and what is in it is still there.
/// `around`: what was said of what is being dropped around it.
#[inline]
pub(crate) fn dropping(record: &Record, debug: &Debugged, around: impl FnOnce() -> Said) -> Said {
    // To drop a stream half-way is what streams are for.
    let may_be_dropped = matches!(record.object(), Object::Stream | Object::Io);
    if may_be_dropped || !record.has(Step::Polled) || record.has(Step::Done) {
        return Said::Nothing;
    }
    let (kind, said) = if record.is(Flag::MUST_COMPLETE) {
        (ReportKind::DroppedMidway, Said::Midway)
    } else if LevelFilter::current() >= LevelFilter::DEBUG {
        (ReportKind::Cancelled, Said::Cancelled)
    } else {
        return Said::Nothing;
    };
    if around() >= said || !judge(record, debug, kind) {
        return Said::Nothing;
    }
    report::raise(kind, Some(record.site()), &record.scope(), || {
        make(record, debug, kind)
    });
    said
}

#[cold]
fn judge(record: &Record, debug: &Debugged, kind: ReportKind) -> bool {
    if std::thread::panicking() || record.is(Flag::PANICKED) {
        return false;
    }
    kind == ReportKind::DroppedMidway || !debug.scope.is_ending() && is_wanted(debug)
}

/// Asks the subscriber whether anybody wants to know what was cancelled.
fn is_wanted(debug: &Debugged) -> bool {
    let ask = || tracing::enabled!(target: "debug_async::cancelled", Level::DEBUG);
    let ask = AssertUnwindSafe(|| debug.context.enter(|_| ask()));
    catch_unwind(ask).unwrap_or(false)
}

fn make(record: &Record, debug: &Debugged, kind: ReportKind) -> Report {
    let task = registry::under(debug.under.load());
    let is_aborted = |record: &Record| record.is(Flag::ABORTED);
    let why = if is_aborted(record) {
        ": it was aborted"
    } else if task.as_deref().is_some_and(is_aborted) {
        ": its task was aborted"
    } else if debug.scope.is_ending() {
        ": its runtime ended"
    } else {
        ""
    };
    let must = if kind == ReportKind::DroppedMidway {
        "must complete, but "
    } else {
        ""
    };
    let message = format!(
        "{} {must}was dropped midway, after {}{why} ({})",
        super::subject(record),
        match debug.polls() {
            1 => "one poll".to_owned(),
            polls => format!("{polls} polls"),
        },
        super::origin(record),
    );
    // Who drops it.
    let stack = stack::capture(debug.scope.settings().stack);
    let mut report = Report::about(record, kind, message)
        .with_stack(stack)
        .in_task(tokio::task::try_id());
    if kind == ReportKind::DroppedMidway {
        report = report.help_with(HELP);
    }
    if let Some(owner) = debug.tracker.owner() {
        let last = owner.polls();
        let mut leaves = owner.leaves();
        leaves.sort_by_key(|leaf| leaf.poll < last);
        for leaf in leaves.iter().take(SHOWN) {
            report = report.waits("it waited in", leaf.stack);
        }
    }
    report
}

const HELP: &str = "what it had begun is half done: spawn it and await the task's handle, which \
     may be dropped; or keep the future, poll it by `&mut` in a `select!`, and await it to its \
     end afterwards";
