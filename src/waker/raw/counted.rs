//! Clones that are counted: they are the root's own pointer, and have the parent's
//! waker in common.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::{pass_on, wake_parent};
use crate::waker::owner::{Owner, Polling};
use crate::waker::slot::{Left, Slot};
use crate::waker::sync::{Arc, AtomicUsize};
use crate::waker::wake::{News, this_thread};

// Statics, since a waker of ours is known by the address of its table.
pub(super) static OWNER: RawWakerVTable = RawWakerVTable::new(
    counted_clone::<Owner>,
    counted_wake::<Owner>,
    counted_wake_by_ref::<Owner>,
    counted_drop::<Owner>,
);
pub(super) static LINK: RawWakerVTable = RawWakerVTable::new(
    counted_clone::<Link>,
    counted_wake::<Link>,
    counted_wake_by_ref::<Link>,
    counted_drop::<Link>,
);

/// What the root of a poll and its counted clones share.
pub(in crate::waker) trait Shared: Sized {
    /// To be asked only if its clones are counted.
    fn slot(&self) -> &Slot;
    fn is_counted(&self) -> bool {
        true
    }
    fn owner(&self) -> &Owner;
    /// One more count of it.
    ///
    /// # Safety
    ///
    /// `this` must be that of an `Arc` which is alive.
    unsafe fn owner_again(this: *const Self) -> Arc<Owner>;
    /// Whether the parent's waker stays when the last clone is gone.
    fn stays(&self) -> bool {
        false
    }
    /// Where its clones are counted besides.
    fn count(&self) -> Option<&AtomicUsize>;
    fn table() -> &'static RawWakerVTable;
}

impl Shared for Owner {
    #[inline]
    fn slot(&self) -> &Slot {
        match Owner::slot(self) {
            Some(slot) => slot,
            None => unreachable!("its clones are listed"),
        }
    }

    #[inline]
    fn is_counted(&self) -> bool {
        Owner::slot(self).is_some()
    }

    #[inline]
    fn owner(&self) -> &Owner {
        self
    }

    unsafe fn owner_again(this: *const Owner) -> Arc<Owner> {
        // SAFETY: by the contract.
        unsafe {
            Arc::increment_strong_count(this);
            Arc::from_raw(this)
        }
    }

    #[inline]
    fn stays(&self) -> bool {
        Owner::stays(self)
    }

    #[inline]
    fn count(&self) -> Option<&AtomicUsize> {
        None
    }

    #[inline]
    fn table() -> &'static RawWakerVTable {
        &OWNER
    }
}

/// Stands in for the owner while clones are alive that were made under another
/// parent's waker.
pub(in crate::waker) struct Link {
    slot: Slot,
    owner: Arc<Owner>,
}

impl Shared for Link {
    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    unsafe fn owner_again(this: *const Link) -> Arc<Owner> {
        // SAFETY: by the contract.
        Arc::clone(unsafe { &(*this).owner })
    }

    fn count(&self) -> Option<&AtomicUsize> {
        self.owner.elsewhere()
    }

    fn table() -> &'static RawWakerVTable {
        &LINK
    }
}

/// What a tracker, or an owner, holds of what its counted clones share. It has one count
/// of the `Arc` in common with them all: whoever goes last drops it.
pub(in crate::waker) struct Held<S: Shared>(ManuallyDrop<Arc<S>>);

impl<S: Shared> Held<S> {
    pub(in crate::waker) fn new(shared: S) -> Held<S> {
        Held(ManuallyDrop::new(Arc::new(shared)))
    }
}

impl<S: Shared> Deref for Held<S> {
    type Target = Arc<S>;

    #[inline]
    fn deref(&self) -> &Arc<S> {
        &self.0
    }
}

impl<S: Shared> Drop for Held<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is dropped once, and a poll borrows it, or the tracker that has it.
        // Where a clone is left, the last one does the rest.
        unsafe {
            if !self.is_counted() || self.slot().let_go() {
                ManuallyDrop::drop(&mut self.0);
            }
        }
    }
}

