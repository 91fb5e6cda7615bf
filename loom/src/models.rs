//! Each model is run in all ways of keeping clones.
//!
//! The orders that are tried have at most [`PREEMPTIONS`] switches away from a thread
//! that could have gone on. `LOOM_MAX_PREEMPTIONS` sets another bound.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use loom::thread;

use crate::waker::{Outlook, Tracker};

/// Two find nearly all there is to be found, in seconds.
const PREEMPTIONS: usize = 2;

/// Makes what is run: with counted clones, with those of a task, with listed ones.
type New = fn() -> Tracker;

const WAYS: [New; 3] = [
    || Tracker::new(false),
    || Tracker::new(false).of_task(true),
    || Tracker::new(true),
];

fn model(run: impl Fn(New) + Sync + Send + Copy + 'static) {
    for new in WAYS {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound.get_or_insert(PREEMPTIONS);
        builder.check(move || run(new));
    }
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A parent that counts its wakes, as an executor sees them.
struct Parent {
    wakes: AtomicUsize,
}

impl Wake for Parent {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, AcqRel);
    }
}

impl Parent {
    fn new() -> (Arc<Parent>, Waker) {
        let parent = Arc::new(Parent {
            wakes: AtomicUsize::new(0),
        });
        (Arc::clone(&parent), Waker::from(parent))
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Acquire)
    }
}

fn poll<R>(tracker: &Tracker, waker: &Waker, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    // SAFETY: each model polls on one thread.
    #[allow(unsafe_code)]
    unsafe {
        tracker.poll(&mut Context::from_waker(waker), poll)
    }
}

fn clone(tracker: &Tracker, waker: &Waker) -> Waker {
    poll(tracker, waker, |cx| cx.waker().clone())
}

fn clones(tracker: &Tracker) -> usize {
    tracker.owner().expect("it was polled").clones()
}

fn outlook(tracker: &Tracker) -> Outlook {
    tracker.owner().expect("it was polled").outlook()
}

/// Nothing is left but the waker that the test has.
fn assert_let_go(parent: &Arc<Parent>, waker: Waker, tracker: &Tracker) {
    assert_eq!(clones(tracker), 0);
    tracker.ended();
    drop(waker);
    assert_eq!(Arc::strong_count(parent), 1);
}

#[test]
fn the_last_clone_is_woken_while_a_poll_makes_another() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let old = clone(&tracker, &waker);
        let thread = thread::spawn(move || old.wake());
        let new = clone(&tracker, &waker);
        thread.join().unwrap();
        assert_eq!((clones(&tracker), parent.wakes()), (1, 1));
        new.wake();
        assert_eq!(parent.wakes(), 2);
        assert_let_go(&parent, waker, &tracker);
    });
}

#[test]
fn two_clones_are_given_up_while_a_poll_makes_a_third() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let (one, two) = (clone(&tracker, &waker), clone(&tracker, &waker));
        let threads = [
            thread::spawn(move || drop(one)),
            thread::spawn(move || two.wake()),
        ];
        drop(clone(&tracker, &waker));
        join(threads);
        assert_eq!(parent.wakes(), 1);
        assert_let_go(&parent, waker, &tracker);
    });
}

#[test]
fn an_older_wake_does_not_hide_the_newer_one() {
    model(|new| {
        let (_parent, waker) = Parent::new();
        let tracker = new();
        let [old, new] = [(); 2].map(|()| clone(&tracker, &waker));
        let thread = thread::spawn(move || old.wake());
        // The old one may have taken the poll before this for the last.
        poll(&tracker, &waker, |_| {});
        new.wake();
        assert_ne!(outlook(&tracker), Outlook::Lost);
        thread.join().unwrap();
        assert_eq!(outlook(&tracker), Outlook::Woken);
    });
}

/// A parent that has a poll begin and end before its wake has come to anything.
struct Slow {
    tracker: Arc<Tracker>,
    waker: Waker,
}

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        poll(&self.tracker, &self.waker, |_| {});
        self.waker.wake_by_ref();
    }
}

