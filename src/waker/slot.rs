//! The parent's waker, kept for as long as counted clones need it.
//!
//! All counted clones made under one parent's waker, and the root of the poll, are
//! the same pointer, so none of them can hold a waker of its own: they share the
//! one in here. The first clone puts it in, the last one takes it out, and a poll
//! without clones gets by with the waker that it was lent.
//!
//! ```text
//!                    first clone, in a poll                 the last one goes
//!   no clone (empty) ───────────────────────> n clones ───────────────────────> no clone
//!                    by the polling thread                   by way of BUSY
//! ```
//!
//! That of a task stays till the task is gone, since the runtime polls it with one waker
//! from first to last: to clone and drop that for each leaf is a good part of what a poll
//! takes.
//!
//! While there are clones the waker in here stays the same, and each of them can use it
//! without a lock. The root holds no share. It has the waker that was lent; on the thread
//! that polls, so have the clones.
//!
//! Who made the slot holds it, besides. What the slot is a part of may go when it was let
//! go and the last clone is gone, in either order.

use std::process::abort;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::Waker;

use super::sync::{AtomicPtr, AtomicUsize, UnsafeCell, yield_now};

/// The share of who made the slot.
const HELD: usize = 1;
/// The share of a task, whose waker stays in here when there is no clone.
const STAYS: usize = 2;
/// The share of a clone.
const CLONE: usize = 4;
/// It is being emptied, which takes a few instructions and no foreign code.
const BUSY: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Slot {
    shares: AtomicUsize,
    /// There while there are clones, or it stays.
    kept: UnsafeCell<Option<Waker>>,
    /// What that is, or was last, as words that can be looked at at any time.
    data: AtomicUsize,
    table: AtomicUsize,
    /// The waker that the poll in progress was given.
    lent: AtomicPtr<Waker>,
}

// SAFETY: `lent` is an address, which `with_lent` and `clone_of_lent` turn into a
// reference under their own conditions. `kept` is written by the one thread that has set
// `shares` to `BUSY`, and while nothing is kept by the one that polls; and read only by
// those who hold a clone. A `Waker` may be used from any thread.
#[allow(unsafe_code)]
unsafe impl Sync for Slot {}

// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Slot {}

/// What is left when a share was given back.
#[derive(Debug)]
pub(super) enum Left {
    /// What is kept, for others.
    Kept,
    /// It was the last one: this is what was kept.
    None(Option<Waker>),
    /// And the slot had been let go.
    Nothing(Option<Waker>),
}

impl Slot {
    /// Held by the caller.
    pub(super) fn new() -> Slot {
        Slot {
            shares: AtomicUsize::new(HELD),
            kept: UnsafeCell::new(None),
            data: AtomicUsize::new(0),
            table: AtomicUsize::new(0),
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

    /// A poll begins that was given `parent`. False if clones that were made under
    /// another waker are alive.
    ///
    /// # Safety
    ///
    /// One poll at a time: if this says true, [`end`](Slot::end) must be called
    /// before it is called again, and `parent` must live till then.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn begin(&self, parent: &Waker) -> bool {
        let shares = self.shares.load(Acquire);
        // Only a poll fills the slot, and there is none: it has this waker for as long as
        // it has one, or is empty and stays so.
        let is_free = shares < STAYS || shares == BUSY || self.keeps(parent);
        if is_free {
            self.lent.store(ptr::from_ref(parent).cast_mut(), Relaxed);
        }
        is_free
    }

    /// Whether what is kept, if anything is, would wake the same.
    #[inline]
    fn keeps(&self, parent: &Waker) -> bool {
        let (data, table) = words(parent);
        self.data.load(Relaxed) == data && self.table.load(Relaxed) == table
    }

    /// The poll has ended.
    #[inline]
    pub(super) fn end(&self) {
        self.lent.store(ptr::null_mut(), Relaxed);
    }

    /// Takes a share for a new clone. False if there is none yet to stand beside, and this is
    /// not the thread that polls: only that one fills the slot. `is_polled_here`: it is.
    /// `stays`: what is put in now stays till [`clear`](Slot::clear).
    ///
    /// # Safety
    ///
    /// The caller must hold a clone, or the root of a poll in progress.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn enter(&self, is_polled_here: bool, stays: bool) -> bool {
        let shares = self.shares.load(Acquire);
        if (STAYS..=BUSY / 2).contains(&shares) && self.add_clone(shares).is_ok() {
            return true;
        }
        // SAFETY: by the contract.
        unsafe { self.enter_slowly(is_polled_here, stays) }
    }

    /// One clone more than in `shares`, which is what there is if this fails.
    #[inline]
    fn add_clone(&self, shares: usize) -> Result<usize, usize> {
        self.shares
            .compare_exchange_weak(shares, shares + CLONE, Acquire, Acquire)
    }

