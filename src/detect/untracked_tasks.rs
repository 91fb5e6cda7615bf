//! `untracked_tasks`: most tasks of a runtime are not ours to see.

use crate::mode::Scope;
use crate::report::{self, Report, ReportKind};
use std::sync::Arc;

/// Below this many tasks, a share says nothing.
const MIN: usize = 8;

/// How many of `alive` tasks are not among our `tracked` ones, if it is most.
pub(crate) fn judge(alive: usize, tracked: usize) -> Option<usize> {
    let unseen = alive.saturating_sub(tracked);
    (alive >= MIN && unseen * 2 > alive).then_some(unseen)
}

/// Says so.
pub(crate) fn report(scope: &Arc<Scope>, unseen: usize, alive: usize) {
    let kind = ReportKind::UntrackedTasks;
    report::raise(kind, None, scope, || {
        let message = format!("{unseen} of {alive} tasks of this runtime are not tracked");
        Report::new(kind, scope, message).help_with(
            "nothing can be reported about them: spawn your own with `debug_async::spawn!`; \
             those that libraries spawn stay unseen",
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_more_than_half_of_enough() {
        assert_eq!(judge(100, 10), Some(90));
        assert_eq!(judge(100, 50), None);
        assert_eq!(judge(5, 0), None);
        assert_eq!(judge(3, 9), None);
    }
}