#[test]
fn of_two_wakes_that_overlap_with_polls_the_older_does_not_hide_the_newer_one() {
    model(|new| {
        let (_parent, waker) = Parent::new();
        let tracker = Arc::new(new());
        let slow = Waker::from(Arc::new(Slow {
            tracker: Arc::clone(&tracker),
            waker: waker.clone(),
        }));
        let old = clone(&tracker, &waker);
        let thread = thread::spawn(move || old.wake());
        let new = clone(&tracker, &slow);
        new.wake();
        assert_ne!(outlook(&tracker), Outlook::Lost);
        thread.join().unwrap();
        assert_eq!(outlook(&tracker), Outlook::Woken);
        tracker.ended();
    });
}

#[test]
fn the_root_wakes_while_the_last_clone_goes() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let old = clone(&tracker, &waker);
        let thread = thread::spawn(move || drop(old));
        poll(&tracker, &waker, |cx| cx.waker().wake_by_ref());
        thread.join().unwrap();
        assert_eq!((outlook(&tracker), parent.wakes()), (Outlook::Woken, 1));
        assert_let_go(&parent, waker, &tracker);
    });
}

#[test]
fn an_old_clone_wakes_its_own_parent_while_another_polls() {
    model(|new| {
        let ((one, first), (two, second)) = (Parent::new(), Parent::new());
        let tracker = new();
        let old = clone(&tracker, &first);
        let thread = thread::spawn(move || old.wake());
        let new = clone(&tracker, &second);
        new.wake_by_ref();
        // The slot of the old one may be had again meanwhile.
        poll(&tracker, &second, |cx| cx.waker().wake_by_ref());
        thread.join().unwrap();
        assert_eq!((one.wakes(), two.wakes()), (1, 2));
        drop(new);
        drop(second);
        assert_eq!(Arc::strong_count(&two), 1);
        assert_let_go(&one, first, &tracker);
    });
}

#[test]
fn a_future_goes_back_and_forth_while_its_clones_go() {
    model(|new| {
        let ((one, first), (two, second)) = (Parent::new(), Parent::new());
        let tracker = new();
        let (a, b) = (clone(&tracker, &first), clone(&tracker, &second));
        let threads = [
            thread::spawn(move || drop(a)),
            thread::spawn(move || b.wake()),
        ];
        clone(&tracker, &first).wake();
        join(threads);
        assert_eq!((one.wakes(), two.wakes()), (1, 1));
        drop(second);
        assert_eq!(Arc::strong_count(&two), 1);
        assert_let_go(&one, first, &tracker);
    });
}

#[test]
fn the_future_is_dropped_while_its_clones_are_used() {
    model(|new| {
        let ((one, first), (two, second)) = (Parent::new(), Parent::new());
        let tracker = new();
        let (a, b) = (clone(&tracker, &first), clone(&tracker, &second));
        let threads = [
            thread::spawn(move || drop(a.clone())),
            thread::spawn(move || b.wake()),
        ];
        drop(tracker);
        join(threads);
        assert_eq!((one.wakes(), two.wakes()), (0, 1));
        drop((first, second));
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1));
    });
}

#[test]
fn two_threads_clone_the_root_of_one_poll() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        poll(&tracker, &waker, |cx| {
            // SAFETY: loom's threads cannot borrow; both have ended before the poll does.
            #[allow(unsafe_code)]
            let root: &'static Waker = unsafe { std::mem::transmute(cx.waker()) };
            let thread = thread::spawn(move || {
                let clone = root.clone();
                root.wake_by_ref();
                drop(clone);
            });
            let clone = root.clone();
            clone.wake_by_ref();
            drop(clone);
            thread.join().unwrap();
        });
        assert_eq!(parent.wakes(), 2);
        assert_let_go(&parent, waker, &tracker);
    });
}

#[test]
fn a_root_that_was_handed_on_wakes_while_the_last_clone_goes() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let old = clone(&tracker, &waker);
        poll(&tracker, &waker, |cx| {
            // SAFETY: loom's threads cannot borrow; this one has ended before the poll does.
            #[allow(unsafe_code)]
            let root: &'static Waker = unsafe { std::mem::transmute(cx.waker()) };
            let thread = thread::spawn(move || root.wake_by_ref());
            drop(old);
            thread.join().unwrap();
        });
        assert_eq!(parent.wakes(), 1);
        assert_let_go(&parent, waker, &tracker);
    });
}

