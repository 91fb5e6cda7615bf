//! `slow_poll`: one poll blocked its thread.

use std::time::Duration;

use super::{Whose, excuse};
use crate::clock;
use crate::record::Record;
use crate::report::{Live, Report, ReportKind};

/// How much of a poll is its own fault, if that is too much: `told` of it has been
/// told of, or allowed, in the futures within. All in nanoseconds.
#[inline]
pub(crate) fn judge(elapsed: u64, told: u64, threshold: u64) -> Option<Duration> {
    // The common case is one comparison.
    if elapsed < threshold {
        return None;
    }
    let own = elapsed.saturating_sub(told);
    (own >= threshold).then_some(Duration::from_nanos(own))
}

/// Reports a poll that took `own` too long, unless there is an excuse. `live`: what
/// was seen of it while it ran.
#[cold]
pub(crate) fn report(record: &Record, own: Duration, live: Option<Live>) {
    super::took_too_long(ReportKind::SlowPoll, "one poll of", record, own, live, HELP);
}

/// Reports that a worker was kept from its other tasks, by a future that is not
/// tracked.
pub(crate) fn report_worker(whose: &Whose<'_>, elapsed: Duration, live: Live) {
    let Whose { scope, worker, .. } = whose;
    let message = format!(
        "one poll of a task that is not tracked took about {}{}: it blocked {worker}",
        clock::human(elapsed),
        live.in_words(),
    );
    let make = || {
        Report::new(ReportKind::SlowPoll, scope, message)
            .took(elapsed)
            .in_task(live.task)
            .help_with(HELP)
    };
    excuse::raise_if_in_poll(ReportKind::SlowPoll, whose, live, make);
}

pub(super) const HELP: &str = "no other task of this thread could run meanwhile: do what blocks in \
     `spawn_blocking`, split long computations with `yield_now().await`, or allow it \
     with `.slow_ok(duration)`";

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_innermost_is_blamed() {
        let own = Some(Duration::from_millis(150));
        assert_eq!(judge(150 * MS, 0, 100 * MS), own);
        assert_eq!(judge(160 * MS, 150 * MS, 100 * MS), None);
        assert_eq!(judge(300 * MS, 150 * MS, 100 * MS), own);
        assert_eq!(judge(99 * MS, 0, 100 * MS), None);
    }
}
