//! The results of a set of tasks, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Flag, Record};

/// How many results the tasks of one set gave, and how many of them were taken.
#[derive(Debug, Default)]
pub(crate) struct Results {
    finished: AtomicU64,
    joined: AtomicU64,
}

impl Results {
    /// The task is one of this set.
    pub(crate) fn enter(self: &Arc<Results>, task: &Record) {
        let Some(debug) = task.debug() else { return };
        let _ = debug.seldom_or_new().results.set(Arc::clone(self));
        // It may have ended already.
        if task.set_and_see(Flag::IN_SET, Flag::RESULT) {
            self.one_more();
        }
    }

    /// A task of the set has ended.
    pub(super) fn one_more(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    /// A result was taken.
    pub(crate) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    /// The set is gone: it keeps none.
    pub(crate) fn close(&self) {
        self.joined.store(u64::MAX, Relaxed);
    }

    /// How many there were, and how many of them were taken.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let joined = self.joined.load(Relaxed);
        (self.finished.load(Relaxed), joined)
    }
}
