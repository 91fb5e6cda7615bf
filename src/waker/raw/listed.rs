//! Clones that are listed: each is a box of its own, with its own clone of the
//! parent's waker.

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::{clone_parent, pass_on, wake_parent, wake_parent_by_value};
use crate::waker::owner::{Owner, Polling};
use crate::waker::sync::Arc;
use crate::waker::wake::{Cloning, News};

// Statics, since a waker of ours is known by the address of its table.
pub(super) static FRAME: RawWakerVTable =
    RawWakerVTable::new(frame_clone, frame_wake, frame_wake, frame_drop);
pub(super) static LISTED: RawWakerVTable =
    RawWakerVTable::new(listed_clone, listed_wake, listed_wake_by_ref, listed_drop);

/// The root of a poll whose clones are listed.
pub(super) struct Frame<'a> {
    owner: &'a Arc<Owner>,
    parent: &'a Waker,
}

/// Polls with a root whose clones are listed.
#[inline(always)]
pub(in crate::waker) fn listed<R>(
    polling: &Polling<'_>,
    parent: &Waker,
    poll: impl FnOnce(&Waker) -> R,
) -> R {
    let frame = Frame {
        owner: polling.owner(),
        parent,
    };
    // SAFETY: the functions of `FRAME` keep to the contract: they are safe on any
    // thread, since all that a frame holds is; a clone is a box of its own. The waker
    // is only lent, and dropping it does nothing, so it does not outlive the frame.
    let root = unsafe { Waker::new(ptr::from_ref(&frame).cast(), &FRAME) };
    poll(&root)
}

impl Frame<'_> {
    pub(super) fn clone_for(&self, cloning: &mut Cloning) -> Waker {
        Listed::waker(self.owner, self.parent, cloning)
    }

    #[inline]
    pub(super) fn wake_by_ref(&self, news: &mut News) {
        pass_on(self.owner, news, |news| wake_parent(self.parent, news));
    }
}

/// # Safety
///
/// `data` must be that of a waker with the table `FRAME`.
unsafe fn frame_clone(data: *const ()) -> RawWaker {
    // SAFETY: by the contract, and the frame lives as long as its waker.
    let frame: &Frame<'_> = unsafe { &*data.cast() };
    Listed::raw(frame.owner, frame.parent, &mut Cloning::new())
}

/// # Safety
///
/// As [`frame_clone`].
unsafe fn frame_wake(data: *const ()) {
    // SAFETY: as in `frame_clone`.
    let frame: &Frame<'_> = unsafe { &*data.cast() };
    frame.wake_by_ref(&mut News::by_root(true));
}

/// # Safety
///
/// None: it does nothing. The frame is the poll's.
unsafe fn frame_drop(_: *const ()) {}

/// A clone that is listed.
pub(super) struct Listed {
    parent: Waker,
    entry: Entry,
}

/// Its place on the list.
struct Entry {
    owner: Arc<Owner>,
    key: usize,
    /// See [`Owner::leave`].
    woken: u64,
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        self.owner.leave(self.key, self.woken);
    }
}

impl Listed {
    /// A new clone of a future's waker. The innermost takes the stack, all that are
    /// around it get the same.
    fn raw(owner: &Arc<Owner>, parent: &Waker, cloning: &mut Cloning) -> RawWaker {
        let leaf = cloning.leaf(owner.polls());
        let parent = clone_parent(parent, cloning);
        let entry = Entry {
            key: owner.enter(leaf),
            owner: Arc::clone(owner),
            woken: 0,
        };
        let listed = Box::new(Listed { parent, entry });
        RawWaker::new(Box::into_raw(listed).cast_const().cast(), &LISTED)
    }

    fn waker(owner: &Arc<Owner>, parent: &Waker, cloning: &mut Cloning) -> Waker {
        // SAFETY: the functions of `LISTED` keep to the contract: they are safe on any
        // thread, since all that it holds is, and what was made by `Box::into_raw` is
        // freed by the one call that consumes the waker.
        unsafe { Waker::from_raw(Listed::raw(owner, parent, cloning)) }
    }

    pub(super) fn clone_for(&self, cloning: &mut Cloning) -> Waker {
        Listed::waker(&self.entry.owner, &self.parent, cloning)
    }

    /// # Safety
    ///
    /// `data` must be that of a waker with the table `LISTED`, which must not be used
    /// again.
    #[inline]
    pub(super) unsafe fn from_raw(data: *const ()) -> Listed {
        // SAFETY: `raw` got it from `Box::into_raw`, as that of one waker, which is
        // consumed now.
        *unsafe { Box::from_raw(data.cast_mut().cast::<Listed>()) }
    }

    #[inline]
    pub(super) fn wake_by_ref(&self, news: &mut News) {
        pass_on(&self.entry.owner, news, |news| {
            wake_parent(&self.parent, news);
        });
    }

    #[inline]
    pub(super) fn wake(self, news: &mut News) {
        let Listed { parent, mut entry } = self;
        entry.woken = pass_on(&entry.owner, news, |news| {
            wake_parent_by_value(parent, news);
        });
        // It is off the list now, when the wake has been passed on or has panicked.
        drop(entry);
    }
}

/// # Safety
///
/// `data` must be that of a waker with the table `LISTED`.
unsafe fn listed_clone(data: *const ()) -> RawWaker {
    // SAFETY: by the contract, and it lives as long as its waker.
    let listed: &Listed = unsafe { &*data.cast() };
    Listed::raw(&listed.entry.owner, &listed.parent, &mut Cloning::new())
}

/// # Safety
///
/// `data` must be that of a waker with the table `LISTED`, which must not be used
/// again.
unsafe fn listed_wake(data: *const ()) {
    // SAFETY: by the contract.
    unsafe { Listed::from_raw(data) }.wake(&mut News::new());
}

/// # Safety
///
/// As [`listed_clone`].
unsafe fn listed_wake_by_ref(data: *const ()) {
    // SAFETY: as in `listed_clone`.
    let listed: &Listed = unsafe { &*data.cast() };
    listed.wake_by_ref(&mut News::new());
}

/// # Safety
///
/// As [`listed_wake`].
unsafe fn listed_drop(data: *const ()) {
    // SAFETY: by the contract.
    let Listed { parent, entry } = unsafe { Listed::from_raw(data) };
    drop(entry);
    // Last: it runs foreign code.
    drop(parent);
}
