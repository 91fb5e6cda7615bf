//! Where a report ends: the hook, `tracing`, stderr.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::Level;

use super::{Report, hook};
use crate::clock;
use crate::kind::{ReportKind, with_target};
use crate::notice;

/// Hands a report to whoever is to see it. A hook or subscriber that panics is
/// survived, and does not lose the report.
pub(super) fn deliver(report: &Report) {
    if let Some(hook) = hook::get() {
        match catch_unwind(AssertUnwindSafe(|| hook(report))) {
            Ok(()) => return,
            Err(_) => notice::to_stderr(
                "WARN debug_async: the report hook panicked; this is the report it was given\n",
            ),
        }
    }
    if catch_unwind(AssertUnwindSafe(|| emit(report))).is_err() {
        notice::to_stderr(
            "WARN debug_async: the tracing subscriber panicked; this is the report it was given\n",
        );
        print(report);
    }
}

/// Hands a report to `tracing`, or prints it if nobody listens there.
pub(super) fn emit(report: &Report) {
    report.context.enter(|span| {
        if notice::tracing_is_set() {
            event(report, span)
        } else {
            print(report)
        }
    });
}

pub(super) fn print(report: &Report) {
    let Report { level, kind, .. } = report;
    notice::to_stderr(&format!("{level:>5} {}: {report}\n", kind.target()));
}

/// The metadata of an event is a constant, so there is one event for each kind
/// and level.
fn event(report: &Report, span: &tracing::Span) {
    macro_rules! emit {
        ($target:expr, $level:expr) => {
            tracing::event!(
                target: $target,
                parent: span,
                $level,
                name = report.name(),
                site = report.place(),
                task.id = report.task_id().map(tracing::field::display),
                task.name = report.task_name(),
                blocked_at = report.blocked_place(),
                waits_in = waits(report).map(tracing::field::display),
                elapsed = report.elapsed().map(|elapsed| display(clock::human(elapsed))),
                polls = report.polls(),
                items = report.items(),
                busy = report.busy().map(|busy| display(clock::human(busy))),
                age = report.age().map(|age| display(clock::human(age))),
                count = report.count(),
                bytes = report.bytes(),
                error = report.error(),
                help = report.help(),
                stack = report.stack().map(|stack| display(Indented(stack))),
                "{}", report.message()
            )
        };
    }
    macro_rules! by_level {
        ($target:expr) => {
            match report.level() {
                Level::ERROR => emit!($target, Level::ERROR),
                Level::WARN => emit!($target, Level::WARN),
                Level::INFO => emit!($target, Level::INFO),
                _ => emit!($target, Level::DEBUG),
            }
        };
    }
    with_target!(report.kind(), by_level);
}

fn waits(report: &Report) -> Option<String> {
    let waits = report.waits_in().iter().map(|wait| wait.to_string());
    let waits: Vec<String> = waits.collect();
    (!waits.is_empty()).then(|| format!("\n{}", waits.join("\n")).replace('\n', "\n    "))
}

/// A stack that stands apart from the line that it follows.
struct Indented<'a>(&'a crate::stack::Stack);

impl std::fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.to_string().lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}
