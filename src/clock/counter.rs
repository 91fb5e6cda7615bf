//! The processor's counter.
//!
//! `quanta` measures it, and knows whether it can be trusted. It is read here, where that can
//! be done without a call, since it is read twice a poll.

use std::time::Duration;

/// The processor's counter, measured against the system's clock.
#[derive(Debug)]
pub(super) struct Counter(quanta::Clock);

impl Counter {
    /// Measures it, which takes some milliseconds the first time. `None`: there is none that
    /// can be trusted.
    pub(super) fn new() -> Option<Counter> {
        let counter = Counter(quanta::Clock::new());
        // Where `quanta` does not trust it, it gives the time of the system's clock.
        is_between(|| counter.now(), || counter.0.raw()).then_some(counter)
    }

    /// How far it has counted.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline]
    pub(super) fn now(&self) -> u64 {
        // SAFETY: every processor of this architecture has the instruction, and it touches no
        // memory. (A process may forbid it to itself: that `quanta`, which had the first look
        // at it, would have met.)
        #[allow(unsafe_code)]
        unsafe {
            std::arch::x86_64::_rdtsc()
        }
    }

    /// How far it has counted.
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    pub(super) fn now(&self) -> u64 {
        self.0.raw()
    }

    /// The nanoseconds from one count to another; none, if that is no later.
    #[inline]
    pub(super) fn nanos(&self, start: u64, end: u64) -> u64 {
        self.0.delta_as_nanos(start, end)
    }

    /// How long it takes to count so far.
    pub(super) fn duration(&self, count: u64) -> Duration {
        self.0.delta(0, count)
    }
}

/// Whether two clocks are one. That another lies between two looks at this one by accident is
/// next to impossible, and three times more so.
fn is_between(this: impl Fn() -> u64, other: impl Fn() -> u64) -> bool {
    /// The processor may look a little sooner or later than it is told to.
    const SLACK: u64 = 10_000;
    (0..3).all(|_| {
        let (before, now, after) = (this(), other(), this());
        before <= now.saturating_add(SLACK) && now <= after.saturating_add(SLACK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_was_measured() {
        let Some(counter) = Counter::new() else {
            return;
        };
        let start = std::time::Instant::now();
        let count = counter.now();
        while start.elapsed() < Duration::from_millis(2) {}
        assert!(counter.nanos(count, counter.now()) >= 1_600_000);
        assert!(is_between(|| counter.now(), || counter.0.raw()));
    }

    #[test]
    fn the_clock_of_the_system_is_not_taken_for_it() {
        let Some(counter) = Counter::new() else {
            return;
        };
        let start = std::time::Instant::now();
        let system = || start.elapsed().as_nanos() as u64;
        assert!(!is_between(|| counter.now(), system));
        assert!(!is_between(system, || counter.now()));
        // Nor is one that is behind or ahead.
        assert!(!is_between(|| counter.now(), || counter.now() / 2));
        assert!(!is_between(|| counter.now(), || counter.now() * 2));
    }
}
