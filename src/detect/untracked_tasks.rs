//! `untracked_tasks`: most tasks of a runtime are not ours to see.
//!
//! The worst failure of a tool that wraps is silence because nothing was wrapped.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeMetrics};

use crate::mode::{Mode, Scope};
use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// Below this many tasks, a share says nothing.
const MIN: usize = 8;

const EVERY: Duration = Duration::from_secs(1);

/// How many of `alive` tasks are not among our `tracked` ones, if it is most.
fn judge(alive: usize, tracked: usize) -> Option<usize> {
    let unseen = alive.saturating_sub(tracked);
    (alive >= MIN && unseen * 2 > alive).then_some(unseen)
}

/// Looks at a runtime of ours every so often, for as long as `metrics` is kept: what
/// is held here would keep the files of a runtime open that has ended.
pub(crate) fn watch(metrics: &Arc<RuntimeMetrics>, scope: &Arc<Scope>) {
    if scope.mode() == Mode::Debug {
        let metrics = Arc::downgrade(metrics);
        look_at(scope, move || Some(metrics.upgrade()?.num_alive_tasks()));
    }
}

/// Says once if most of the tasks are not tracked of which `alive` tells how many there
/// are, till it gives none.
fn look_at(scope: &Arc<Scope>, alive: impl Fn() -> Option<usize> + Send + 'static) {
    let scope = Arc::downgrade(scope);
    let mut before = false;
    report::every(EVERY, move || {
        let scope = scope.upgrade().filter(|scope| !scope.is_ending())?;
        let alive = alive()?;
        // Twice in a row: a burst says nothing.
        match judge(alive, scope.tasks()) {
            Some(unseen) if before => {
                report(&scope, unseen, alive);
                None
            }
            now => {
                before = now.is_some();
                Some(EVERY)
            }
        }
    });
}

/// The runtimes that are not ours and that are being looked at, or have been told of.
static KNOWN: LazyLock<Mutex<HashSet<Id>>> = LazyLock::new(Mutex::default);

/// How often one of them was forgotten.
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

fn known() -> MutexGuard<'static, HashSet<Id>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task was spawned: looks at its runtime from now on, if that is not ours and
/// so did not begin by asking for it.
pub(crate) fn spawned(record: &Record) {
    thread_local! {
        static LAST: Cell<Option<(Id, u64)>> = const { Cell::new(None) };
    }
    let Some(debug) = record.debug() else { return };
    if !Arc::ptr_eq(&debug.scope, Scope::process()) {
        return;
    }
    let Ok(handle) = Handle::try_current() else {
        return;
    };
    let now = Some((handle.id(), FORGOTTEN.load(Relaxed)));
    let same = LAST
        .try_with(|last| last.replace(now) == now)
        .unwrap_or(true);
    if !same && known().insert(handle.id()) {
        watch_tokio_s(handle.metrics(), handle.id(), &debug.scope);
    }
}

/// A runtime that is not ours does not say when it ends. One without a task is let go;
/// if it lives, the next task that is spawned on it brings it back.
fn watch_tokio_s(metrics: RuntimeMetrics, id: Id, scope: &Arc<Scope>) {
    look_at(scope, move || {
        let alive = metrics.num_alive_tasks();
        if alive == 0 {
            known().remove(&id);
            FORGOTTEN.fetch_add(1, Relaxed);
            return None;
        }
        Some(alive)
    });
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
