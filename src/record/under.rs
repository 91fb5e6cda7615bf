//! In which task something is polled.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What stands for the task in which something is polled: the task itself, or the
/// outermost tracked thing on the way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Under {
    /// Zero: it was not polled yet.
    pub(crate) number: u64,
    /// Where the registry keeps it, while it is alive.
    pub(crate) place: u64,
}

/// Written by who polls, one at a time; who reads checks the place by the number.
#[derive(Debug)]
pub(crate) struct AtomicUnder {
    number: AtomicU64,
    place: AtomicU64,
}

impl AtomicUnder {
    pub(crate) const fn new() -> AtomicUnder {
        AtomicUnder {
            number: AtomicU64::new(0),
            place: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    #[inline]
    pub(crate) fn load(&self) -> Under {
        Under {
            number: self.number(),
            place: self.place.load(Relaxed),
        }
    }

    #[inline]
    pub(crate) fn store(&self, under: Under) {
        self.place.store(under.place, Relaxed);
        self.number.store(under.number, Relaxed);
    }
}
