//! The parent's waker, kept for as long as counted clones need it.
//!
//! All counted clones made under one parent's waker, and the root of the poll, are
//! the same pointer, so none of them can hold a waker of its own: they share the
//! one in here. The first clone puts it in, the last one takes it out, and a poll
//! without clones gets by with the waker that it was lent.
//!
//! ```text
//!              first clone, in a poll                the last share is given back
//!   0 (empty) ────────────────────────> n shares ──────────────────────────────> 0
//!                    by way of BUSY                        by way of BUSY
//! ```
//!
//! Shares are those of the clones, and the pin of the poll in progress, which is
//! there from its beginning if the slot was full, and else from its first clone.
//! So while anybody holds a share the waker in here stays the same and can be used
//! without a lock; and who holds none is the root of a poll, and has the one that
//! was lent.

use std::process::abort;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::Waker;

use super::sync::{AtomicPtr, AtomicUsize, UnsafeCell, yield_now};

/// The share of a poll in progress.
const PIN: usize = 1;
/// The share of a clone.
const CLONE: usize = 2;
/// It is being filled or emptied, which takes a few instructions and no foreign code.
const BUSY: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Slot {
    shares: AtomicUsize,
    /// There while there are shares.
    kept: UnsafeCell<Option<Waker>>,
    /// The waker that the poll in progress was given.
    lent: AtomicPtr<Waker>,
}

// SAFETY: `lent` is an address, which `with_parent` and `clone_of_lent` turn into a
// reference under their own conditions. `kept` is written only by the one thread that
// has set `shares` to `BUSY`, and read only by those who hold a share. A `Waker` may
// be used from any thread.
#[allow(unsafe_code)]
unsafe impl Sync for Slot {}

// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Slot {}

/// What came of beginning a poll.
#[derive(Debug)]
pub(super) enum Begun {
    Yes,
    /// Clones that were made under another waker are alive.
    Occupied,
    /// The last of these has just gone: drop this, and try again.
    Emptied(Waker),
}

impl Slot {
    pub(super) fn new() -> Slot {
        Slot {
            shares: AtomicUsize::new(0),
            kept: UnsafeCell::new(None),
            lent: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// How many clones there are.
    pub(super) fn clones(&self) -> usize {
        match self.shares.load(Acquire) {
            BUSY => 0,
            shares => shares / CLONE,
        }
    }

    /// A poll begins that was given `parent`.
    ///
    /// # Safety
    ///
    /// One poll at a time: if this says `Yes`, [`end`](Slot::end) must be called
    /// before it is called again, and `parent` must live till then.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn begin(&self, parent: &Waker) -> Begun {
        let mut shares = self.shares.load(Acquire);
        // Only a poll fills the slot, and there is none: empty, it stays so.
        while shares != 0 {
            if shares == BUSY {
                return Begun::Occupied;
            }
            let pinned = self
                .shares
                .compare_exchange(shares, shares | PIN, Acquire, Acquire);
            match pinned {
                Err(now) => shares = now,
                Ok(_) => {
                    // SAFETY: it is pinned.
                    let same = unsafe { self.kept(|kept| kept.will_wake(parent)) };
                    if same == Some(true) {
                        break;
                    }
                    return match self.leave(PIN) {
                        Some(last) => Begun::Emptied(last),
                        None => Begun::Occupied,
                    };
                }
            }
        }
        self.lent.store(ptr::from_ref(parent).cast_mut(), Relaxed);
        Begun::Yes
    }

    /// The poll has ended. If this was the last share, gives what was kept.
    #[inline]
    pub(super) fn end(&self) -> Option<Waker> {
        self.lent.store(ptr::null_mut(), Relaxed);
        match self.shares.load(Relaxed) {
            // Nothing was cloned, and nothing can be from now on.
            0 => None,
            _ => self.leave(PIN),
        }
    }

    /// Takes a share for a new clone; true if it is the first one.
    ///
    /// # Safety
    ///
    /// The caller must hold a clone, or the root of a poll in progress.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn enter(&self) -> bool {
        let mut shares = self.shares.load(Acquire);
        let mut parent = None;
        loop {
            match shares {
                // Another thread, with which this poll shares its waker, was quicker.
                BUSY => {
                    yield_now();
                    shares = self.shares.load(Acquire);
                }
                0 => {
                    // SAFETY: with no share taken, no clone is alive, so that the
                    // caller holds the root of a poll in progress.
                    let new = parent
                        .take()
                        .unwrap_or_else(|| unsafe { self.clone_of_lent() });
                    match self.shares.compare_exchange(0, BUSY, Acquire, Acquire) {
                        Ok(_) => {
                            // SAFETY: whoever sets `BUSY` is alone with it. What is
                            // overwritten is `None`: emptying leaves that.
                            self.kept.with_mut(|kept| unsafe { kept.write(Some(new)) });
                            self.shares.store(CLONE | PIN, Release);
                            return true;
                        }
                        Err(now) => {
                            parent = Some(new);
                            shares = now;
                        }
                    }
                }
                // Only `mem::forget` in a loop gets here; an `Arc` gives up likewise.
                _ if shares > BUSY / 2 => abort(),
                // The caller's clone, or the pin of its poll, is among the shares, so
                // they do not run out meanwhile.
                _ => {
                    self.shares.fetch_add(CLONE, Relaxed);
                    return false;
                }
            }
        }
    }

