//! How late tasks are polled, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{self, Tick};

/// How long it took from wakes to the polls that they asked for.
///
/// Long delays have their reason elsewhere: in whatever kept the workers busy
/// meanwhile, which `slow_poll` and `blocked` name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Delay {
    /// How many of them there were.
    pub polls: u64,
    /// All of it.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Delay {
    /// How long it took on average; zero if nothing was polled after a wake.
    pub fn mean(&self) -> Duration {
        let mean = self.total.as_nanos().checked_div(self.polls.into());
        Duration::from_nanos(mean.and_then(|mean| mean.try_into().ok()).unwrap_or(0))
    }

    pub(crate) fn add(&mut self, other: Delay) {
        self.polls += other.polls;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }
}

/// The same while it is counted, in what the processor's counter counts.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    polls: AtomicU64,
    total: AtomicU64,
    longest: AtomicU64,
}

impl Delays {
    /// A poll begins for which it was woken then. Only whoever polls calls this, so loads
    /// and stores do.
    #[inline]
    pub(crate) fn polled(&self, start: Tick, woken: Tick) {
        let Some(late) = start.counted_since(woken) else {
            return;
        };
        self.polls.store(self.polls.load(Relaxed) + 1, Relaxed);
        let total = self.total.load(Relaxed).saturating_add(late);
        self.total.store(total, Relaxed);
        if late > self.longest.load(Relaxed) {
            self.longest.store(late, Relaxed);
        }
    }

    /// Adds those of one that is gone.
    pub(crate) fn add(&self, other: &Delays) {
        let polls = other.polls.load(Relaxed);
        if polls > 0 {
            self.polls.fetch_add(polls, Relaxed);
            self.total.fetch_add(other.total.load(Relaxed), Relaxed);
            self.longest.fetch_max(other.longest.load(Relaxed), Relaxed);
        }
    }

    /// Nothing, if nothing was polled after a wake.
    pub(crate) fn get(&self) -> Option<Delay> {
        let polls = self.polls.load(Relaxed);
        (polls > 0).then(|| Delay {
            polls,
            total: clock::counted(self.total.load(Relaxed)),
            longest: clock::counted(self.longest.load(Relaxed)),
        })
    }
}
