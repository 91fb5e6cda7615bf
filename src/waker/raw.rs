//! The wakers themselves: four sorts, one table of functions each.
//!
//! | sort | what it points to | who owns that |
//! |---|---|---|
//! | `FRAME` | root of a poll, clones are listed | the stack, for the poll |
//! | `LISTED` | a clone | the waker alone: a box |
//! | `OWNER`, `LINK` | root of a poll, and its counted clones | all clones together have one count of its `Arc`, and a poll another |
//!
//! A root is only ever lent, so its `wake` and `drop` are never called by value.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::owner::{Owner, Polling};
use super::slot::{Begun, Slot};
use super::sync::{Arc, AtomicUsize};
use super::wake::{Cloning, News};

// Statics, since a waker of ours is known by the address of its table.
static FRAME: RawWakerVTable = RawWakerVTable::new(frame_clone, frame_wake, frame_wake, frame_drop);
static LISTED: RawWakerVTable =
    RawWakerVTable::new(listed_clone, listed_wake, listed_wake_by_ref, listed_drop);
static OWNER: RawWakerVTable = RawWakerVTable::new(
    counted_clone::<Owner>,
    counted_wake::<Owner>,
    counted_wake_by_ref::<Owner>,
    counted_drop::<Owner>,
);
static LINK: RawWakerVTable = RawWakerVTable::new(
    counted_clone::<Link>,
    counted_wake::<Link>,
    counted_wake_by_ref::<Link>,
    counted_drop::<Link>,
);

// What the tables rely on: each of these may be used, and dropped, by any thread.
const _: fn() = || {
    fn on_any_thread<T: Send + Sync>() {}
    on_any_thread::<(Frame<'_>, Listed, Owner, Link)>();
};

// -- any waker ---------------------------------------------------------------------

/// What a waker of ours points to, if it is one.
enum Ours<'a> {
    Frame(&'a Frame<'a>),
    Listed(&'a Listed),
    Owner(&'a Owner),
    Link(&'a Link),
    None,
}

#[inline]
fn ours(waker: &Waker) -> Ours<'_> {
    let (table, data) = (waker.vtable(), waker.data());
    // SAFETY: these tables are in no waker but those that are made in this file, and
    // there each goes with a pointer to its type. What it points to lives as long as
    // the waker, and is only read.
    unsafe {
        if ptr::eq(table, &FRAME) {
            Ours::Frame(&*data.cast())
        } else if ptr::eq(table, &LISTED) {
            Ours::Listed(&*data.cast())
        } else if ptr::eq(table, &OWNER) {
            Ours::Owner(&*data.cast())
        } else if ptr::eq(table, &LINK) {
            Ours::Link(&*data.cast())
        } else {
            Ours::None
        }
    }
}

/// Clones a parent's waker, for the same leaf.
#[inline]
fn clone_parent(parent: &Waker, cloning: &mut Cloning) -> Waker {
    match ours(parent) {
        Ours::Frame(frame) => Listed::waker(frame.owner, frame.parent, cloning),
        Ours::Listed(listed) => Listed::waker(&listed.entry.owner, &listed.parent, cloning),
        _ => parent.clone(),
    }
}

/// Wakes a parent's waker, by the same news.
#[inline]
fn wake_parent(parent: &Waker, news: &mut News) {
    match ours(parent) {
        Ours::Frame(frame) => pass_on(frame.owner, news, |news| wake_parent(frame.parent, news)),
        Ours::Listed(listed) => pass_on(&listed.entry.owner, news, |news| {
            wake_parent(&listed.parent, news);
        }),
        // SAFETY: `parent` is a clone, or a root, and is held till this returns.
        Ours::Owner(owner) => unsafe { wake_counted(owner, news) },
        // SAFETY: as above.
        Ours::Link(link) => unsafe { wake_counted(link, news) },
        Ours::None => parent.wake_by_ref(),
    }
}

/// Wakes a parent's waker by value.
#[inline]
fn wake_parent_by_value(parent: Waker, news: &mut News) {
    match ours(&parent) {
        Ours::Listed(_) => {
            let parent = ManuallyDrop::new(parent);
            // SAFETY: it is a listed clone, and is not used again.
            unsafe { Listed::from_raw(parent.data()) }.wake(news);
        }
        Ours::None => parent.wake(),
        _ => wake_parent(&parent, news),
    }
}

/// Notes a wake of a future, and passes it on.
#[inline]
fn pass_on(owner: &Owner, news: &mut News, wake: impl FnOnce(&mut News)) {
    let poll = owner.waking(news);
    wake(news);
    owner.wake_passed(poll);
}

// -- clones that are listed ----------------------------------------------------------

/// The root of a poll whose clones are listed.
struct Frame<'a> {
    owner: &'a Arc<Owner>,
    parent: &'a Waker,
}

/// Polls with a root whose clones are listed.
#[inline]
pub(super) fn listed<R>(
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
    pass_on(frame.owner, &mut News::new(), |news| {
        wake_parent(frame.parent, news);
    });
}

/// # Safety
///
/// None: it does nothing. The frame is the poll's.
unsafe fn frame_drop(_: *const ()) {}

/// A clone that is listed.
struct Listed {
    parent: Waker,
    entry: Entry,
}

/// Its place on the list.
struct Entry {
    owner: Arc<Owner>,
    key: usize,
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        self.owner.leave(self.key);
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

    /// # Safety
    ///
    /// `data` must be that of a waker with the table `LISTED`, which must not be used
    /// again.
    #[inline]
    unsafe fn from_raw(data: *const ()) -> Listed {
        // SAFETY: `raw` got it from `Box::into_raw`, as that of one waker, which is
        // consumed now.
        *unsafe { Box::from_raw(data.cast_mut().cast::<Listed>()) }
    }

    #[inline]
    fn wake(self, news: &mut News) {
        let Listed { parent, entry } = self;
        pass_on(&entry.owner, news, |news| {
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
    pass_on(&listed.entry.owner, &mut News::new(), |news| {
        wake_parent(&listed.parent, news);
    });
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

// -- clones that are counted ---------------------------------------------------------

/// What the root of a poll and its counted clones share.
trait Shared: Sized {
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
pub(super) struct Link {
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
#[inline]
pub(super) fn counted<R>(
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

    #[inline]
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
    unsafe { wake_counted::<S>(&*data.cast(), &mut News::new()) };
}

/// # Safety
///
/// The caller must hold a root or a clone of `shared` till this returns.
#[inline]
unsafe fn wake_counted<S: Shared>(shared: &S, news: &mut News) {
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
