//! What debug mode records of few things.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::Results;
#[cfg(feature = "io")]
use crate::counts::Counts;
use crate::stack::Captured;

/// What most things have nothing of. Made when it is first written to.
#[derive(Default)]
pub(crate) struct Seldom {
    /// Of the task that waited on it when another began to poll it.
    pub(crate) waited_on: Mutex<Waited>,
    /// The results of the set that it is a task of.
    pub(crate) results: OnceLock<Arc<Results>>,
    /// What a reader or writer has done.
    #[cfg(feature = "io")]
    pub(crate) io: OnceLock<Arc<Counts>>,
    /// What a stream has given.
    items: AtomicU64,
    /// How long a blocking closure waited for a thread, in nanoseconds.
    waited: AtomicU64,
    /// A threshold of its own for slow polls, in nanoseconds; zero: none.
    slow_ok: AtomicU64,
}

/// Whether a task waited on something when another began to poll it.
#[derive(Default)]
pub(crate) enum Waited {
    #[default]
    Nobody,
    Task(Box<Wait>),
    /// Nothing more is to be said.
    Enough,
}

/// How a task waited on something that is polled in it.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// The number of the task, and of its poll.
    pub(crate) task: u64,
    pub(crate) task_poll: u64,
    /// The number of the poll of what it waited on.
    pub(crate) poll: u64,
    pub(crate) stack: Captured,
    /// It had been woken for it.
    pub(crate) woken: bool,
}

impl Seldom {
    /// A stream gives an item. Only the thread that polls writes this, so a load and a
    /// store do.
    #[inline]
    pub(super) fn gives_item(&self) {
        self.items.store(self.items.load(Relaxed) + 1, Relaxed);
    }

    pub(super) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }

    pub(super) fn set_waited(&self, waited: Duration) {
        self.waited.store(waited.as_nanos() as u64, Relaxed);
    }

    pub(super) fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Relaxed))
    }

    pub(super) fn set_slow_ok(&self, threshold: Duration) {
        let nanos = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self.slow_ok.store(nanos.max(1), Relaxed);
    }

    #[inline]
    pub(super) fn slow_ok(&self) -> Option<u64> {
        match self.slow_ok.load(Relaxed) {
            0 => None,
            nanos => Some(nanos),
        }
    }
}
