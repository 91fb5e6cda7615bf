//! The threads that a runtime of ours has started.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many threads a runtime has, and may have: workers and those of the blocking
/// pool together, since tokio has them in one pool.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    alive: AtomicUsize,
    /// Zero: not known.
    most: AtomicUsize,
}

impl Threads {
    pub(crate) fn began(&self) {
        self.alive.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.alive.fetch_sub(1, Relaxed);
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Relaxed)
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// Whether no more of them can be started.
    pub(crate) fn is_full(&self) -> bool {
        let most = self.most.load(Relaxed);
        most > 0 && self.alive() >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_as_many_as_there_may_be() {
        let threads = Threads::default();
        threads.began();
        assert!(!threads.is_full(), "nobody said how many");
        threads.set_most(2);
        assert!(!threads.is_full());
        threads.began();
        assert!(threads.is_full());
        threads.ended();
        assert!(!threads.is_full());
    }
}