    /// # Safety
    ///
    /// As [`enter`](Slot::enter).
    // What it needs is not to be made ready where nothing has to be put in.
    #[inline(never)]
    #[allow(unsafe_code)]
    unsafe fn enter_slowly(&self, is_polled_here: bool, stays: bool) -> bool {
        let mut shares = self.shares.load(Acquire);
        let mut parent = None;
        loop {
            match shares {
                // The last clone goes.
                BUSY => {
                    yield_now();
                    shares = self.shares.load(Acquire);
                }
                0..STAYS if !is_polled_here => return false,
                0..STAYS => {
                    let Some(new) = parent.take() else {
                        // SAFETY: nothing is kept, so no clone is alive, and the caller
                        // holds the root of a poll in progress.
                        parent = Some(unsafe { self.clone_of_lent() });
                        // That was foreign code, which may have made a clone itself.
                        shares = self.shares.load(Acquire);
                        continue;
                    };
                    let (data, table) = words(&new);
                    self.data.store(data, Relaxed);
                    self.table.store(table, Relaxed);
                    // SAFETY: where no clone is nobody but this thread has anything to do
                    // with it. What is overwritten is `None`: emptying leaves that.
                    self.kept.with_mut(|kept| unsafe { kept.write(Some(new)) });
                    let stays = if stays { STAYS } else { 0 };
                    self.shares.store(shares + stays + CLONE, Release);
                    return true;
                }
                // Only `mem::forget` in a loop gets here; an `Arc` gives up likewise.
                _ if shares > BUSY / 2 => abort(),
                _ => match self.add_clone(shares) {
                    Ok(_) => return true,
                    Err(now) => shares = now,
                },
            }
        }
    }

    /// A slot that nobody holds, with one clone in it.
    pub(super) fn with_clone(kept: Waker) -> Slot {
        let (data, table) = words(&kept);
        Slot {
            shares: AtomicUsize::new(CLONE),
            kept: UnsafeCell::new(Some(kept)),
            data: AtomicUsize::new(data),
            table: AtomicUsize::new(table),
            lent: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Gives a clone's share back.
    ///
    /// # Safety
    ///
    /// The caller must hold a clone, and must not use it again.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn give_back(&self) -> Left {
        self.leave(|shares| Some(shares - CLONE))
    }

    /// What stayed is kept no longer than there are clones.
    pub(super) fn clear(&self) -> Left {
        self.leave(|shares| (shares != BUSY && shares & STAYS != 0).then_some(shares & !STAYS))
    }

    /// Takes a share away. `without` gives what is left then; `None`: it is not there.
    #[inline]
    #[allow(unsafe_code)]
    fn leave(&self, without: impl Fn(usize) -> Option<usize>) -> Left {
        let mut shares = self.shares.load(Relaxed);
        let left = loop {
            let Some(left) = without(shares) else {
                return Left::Kept;
            };
            let next = if left < STAYS { BUSY } else { left };
            match self
                .shares
                .compare_exchange_weak(shares, next, AcqRel, Relaxed)
            {
                Err(now) => shares = now,
                Ok(_) if left >= STAYS => return Left::Kept,
                Ok(_) => break left,
            }
        };
        // SAFETY: whoever sets `BUSY` is alone with it: this was the last share.
        let kept = self.kept.with_mut(|kept| unsafe { (*kept).take() });
        if left == 0 {
            // Nobody is left who would look at it.
            return Left::Nothing(kept);
        }
        self.shares.store(left, Release);
        Left::None(kept)
    }

    /// Who made it has done with it, and nothing stays. True if no clone is left.
    ///
    /// # Safety
    ///
    /// To be called once, when no poll is in progress and none will be.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn let_go(&self) -> bool {
        let mut shares = self.shares.load(Acquire);
        loop {
            match shares {
                // Without a clone, and without a poll, nobody else can change that.
                HELD => return true,
                BUSY => {
                    yield_now();
                    shares = self.shares.load(Acquire);
                }
                _ => {
                    let left = shares - HELD;
                    match self
                        .shares
                        .compare_exchange_weak(shares, left, AcqRel, Acquire)
                    {
                        Ok(_) => return false,
                        Err(now) => shares = now,
                    }
                }
            }
        }
    }

    /// Calls `f` with the waker that was lent to the poll in progress, and gives true;
    /// false if there is none.
    ///
    /// # Safety
    ///
    /// The caller must be in that poll, or hold the root of it till this returns.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn with_lent(&self, f: impl FnOnce(&Waker)) -> bool {
        // SAFETY: it is lent till the end of the poll.
        let lent = unsafe { self.lent.load(Relaxed).as_ref() };
        lent.map(f).is_some()
    }

    /// Whether a poll may be in progress, of which the caller may hold the root. False only
    /// if it does not.
    #[inline]
    pub(super) fn is_lent(&self) -> bool {
        !self.lent.load(Relaxed).is_null()
    }

    /// Calls `f` with the waker that is kept.
    ///
    /// # Safety
    ///
    /// The caller must hold a clone till this returns.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn with_kept(&self, f: impl FnOnce(&Waker)) {
        // What the waker was put in with came before this.
        let _ = self.shares.load(Acquire);
        // SAFETY: while there are clones nobody writes to it.
        self.kept.with(|kept| unsafe { (*kept).as_ref() }.map(f));
    }

    /// # Safety
    ///
    /// The caller must hold the root of a poll in progress.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn clone_of_lent(&self) -> Waker {
        // SAFETY: it is lent till the end of the poll, and was by its beginning.
        unsafe { self.lent.load(Relaxed).as_ref() }
            .map_or_else(|| Waker::noop().clone(), Waker::clone)
    }
}

/// What two wakers have in common that wake the same, as `will_wake` has it.
#[inline]
fn words(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
}
