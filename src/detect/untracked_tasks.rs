//! `untracked_tasks`: most tasks of a runtime are not ours to see.
//!
//! The worst failure of a tool that wraps is silence because nothing was wrapped.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeMetrics};

use crate::mode::{Mode, Scope};
use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// Below this many tasks, a share says nothing.
const MIN: usize = 8;

const EVERY: Duration = Duration::from_secs(1);

/// A runtime that is not ours does not say when it ends: without a task for so
/// many looks, it is taken to have ended.
const IDLE: u32 = 5;

/// How many of `alive` tasks are not among our `tracked` ones, if it is most.
fn judge(alive: usize, tracked: usize) -> Option<usize> {
    let unseen = alive.saturating_sub(tracked);
    (alive >= MIN && unseen * 2 > alive).then_some(unseen)
}

/// Looks at a runtime of debug mode every so often, and says once if most of its
/// tasks are not tracked.
pub(crate) fn watch(metrics: RuntimeMetrics, scope: &Arc<Scope>) {
    if scope.mode() != Mode::Debug {
        return;
    }
    let scope = Arc::downgrade(scope);
    let (mut before, mut idle) = (false, 0);
    report::every(EVERY, move || {
        let scope = scope.upgrade().filter(|scope| !scope.is_ending())?;
        let alive = metrics.num_alive_tasks();
        idle = if alive == 0 { idle + 1 } else { 0 };
        // Twice in a row: a burst says nothing.
        match judge(alive, scope.tasks()) {
            Some(unseen) if before => {
                report(&scope, unseen, alive);
                None
            }
            now => {
                before = now.is_some();
                (idle < IDLE).then_some(EVERY)
            }
        }
    });
}

/// A task was spawned: looks at its runtime from now on, if that is not ours and
/// so did not begin by asking for it.
pub(crate) fn spawned(record: &Record) {
    thread_local! {
        static LAST: Cell<Option<Id>> = const { Cell::new(None) };
    }
    let Some(debug) = record.debug() else { return };
    if !Arc::ptr_eq(&debug.scope, Scope::process()) {
        return;
    }
    let Ok(handle) = Handle::try_current() else {
        return;
    };
    let id = handle.id();
    let known = LAST
        .try_with(|last| last.replace(Some(id)) == Some(id))
        .unwrap_or(true);
    if !known && is_new(id) {
        watch(handle.metrics(), &debug.scope);
    }
}

fn is_new(id: Id) -> bool {
    use std::collections::HashSet;
    use std::sync::{LazyLock, Mutex, PoisonError};
    static SEEN: LazyLock<Mutex<HashSet<Id>>> = LazyLock::new(Mutex::default);
    SEEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id)
}

fn report(scope: &Arc<Scope>, unseen: usize, alive: usize) {
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