impl<S: Shared> fmt::Debug for Held<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Polls with a root whose clones are counted.
#[inline(always)]
pub(in crate::waker) fn counted<R>(
    polling: &Polling<'_>,
    parent: &Waker,
    poll: impl FnOnce(&Waker) -> R,
) -> R {
    let owner = polling.owner();
    if let Some(lease) = Lease::begin(owner, parent, polling) {
        lease.lend(poll)
    } else {
        under_another(polling, parent, poll)
    }
}

/// The same, while clones are alive that were made under another parent's waker.
#[cold]
fn under_another<R>(polling: &Polling<'_>, parent: &Waker, poll: impl FnOnce(&Waker) -> R) -> R {
    let owner = polling.owner();
    let last = owner.other();
    if let Some(lease) = last
        .as_ref()
        .and_then(|link| Lease::begin(link, parent, polling))
    {
        return lease.lend(poll);
    }
    let held = Held::new(Link {
        slot: Slot::new(),
        owner: Arc::clone(owner),
    });
    let link = Arc::clone(&held);
    owner.set_other(Some(held));
    match Lease::begin(&link, parent, polling) {
        Some(lease) => lease.lend(poll),
        None => unreachable!("nobody else has it"),
    }
}

/// A poll whose root's clones are counted in a slot.
struct Lease<'a, S: Shared> {
    shared: &'a Arc<S>,
}

impl<'a, S: Shared> Lease<'a, S> {
    /// `None` if the slot is occupied. The lease must not be forgotten.
    #[inline]
    fn begin(
        shared: &'a Arc<S>,
        parent: &'a Waker,
        _one_at_a_time: &'a Polling<'_>,
    ) -> Option<Lease<'a, S>> {
        // SAFETY: `Polling` is there once an owner, and a slot is of one owner. A lease is
        // not forgotten (`lend` is all that is done with it), so that the slot is told of
        // its end before `parent` or `Polling` go.
        let begun = unsafe { shared.slot().begin(parent) };
        begun.then_some(Lease { shared })
    }

    #[inline(always)]
    fn lend<R>(self, poll: impl FnOnce(&Waker) -> R) -> R {
        let data = Arc::as_ptr(self.shared).cast();
        // SAFETY: the functions of the table keep to the contract: they are safe on any
        // thread, since all that is shared is. The root is never dropped and only
        // lent, for as long as `self` is there, which holds an `Arc` and the slot's
        // poll.
        let root = ManuallyDrop::new(unsafe { Waker::new(data, S::table()) });
        poll(&root)
    }
}

impl<S: Shared> Drop for Lease<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.shared.slot().end();
    }
}

/// # Safety
///
/// `data` must be that of a waker with the table of `S`.
unsafe fn counted_clone<S: Shared>(data: *const ()) -> RawWaker {
    let pointer = data.cast::<S>();
    // SAFETY: by the contract; there is an `Arc` of it while a clone is, and while a poll is.
    let shared = unsafe { &*pointer };
    let is_polled_here = shared.owner().is_polled_by(this_thread());
    // SAFETY: the caller holds a root or a clone.
    if !unsafe { shared.slot().enter(is_polled_here, shared.stays()) } {
        // SAFETY: without a clone it is the root.
        return unsafe { clone_elsewhere(pointer) };
    }
    if let Some(count) = shared.count() {
        count.fetch_add(1, Relaxed);
    }
    RawWaker::new(data, S::table())
}

/// A clone of a root that was handed to another thread than the one that polls, made while
/// there is no other: it has a slot of its own.
///
/// # Safety
///
/// The caller must hold the root of `shared`.
#[cold]
unsafe fn clone_elsewhere<S: Shared>(shared: *const S) -> RawWaker {
    // SAFETY: by the contract; a poll has an `Arc` of it.
    let (slot, owner) = unsafe {
        let parent = (*shared).slot().clone_of_lent();
        (Slot::with_clone(parent), S::owner_again(shared))
    };
    if let Some(count) = owner.elsewhere() {
        count.fetch_add(1, Relaxed);
    }
    let link = Arc::into_raw(Arc::new(Link { slot, owner }));
    RawWaker::new(link.cast(), &LINK)
}

