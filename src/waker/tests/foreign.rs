//! Parents whose own code does what it likes, and wakers that outlive everything.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;

use super::meddler::{Event, Meddler};
use super::{Parent, Place};
use crate::waker::Tracker;

const BOTH: [bool; 2] = [false, true];

#[test]
fn a_parent_may_use_our_wakers_while_we_use_it() {
    fn meddle(meddler: &Meddler, event: Event) {
        let Some(owner) = meddler.tracker.owner() else {
            return;
        };
        // Any lock of ours that is held now is waited for here for ever.
        let _ = (
            owner.clones(),
            owner.leaves(),
            owner.outlook(),
            owner.woken(),
        );
        let ours = meddler.a_clone_of_ours();
        match (event, ours) {
            (Event::Clone, Some(ours)) => drop(ours.clone()),
            (Event::Wake, Some(ours)) => ours.wake(),
            (_, ours) => drop(ours),
        }
    }
    for stacks in BOTH {
        let (meddler, waker) = Meddler::new(stacks, meddle);
        for _ in 0..4 {
            let clone = meddler.tracker.pending(&waker, |cx| {
                let clones = [(); 8].map(|()| cx.waker().clone());
                meddler.ours.lock().expect("not poisoned").extend(clones);
                cx.waker().clone()
            });
            clone.wake_by_ref();
            drop(clone.clone());
            clone.wake();
            while let Some(ours) = meddler.a_clone_of_ours() {
                ours.wake();
            }
            assert_eq!(meddler.tracker.clones(), 0);
        }
        assert!(meddler.events() > 16);
        // That of `waker`, and this one.
        assert_eq!(Arc::strong_count(&meddler), 2);
    }
}

#[test]
fn a_parent_that_panics_leaves_nothing_behind() {
    fn panic_at_wakes(_: &Meddler, event: Event) {
        if event == Event::Wake {
            resume_unwind(Box::new("wake"));
        }
    }
    fn panic_at_clones(_: &Meddler, event: Event) {
        if event == Event::Clone {
            resume_unwind(Box::new("clone"));
        }
    }
    for stacks in BOTH {
        let (meddler, waker) = Meddler::new(stacks, panic_at_wakes);
        let tracker = &meddler.tracker;
        let [one, two] = tracker.pending(&waker, |cx| [(); 2].map(|()| cx.waker().clone()));
        assert!(catch_unwind(AssertUnwindSafe(|| one.wake_by_ref())).is_err());
        assert_eq!(tracker.clones(), 2);
        drop((one, two));
        assert_eq!((tracker.clones(), Arc::strong_count(&meddler)), (0, 2));

        let one = tracker.pending(&waker, |cx| cx.waker().clone());
        assert!(catch_unwind(AssertUnwindSafe(|| one.wake())).is_err());
        assert_eq!((tracker.clones(), Arc::strong_count(&meddler)), (0, 2));

        let (meddler, waker) = Meddler::new(stacks, panic_at_clones);
        let tracker = &meddler.tracker;
        tracker.pending(&waker, |cx| {
            assert!(catch_unwind(AssertUnwindSafe(|| cx.waker().clone())).is_err());
        });
        assert_eq!((tracker.clones(), Arc::strong_count(&meddler)), (0, 2));
    }
}

/// Drops the future when it is woken.
struct Dropper(Mutex<Option<(Tracker, Waker)>>);

impl Wake for Dropper {
    fn wake(self: Arc<Self>) {
        let held = self.0.lock().expect("not poisoned").take();
        drop(held);
    }
}

#[test]
fn a_wake_may_drop_the_future_and_the_other_clones() {
    for stacks in BOTH {
        let dropper = Arc::new(Dropper(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&dropper));
        let tracker = Tracker::new(stacks);
        let [one, two] = tracker.pending(&waker, |cx| [(); 2].map(|()| cx.waker().clone()));
        let owner = Arc::downgrade(tracker.owner().expect("polled"));
        *dropper.0.lock().expect("not poisoned") = Some((tracker, two));
        one.wake();
        assert_eq!(owner.strong_count(), 0);
    }
}

#[test]
fn a_clone_outlives_the_future_and_its_runtime() {
    for stacks in BOTH {
        let place = Arc::new(Place::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        let (tracker, leaf) = (Tracker::new(stacks), Arc::clone(&place));
        let (polled, when) = std::sync::mpsc::channel();
        runtime.spawn(std::future::poll_fn(move |cx| {
            tracker.polled(cx, |cx| leaf.wait(cx));
            let owner = Arc::clone(tracker.owner().expect("polled"));
            let _ = polled.send(owner);
            std::task::Poll::<()>::Pending
        }));
        let owner = when.recv().expect("polled");
        drop(runtime);
        assert_eq!(owner.clones(), 1);
        let clone = place.take().expect("it waits");
        drop(clone.clone());
        clone.wake_by_ref();
        clone.wake();
        assert_eq!((owner.clones(), Arc::strong_count(&owner)), (0, 1));
    }
}

#[test]
fn a_clone_may_be_woken_and_dropped_after_the_thread_locals_are_gone() {
    /// Wakes and drops what it has when its thread ends.
    struct Last(RefCell<Vec<Waker>>);

    impl Drop for Last {
        fn drop(&mut self) {
            for waker in self.0.borrow_mut().drain(..) {
                drop(waker.clone());
                waker.wake_by_ref();
                waker.wake();
            }
        }
    }

    thread_local! {
        static LAST: Last = const { Last(RefCell::new(Vec::new())) };
    }

    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Arc::new(Tracker::new(stacks));
        let shared = Arc::clone(&tracker);
        let end = thread::spawn(move || {
            // It is destroyed after those that are used from here on.
            LAST.with(|_| {});
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let clones = runtime.expect("a runtime").block_on(async {
                shared.pending(&waker, |cx| vec![cx.waker().clone(), cx.waker().clone()])
            });
            LAST.with(|last| *last.0.borrow_mut() = clones);
        });
        end.join().expect("no panic");
        assert_eq!(
            (tracker.clones(), parent.wakes(), parent.wakers()),
            (0, 4, 0)
        );
    }
}

#[test]
fn two_threads_may_clone_the_root_of_one_poll() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        for _ in 0..200 {
            let clones = tracker.pending(&waker, |cx| {
                let root = cx.waker();
                thread::scope(|scope| {
                    let threads = [(); 2].map(|()| scope.spawn(|| (root.clone(), root.clone())));
                    threads.map(|thread| thread.join().expect("no panic"))
                })
            });
            assert_eq!(tracker.clones(), 4);
            drop(clones);
            assert_eq!((tracker.clones(), parent.wakers()), (0, 1));
        }
    }
}
