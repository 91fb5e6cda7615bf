//! What is told of one wake, and of one clone: taken once, for all the tracked
//! futures around.

use crate::clock::{self, Tick};
use crate::stack::{self, Captured};

/// A clone of a tracked future's waker: a leaf that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// The awaits, as a stack: where the waker was cloned.
    pub(crate) stack: Captured,
    /// When.
    pub(crate) since: Tick,
    /// During, or after, which poll of the future; the first is 1.
    ///
    /// A leaf registers anew whenever it is polled. One that is of an earlier poll
    /// than the last was left out of that (a branch that is not polled any more),
    /// or has its waker still lying about.
    pub(crate) poll: u64,
}

impl Leaf {
    /// Whether it is the same clone, listed with another of the futures around it.
    pub(crate) fn is_same(&self, other: &Leaf) -> bool {
        self.stack == other.stack && self.since == other.since
    }
}

/// A wake on its way through the tracked futures around a leaf.
pub(super) struct News {
    /// The thread that wakes.
    pub(super) thread: usize,
    /// It came by the waker of a poll, not by a clone.
    pub(super) by_root: bool,
    /// When, and whether that is exact.
    at: Option<(Tick, bool)>,
}

impl News {
    #[inline]
    pub(super) fn new() -> News {
        News::by_root(false)
    }

    #[inline]
    pub(super) fn by_root(by_root: bool) -> News {
        News {
            thread: this_thread(),
            by_root,
            at: None,
        }
    }

    /// When; `exact`, or perhaps said too late by some milliseconds, which takes less.
    #[inline]
    pub(super) fn at(&mut self, exact: bool) -> Tick {
        match self.at {
            Some((at, is_exact)) if is_exact || !exact => at,
            _ => {
                let at = if exact {
                    clock::tick()
                } else {
                    clock::coarse_tick()
                };
                self.at = Some((at, exact));
                at
            }
        }
    }
}

/// A clone on its way through the tracked futures around a leaf.
pub(super) struct Cloning {
    stamp: Option<(Captured, Tick)>,
}

impl Cloning {
    #[inline]
    pub(super) fn new() -> Cloning {
        Cloning { stamp: None }
    }

    /// The leaf, of this poll of a future. The first call takes the stack.
    #[inline]
    pub(super) fn leaf(&mut self, poll: u64) -> Leaf {
        let (stack, since) = *self
            .stamp
            .get_or_insert_with(|| (stack::capture_always(), clock::tick()));
        Leaf { stack, since, poll }
    }
}

/// Stands for threads that cannot say which they are.
pub(super) const SOME_THREAD: usize = 1;

/// A number that no other living thread has; never 0.
#[inline]
pub(super) fn this_thread() -> usize {
    #[cfg(not(loom))]
    thread_local! { static PLACE: u8 = const { 0 }; }
    // Loom's threads are all on one of the system's.
    #[cfg(loom)]
    loom::thread_local! { static PLACE: u8 = 0; }

    // Nothing is dropped with it, so it is there to the end of the thread.
    let address = PLACE.try_with(|place| std::ptr::from_ref(place).addr());
    address.unwrap_or(SOME_THREAD)
}