    /// Gives a clone's share back. If it was the last one, gives what was kept.
    ///
    /// # Safety
    ///
    /// The caller must hold a clone, and must not use it again.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn give_back(&self) -> Option<Waker> {
        self.leave(CLONE)
    }

    #[inline]
    fn leave(&self, share: usize) -> Option<Waker> {
        let mut shares = self.shares.load(Relaxed);
        loop {
            let left = shares - share;
            let next = if left == 0 { BUSY } else { left };
            match self
                .shares
                .compare_exchange_weak(shares, next, AcqRel, Relaxed)
            {
                Err(now) => shares = now,
                Ok(_) if left != 0 => return None,
                Ok(_) => break,
            }
        }
        // SAFETY: whoever sets `BUSY` is alone with it: this was the last share.
        #[allow(unsafe_code)]
        let kept = self.kept.with_mut(|kept| unsafe { (*kept).take() });
        self.shares.store(0, Release);
        kept
    }

    /// Calls `f` with the parent's waker.
    ///
    /// # Safety
    ///
    /// The caller must hold a clone, or the root of a poll in progress, till this
    /// returns.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn with_parent(&self, f: impl FnOnce(&Waker)) {
        match self.shares.load(Acquire) {
            0 | BUSY => {
                // SAFETY: the caller holds no share (its own would be among them,
                // and would keep the slot from being emptied), so it holds the root
                // of a poll in progress, till whose end the waker is lent.
                if let Some(lent) = unsafe { self.lent.load(Relaxed).as_ref() } {
                    f(lent);
                }
            }
            _ => {
                // SAFETY: the caller holds a clone's share, or the poll of its root is
                // pinned: there is a share, so it was before, or was by a clone of it.
                unsafe { self.kept(f) };
            }
        }
    }

    /// # Safety
    ///
    /// The caller must hold a share till this returns, and have read `shares` with
    /// `Acquire`.
    #[inline]
    #[allow(unsafe_code)]
    unsafe fn kept<R>(&self, f: impl FnOnce(&Waker) -> R) -> Option<R> {
        // SAFETY: while there are shares nobody writes to it, and the write that put
        // it in came before the `Release` that the caller has acquired.
        self.kept.with(|kept| unsafe { (*kept).as_ref() }.map(f))
    }

    /// # Safety
    ///
    /// The caller must hold the root of a poll in progress.
    #[allow(unsafe_code)]
    unsafe fn clone_of_lent(&self) -> Waker {
        // SAFETY: it is lent till the end of the poll, and was by its beginning.
        unsafe { self.lent.load(Relaxed).as_ref() }
            .map_or_else(|| Waker::noop().clone(), Waker::clone)
    }
}