/// A clone that is being consumed. Its share is given back even if a foreign waker panics.
struct Share<S: Shared>(*const S);

impl<S: Shared> Drop for Share<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is the share of that clone.
        unsafe { counted_drop::<S>(self.0.cast()) };
    }
}

/// # Safety
///
/// As [`counted_clone`], of a clone, which must not be used again.
unsafe fn counted_wake<S: Shared>(data: *const ()) {
    // Only then is the clone gone: see `Owner::wake_passed`.
    let share = Share::<S>(data.cast());
    // SAFETY: by the contract, and the clone is held by `share`.
    unsafe { wake_counted::<S>(share.0, &mut News::new()) };
}

/// # Safety
///
/// As [`counted_clone`].
unsafe fn counted_wake_by_ref<S: Shared>(data: *const ()) {
    // SAFETY: by the contract, and the caller holds its waker.
    unsafe {
        let shared = data.cast::<S>();
        // Root and clones look the same: where there is no clone, it is the root.
        let mut news = News::by_root((*shared).slot().clones() == 0);
        wake_counted::<S>(shared, &mut news);
    };
}

/// # Safety
///
/// The caller must hold a root or a clone of `shared` till this returns.
#[inline]
pub(super) unsafe fn wake_counted<S: Shared>(pointer: *const S, news: &mut News) {
    // SAFETY: by the contract; there is an `Arc` of it while a clone is, and while a poll is.
    let shared = unsafe { &*pointer };
    let is_polled_here = shared.owner().is_polled_by(news.thread);
    let slot = shared.slot();
    pass_on(shared.owner(), news, |news| {
        // SAFETY: in its own poll, the parent's waker is lent to all that have this one till
        // the poll ends, on this thread. If it is not, this is no root, but a clone that was
        // made under another.
        if is_polled_here && unsafe { slot.with_lent(|parent| wake_parent(parent, news)) } {
            return;
        }
        if slot.is_lent() {
            // SAFETY: by the contract.
            unsafe { wake_meanwhile(pointer, news) };
        } else {
            // SAFETY: there is no root now, so the caller holds a clone.
            unsafe { slot.with_kept(|parent| wake_parent(parent, news)) };
        }
    });
}

/// A wake during a poll on another thread, by a clone, or by the root itself, which then
/// was handed to this thread.
///
/// # Safety
///
/// As [`wake_counted`].
#[cold]
unsafe fn wake_meanwhile<S: Shared>(pointer: *const S, news: &mut News) {
    // SAFETY: as in `wake_counted`.
    let shared = unsafe { &*pointer };
    let slot = shared.slot();
    // SAFETY: by the contract.
    if !unsafe { slot.enter(false, false) } {
        // SAFETY: without a clone the caller holds the root.
        unsafe { slot.with_lent(|parent| wake_parent(parent, news)) };
        return;
    }
    if let Some(count) = shared.count() {
        count.fetch_add(1, Relaxed);
    }
    let _share = Share(pointer);
    // SAFETY: the share that was taken is held till this returns.
    unsafe { slot.with_kept(|parent| wake_parent(parent, news)) };
}

/// # Safety
///
/// As [`counted_wake`].
unsafe fn counted_drop<S: Shared>(data: *const ()) {
    let pointer = data.cast::<S>();
    // SAFETY: by the contract. Once its share is given back this is not used again, unless
    // nobody else has it.
    let left = unsafe {
        if let Some(count) = (*pointer).count() {
            count.fetch_sub(1, Release);
        }
        (*pointer).slot().give_back()
    };
    match left {
        Left::Kept => {}
        // It may run foreign code.
        Left::None(last) => drop(last),
        Left::Nothing(last) => {
            // SAFETY: the pointer is that of an `Arc` (see `lend`), whose count `Held` left
            // to the last clone.
            let shared = unsafe { Arc::from_raw(pointer) };
            // The count is given back even if the foreign code panics.
            drop(last);
            drop(shared);
        }
    }
}
