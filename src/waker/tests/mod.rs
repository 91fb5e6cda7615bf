//! Tests of the tracking waker. What they have for a parent and for leaves is here.

mod clones;
mod figures;
mod foreign;
mod meddler;
mod stress;
mod wakes;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::waker::{Outlook, Tracker};

/// A parent that counts its wakes.
#[derive(Default)]
pub(in crate::waker) struct Parent {
    wakes: AtomicUsize,
}

impl Wake for Parent {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
    }
}

impl Parent {
    /// With the waker of it; it holds the other count.
    pub(in crate::waker) fn new() -> (Arc<Parent>, Waker) {
        let parent = Arc::<Parent>::default();
        (Arc::clone(&parent), Waker::from(parent))
    }

    pub(in crate::waker) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    /// How many wakers of it there are.
    pub(in crate::waker) fn wakers(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

/// A leaf as they are: it clones the waker if the one it has would not wake the same.
#[derive(Default)]
pub(in crate::waker) struct Place(Mutex<Option<Waker>>);

impl Place {
    /// Waits; true if it registered anew.
    pub(in crate::waker) fn wait(&self, cx: &mut Context<'_>) -> bool {
        let mut place = self.0.lock().expect("not poisoned");
        let stays = place.as_ref().is_some_and(|w| w.will_wake(cx.waker()));
        if !stays {
            *place = Some(cx.waker().clone());
        }
        !stays
    }

    pub(in crate::waker) fn take(&self) -> Option<Waker> {
        self.0.lock().expect("not poisoned").take()
    }

    /// Wakes by value, as most leaves do.
    pub(in crate::waker) fn wake(&self) {
        self.take().expect("somebody waits").wake();
    }
}

impl Tracker {
    /// A poll. No test polls on two threads at a time.
    pub(in crate::waker) fn polled<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            self.poll(cx, poll)
        }
    }

    /// A poll that ends pending, in a context that has `waker`.
    pub(in crate::waker) fn pending<R>(
        &self,
        waker: &Waker,
        poll: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        let mut result = None;
        let polled: Poll<()> = self.polled(&mut Context::from_waker(waker), |cx| {
            result = Some(poll(cx));
            Poll::Pending
        });
        assert!(polled.is_pending());
        result.expect("it was polled")
    }

    pub(in crate::waker) fn outlook(&self) -> Outlook {
        self.owner().expect("it was polled").outlook()
    }

    pub(in crate::waker) fn clones(&self) -> usize {
        self.owner().map_or(0, |owner| owner.clones())
    }
}
