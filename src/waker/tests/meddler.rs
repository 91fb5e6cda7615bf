//! A parent's waker that calls a function at whatever is done with it.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::waker::Tracker;

pub(super) struct Meddler {
    what: fn(&Meddler, Event),
    pub(super) tracker: Tracker,
    pub(super) ours: Mutex<Vec<Waker>>,
    events: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    Clone,
    Wake,
    Drop,
}

impl Meddler {
    /// With a waker of it.
    pub(super) fn new(stacks: bool, what: fn(&Meddler, Event)) -> (Arc<Meddler>, Waker) {
        let meddler = Arc::new(Meddler {
            what,
            tracker: Tracker::new(stacks),
            ours: Mutex::default(),
            events: AtomicUsize::new(0),
        });
        let data = Arc::into_raw(Arc::clone(&meddler)).cast();
        // SAFETY: each waker owns one count of the `Arc`, and the functions of the
        // table keep to that.
        let waker = unsafe { Waker::new(data, &TABLE) };
        (meddler, waker)
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(SeqCst)
    }

    pub(super) fn a_clone_of_ours(&self) -> Option<Waker> {
        self.ours.lock().expect("not poisoned").pop()
    }

    fn on(&self, event: Event) {
        self.events.fetch_add(1, SeqCst);
        (self.what)(self, event);
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// `data` must be that of a waker which is alive.
unsafe fn borrow(data: *const ()) -> Arc<Meddler> {
    // SAFETY: it is that of `Arc::into_raw`, and its waker owns a count.
    unsafe {
        Arc::increment_strong_count(data.cast::<Meddler>());
        Arc::from_raw(data.cast())
    }
}

/// # Safety
///
/// As [`borrow`].
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: by the contract.
    let meddler = unsafe { borrow(data) };
    meddler.on(Event::Clone);
    RawWaker::new(Arc::into_raw(meddler).cast(), &TABLE)
}

/// # Safety
///
/// As [`borrow`], of a waker that must not be used again.
unsafe fn wake(data: *const ()) {
    // SAFETY: by the contract, the waker's count is ours. It is given back even if
    // the function panics.
    let meddler = unsafe { Arc::from_raw(data.cast::<Meddler>()) };
    meddler.on(Event::Wake);
}

/// # Safety
///
/// As [`borrow`].
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: by the contract.
    unsafe { borrow(data) }.on(Event::Wake);
}

/// # Safety
///
/// As [`wake`].
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: as in `wake`.
    let meddler = unsafe { Arc::from_raw(data.cast::<Meddler>()) };
    meddler.on(Event::Drop);
}
