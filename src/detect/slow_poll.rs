//! `slow_poll`: one poll blocked its thread.

use std::time::Duration;

use super::excuse;
use crate::clock;
use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// How much of a poll is its own fault, if that is too much: `told` of it has been
/// told of, or allowed, in the futures within.
#[inline]
pub(crate) fn judge(elapsed: Duration, told: Duration, threshold: Duration) -> Option<Duration> {
    // The common case is one comparison.
    if elapsed < threshold {
        return None;
    }
    let own = elapsed.saturating_sub(told);
    (own >= threshold).then_some(own)
}

/// Reports a poll that took `own` too long, unless there is an excuse.
#[cold]
pub(crate) fn report(record: &Record, own: Duration) {
    if excuse::excused() {
        return;
    }
    let kind = ReportKind::SlowPoll;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "one poll of {} took {}: it blocked its thread ({})",
            super::subject(record),
            clock::human(own),
            super::origin(record),
        );
        Report::about(record, kind, message)
            .took(own)
            .in_task(tokio::task::try_id())
            .help_with(
                "no other task of this thread could run meanwhile: do what blocks in \
             `spawn_blocking`, split long computations with `yield_now().await`, or allow it \
             with `.slow_ok(duration)`",
            )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_innermost_is_blamed() {
        assert_eq!(judge(150 * MS, Duration::ZERO, 100 * MS), Some(150 * MS));
        assert_eq!(judge(160 * MS, 150 * MS, 100 * MS), None);
        assert_eq!(judge(300 * MS, 150 * MS, 100 * MS), Some(150 * MS));
        assert_eq!(judge(99 * MS, Duration::ZERO, 100 * MS), None);
    }
}
