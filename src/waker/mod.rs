//! The tracking waker: where a future waits, on stable Rust.
//!
//! A tracked future polls the future in it with a waker of ours, the *root*, that
//! stands for the one it was itself polled with, its *parent's*. A leaf that has
//! to wait clones the waker in its own `poll`: at that moment the stack of the
//! thread is the chain of awaits down to that leaf. So the clones that are alive
//! are the leaves that are waited on, and a future that is pending, was not woken
//! and has no clone can never run again.
//!
//! ```text
//! owner   what is known: the clones, the wakes, what follows from them
//! wake    the news of one wake, and of one clone
//! raw     the wakers themselves: all the vtables
//! slot    the parent's waker, kept while counted clones need it
//! sync    the primitives, to be swapped for loom's
//! ```
//!
//! # Whom a wake reaches
//!
//! Each clone wakes the parent's waker that it was made under: exactly whom it
//! would have woken without us, and once. If the future has moved on to another
//! parent since, its leaves see that by `will_wake`, as they would without us, and
//! register again. So no wake-up is lost, added, or sent somewhere else.
//!
//! A clone of the parent's waker is held only while a clone of ours is: nobody is
//! kept alive for being watched. (Some executors drop a task when the last waker
//! of it is gone. tokio does not: where clones are counted, the waker of a task that was
//! spawned through us is kept till the task is gone.)
//!
//! # Two ways to keep clones
//!
//! - **Listed**, each with its stack. Every clone is an object of its own, so
//!   `will_wake` between the root and a clone, or between two clones, is false, and
//!   a leaf that asks (`Waker::clone_from` does) registers anew at every poll. That
//!   cannot be had cheaper: a leaf that kept its clone would keep the stack of an
//!   earlier poll, which is the wrong line once a future that is polled by
//!   reference (`select!` in a loop) has been handed to another await.
//! - **Counted**. All clones of one parent's waker are one pointer, the root's, so
//!   `will_wake` is true where it would be without us.
//!
//! Nested tracked futures know each other's wakers: a leaf is listed with each
//! future around it, but its stack is taken once.
//!
//! # What runs where
//!
//! The parent's waker is anybody's code. None of it (clone, drop, wake) runs under
//! a lock of ours, so it may clone, wake, drop or look at wakers of ours as it
//! likes. Nothing here needs a thread-local to be alive, or the future, or the
//! runtime.

mod owner;
mod raw;
mod slot;
mod sync;
mod wake;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use self::owner::{Outlook, Owner, Wakes};
pub(crate) use self::wake::Leaf;

use std::sync::OnceLock;
use std::task::{Context, Waker};

use self::owner::Polling;
use self::raw::Held;
use self::sync::Arc;

/// What one tracked future holds to see where it waits.
///
/// Allocates at the first poll, and never at a later one under the same waker but
/// for the clones that are listed.
#[derive(Debug)]
pub(crate) struct Tracker {
    owner: OnceLock<Held<Owner>>,
    stacks: bool,
    exact: bool,
    stays: bool,
}

impl Tracker {
    /// For a future that was not polled yet. `stacks`: its clones are listed, each
    /// with the stack on which it was made; else they are counted.
    pub(crate) const fn new(stacks: bool) -> Tracker {
        Tracker {
            owner: OnceLock::new(),
            stacks,
            exact: true,
            stays: false,
        }
    }

    /// It is a task's, which the runtime polls with one waker from first to last: that is
    /// cloned once, and kept from the first clone of ours till [`ended`](Tracker::ended).
    pub(crate) fn of_task(mut self, is_task: bool) -> Tracker {
        self.stays = is_task;
        self
    }

    /// When it is woken may be said too late by some milliseconds, which takes less.
    pub(crate) fn roughly(mut self, roughly: bool) -> Tracker {
        self.exact = !roughly;
        self
    }

    /// What is known, from the first poll on. May be asked from any thread, and
    /// kept.
    #[inline]
    pub(crate) fn owner(&self) -> Option<&Arc<Owner>> {
        self.owner.get().map(|owner| &**owner)
    }

    /// Polls through `poll`, with a waker of ours that stands for the one in `cx`.
    ///
    /// # Safety
    ///
    /// The caller must see to it that no other thread is in here meanwhile. (This one may
    /// be: the poll within goes unseen.)
    // Always, as the poll body: no frame more on stacks that have an end.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        let owner = match self.owner.get() {
            Some(owner) => owner,
            None => self.first(),
        };
        // SAFETY: by the contract.
        let Some(polling) = (unsafe { Polling::begin(owner) }) else {
            return poll(cx);
        };
        let poll = |root: &Waker| poll(&mut Context::from_waker(root));
        if self.stacks {
            raw::listed(&polling, cx.waker(), poll)
        } else {
            raw::counted(&polling, cx.waker(), poll)
        }
    }

    /// The future is gone: nothing is kept for its sake.
    pub(crate) fn ended(&self) {
        if let (true, Some(owner)) = (self.stays, self.owner.get()) {
            owner.ended();
        }
    }

    #[cold]
    fn first(&self) -> &Held<Owner> {
        self.owner
            .get_or_init(|| Held::new(Owner::new(self.stacks, self.exact, self.stays)))
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.ended();
        if let Some(owner) = self.owner.get() {
            owner.set_other(None);
        }
    }
}
