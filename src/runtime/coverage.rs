//! How many tasks of a runtime are tracked.

use std::sync::Arc;
use std::time::Duration;

use super::Handle;
use crate::detect::untracked_tasks;
use crate::mode::{Mode, Scope};
use crate::report;

const EVERY: Duration = Duration::from_secs(1);

/// How many tasks of this runtime are not ours.
pub(super) fn unseen(handle: &Handle, scope: &Scope) -> usize {
    handle
        .metrics()
        .num_alive_tasks()
        .saturating_sub(scope.tasks())
}

/// Looks at a runtime of debug mode every so often, and says once if most of its
/// tasks are not tracked.
pub(super) fn watch(handle: &tokio::runtime::Handle, scope: &Arc<Scope>) {
    if scope.mode() != Mode::Debug {
        return;
    }
    let (metrics, scope) = (handle.metrics(), Arc::downgrade(scope));
    let mut before = false;
    report::every(EVERY, move || {
        let scope = scope.upgrade().filter(|scope| !scope.is_ending())?;
        let alive = metrics.num_alive_tasks();
        let unseen = untracked_tasks::judge(alive, scope.tasks());
        // Twice in a row: a burst says nothing.
        match unseen {
            Some(unseen) if before => {
                untracked_tasks::report(&scope, unseen, alive);
                None
            }
            now => {
                before = now.is_some();
                Some(EVERY)
            }
        }
    });
}