#[test]
fn the_future_is_dropped_while_its_last_clones_go() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let (one, two) = (clone(&tracker, &waker), clone(&tracker, &waker));
        let owner = loom::sync::Arc::clone(tracker.owner().expect("it was polled"));
        let threads = [
            thread::spawn(move || drop(one)),
            thread::spawn(move || two.wake()),
        ];
        drop(tracker);
        join(threads);
        assert_eq!(
            (owner.clones(), loom::sync::Arc::strong_count(&owner)),
            (0, 1)
        );
        drop(waker);
        assert_eq!((parent.wakes(), Arc::strong_count(&parent)), (1, 1));
    });
}

#[test]
fn a_task_ends_while_its_clones_go() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let (one, two) = (clone(&tracker, &waker), clone(&tracker, &waker));
        let threads = [
            thread::spawn(move || drop(one)),
            thread::spawn(move || two.clone().wake()),
        ];
        tracker.ended();
        join(threads);
        assert_eq!(parent.wakes(), 1);
        assert_eq!(clones(&tracker), 0);
        // Nothing is kept: no second end was needed.
        drop(waker);
        assert_eq!(Arc::strong_count(&parent), 1);
    });
}

#[test]
fn it_can_be_looked_at_all_the_while() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let one = clone(&tracker, &waker);
        let owner = loom::sync::Arc::clone(tracker.owner().expect("it was polled"));
        let thread = thread::spawn(move || {
            assert!(owner.clones() <= 2 && owner.leaves().len() <= 2);
            let _ = (owner.outlook(), owner.woken(), owner.wakes());
        });
        let two = clone(&tracker, &waker);
        one.wake();
        drop(two);
        thread.join().unwrap();
        assert_let_go(&parent, waker, &tracker);
    });
}

/// A parent that takes its time: it wakes when the next poll has begun.
struct Late {
    begun: AtomicBool,
}

impl Wake for Late {
    fn wake(self: Arc<Self>) {
        while !self.begun.load(Acquire) {
            thread::yield_now();
        }
    }
}

#[test]
fn a_poll_that_is_woken_by_a_wake_of_before_is_not_lost() {
    model(|new| {
        let late = Arc::new(Late {
            begun: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&late));
        let tracker = new();
        let old = clone(&tracker, &waker);
        let thread = thread::spawn(move || old.wake());
        poll(&tracker, &waker, |_| late.begun.store(true, Release));
        assert_ne!(outlook(&tracker), Outlook::Lost);
        thread.join().unwrap();
        assert_ne!(outlook(&tracker), Outlook::Lost);
    });
}

/// A leaf as they are.
struct Leaf {
    ready: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

#[test]
fn a_future_that_keeps_to_the_contract_is_never_lost() {
    model(|new| {
        let (parent, waker) = Parent::new();
        let tracker = new();
        let leaf = loom::sync::Arc::new(Leaf {
            ready: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        let wait = |cx: &mut Context<'_>| {
            if leaf.ready.load(Acquire) {
                return true;
            }
            let mut place = leaf.waker.lock().unwrap();
            if place
                .as_ref()
                .is_none_or(|kept| !kept.will_wake(cx.waker()))
            {
                *place = Some(cx.waker().clone());
            }
            leaf.ready.load(Acquire)
        };
        let other = loom::sync::Arc::clone(&leaf);
        let thread = thread::spawn(move || {
            other.ready.store(true, Release);
            let waker = other.waker.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let mut served = 0;
        while !poll(&tracker, &waker, wait) {
            assert_ne!(outlook(&tracker), Outlook::Lost);
            while parent.wakes() == served {
                thread::yield_now();
            }
            served = parent.wakes();
        }
        thread.join().unwrap();
        drop(leaf.waker.lock().unwrap().take());
        assert_let_go(&parent, waker, &tracker);
    });
}
