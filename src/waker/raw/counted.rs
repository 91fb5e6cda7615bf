//! Clones that are counted: they are the root's own pointer, and have the parent's
//! waker in common.

use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::{pass_on, wake_parent};
use crate::waker::owner::{Owner, Polling};
use crate::waker::slot::{Begun, Slot};
use crate::waker::sync::{Arc, AtomicUsize};
use crate::waker::wake::News;

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
pub(super) trait Shared: Sized {
    fn slot(&self) -> &Slot;
    fn owner(&self) -> &Owner;
    /// Where its clones are counted besides.
    fn count(&self) -> Option<&AtomicUsize>;
    fn table() -> &'static RawWakerVTable;
}

impl Shared for Owner {
    #[inline]
    fn slot(&self) -> &Slot {
        Owner::slot(self)
    }

    #[inline]
    fn owner(&self) -> &Owner {
        self
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

    fn count(&self) -> Option<&AtomicUsize> {
        Some(self.owner.elsewhere())
    }

    fn table() -> &'static RawWakerVTable {
        &LINK
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
    let link = Arc::new(Link {
        slot: Slot::new(),
        owner: Arc::clone(owner),
    });
    owner.set_other(Some(Arc::clone(&link)));
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
        loop {
            // SAFETY: `Polling` is there once an owner, and a slot is of one owner.
            // A lease is not forgotten (`lend` is all that is done with it), so that
            // the slot is told of its end before `parent` or `Polling` go.
            match unsafe { shared.slot().begin(parent) } {
                Begun::Yes => return Some(Lease { shared }),
                Begun::Occupied => return None,
                // SAFETY: this was given by the slot.
                Begun::Emptied(last) => unsafe { all_gone(Arc::as_ptr(shared), last) },
            }
        }
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
        if let Some(last) = self.shared.slot().end() {
            // SAFETY: this was given by the slot.
            unsafe { all_gone(Arc::as_ptr(self.shared), last) };
        }
    }
}

/// The last share of a slot was given back: drops the `Arc` that the clones had in
/// common, and the parent's waker.
///
/// # Safety
///
/// `last` must be what the slot of `shared` has just given.
#[inline]
unsafe fn all_gone<S: Shared>(shared: *const S, last: Waker) {
    // SAFETY: the first clone added this count for all of them, by a pointer that
    // came from an `Arc`, and the slot says once that all have gone.
    let shared = unsafe { Arc::from_raw(shared) };
    // It runs foreign code, and the count is given back even if that panics.
    drop(last);
    drop(shared);
}

/// # Safety
///
/// `data` must be that of a waker with the table of `S`.
unsafe fn counted_clone<S: Shared>(data: *const ()) -> RawWaker {
    let pointer = data.cast::<S>();
    // SAFETY: by the contract; the poll of a root, and the clones in common, hold an
    // `Arc` of it.
    let shared = unsafe { &*pointer };
    // SAFETY: the caller holds a root or a clone.
    if unsafe { shared.slot().enter() } {
        // SAFETY: the pointer is that of an `Arc` (see `lend`), which is alive: the
        // first clone is made from a root.
        unsafe { Arc::increment_strong_count(pointer) };
    }
    if let Some(count) = shared.count() {
        count.fetch_add(1, Relaxed);
    }
    RawWaker::new(data, S::table())
}

/// # Safety
///
/// As [`counted_clone`], of a clone, which must not be used again.
unsafe fn counted_wake<S: Shared>(data: *const ()) {
    /// Given back even if a foreign waker panics.
    struct Share<S: Shared>(*const S);

    impl<S: Shared> Drop for Share<S> {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: it is the share of the clone that is being consumed.
            unsafe { counted_drop::<S>(self.0.cast()) };
        }
    }

    // Only then is the clone gone: see `Owner::wake_passed`.
    let share = Share::<S>(data.cast());
    // SAFETY: by the contract, and the clone is held by `share`.
    unsafe { wake_counted::<S>(&*share.0, &mut News::new()) };
}

/// # Safety
///
/// As [`counted_clone`].
unsafe fn counted_wake_by_ref<S: Shared>(data: *const ()) {
    // SAFETY: by the contract, and the caller holds its waker.
    unsafe {
        let shared: &S = &*data.cast();
        // Root and clones look the same: where there is no clone, it is the root.
        let mut news = News::by_root(shared.slot().clones() == 0);
        wake_counted::<S>(shared, &mut news);
    };
}

/// # Safety
///
/// The caller must hold a root or a clone of `shared` till this returns.
#[inline]
pub(super) unsafe fn wake_counted<S: Shared>(shared: &S, news: &mut News) {
    pass_on(shared.owner(), news, |news| {
        // SAFETY: by the contract.
        unsafe {
            shared
                .slot()
                .with_parent(|parent| wake_parent(parent, news))
        };
    });
}

/// # Safety
///
/// As [`counted_wake`].
unsafe fn counted_drop<S: Shared>(data: *const ()) {
    let pointer = data.cast::<S>();
    // SAFETY: by the contract. Once its share is given back this is not used again,
    // unless it was the last, which then owns the count of all.
    let last = unsafe {
        if let Some(count) = (*pointer).count() {
            count.fetch_sub(1, Release);
        }
        (*pointer).slot().give_back()
    };
    if let Some(last) = last {
        // SAFETY: this was given by the slot.
        unsafe { all_gone(pointer, last) };
    }
}
