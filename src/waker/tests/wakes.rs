//! That it was woken, how often, and what is to be expected then.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::{Parent, Place};
use crate::waker::owner::Wakes;
use crate::waker::{Outlook, Tracker};

const BOTH: [bool; 2] = [false, true];

fn wakes(tracker: &Tracker) -> Wakes {
    tracker.owner().expect("polled").wakes()
}

fn is_woken(tracker: &Tracker) -> bool {
    tracker.owner().expect("polled").woken().is_some()
}

#[test]
fn what_has_no_clone_and_was_not_woken_is_lost() {
    for stacks in BOTH {
        let (_parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        let place = Place::default();
        tracker.pending(&waker, |cx| place.wait(cx));
        assert_eq!(tracker.outlook(), Outlook::Waiting);
        // Overwritten by one that is dropped: the classic.
        tracker.pending(&waker, |cx| {
            drop(place.take());
            place.wait(cx);
            drop(place.take());
        });
        assert_eq!(tracker.outlook(), Outlook::Lost);
        // It was not: somebody polls it all the same.
        tracker.pending(&waker, |cx| place.wait(cx));
        assert_eq!(tracker.outlook(), Outlook::Waiting);
        place.wake();
        assert_eq!(tracker.outlook(), Outlook::Woken);
        tracker.pending(&waker, |_| {});
        assert_eq!(tracker.outlook(), Outlook::Lost);
        tracker.pending(&waker, |cx| cx.waker().wake_by_ref());
        assert_eq!(tracker.outlook(), Outlook::Woken);
    }
}

#[test]
fn a_wake_in_its_own_poll_is_told_from_one_by_another() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        tracker.pending(&waker, |cx| {
            cx.waker().wake_by_ref();
            let clone = cx.waker().clone();
            clone.wake();
        });
        assert!(is_woken(&tracker));
        let count = |by_itself, by_another| Wakes {
            by_itself,
            at_once: by_itself,
            by_another,
        };
        assert_eq!(wakes(&tracker), count(1, 0));

        let clone = tracker.pending(&waker, |cx| cx.waker().clone());
        assert!(!is_woken(&tracker));
        clone.wake_by_ref();
        clone.wake();
        assert!(is_woken(&tracker));
        assert_eq!(wakes(&tracker), count(1, 1));

        // Another thread, during the poll: both count.
        tracker.pending(&waker, |cx| {
            let root = cx.waker();
            let another = thread::scope(|scope| scope.spawn(|| root.wake_by_ref()).join());
            another.expect("no panic");
            cx.waker().wake_by_ref();
        });
        assert!(is_woken(&tracker));
        assert_eq!(wakes(&tracker), count(2, 2));
        // None was added, none was lost.
        assert_eq!(parent.wakes(), 6);
    }
}

#[test]
fn the_first_wake_is_the_one_that_is_timed() {
    let (_parent, waker) = Parent::new();
    let tracker = Tracker::new(true);
    let clone = tracker.pending(&waker, |cx| cx.waker().clone());
    clone.wake_by_ref();
    let owner = tracker.owner().expect("polled");
    let first = owner.woken().expect("woken").elapsed();
    thread::sleep(std::time::Duration::from_millis(2));
    clone.wake();
    let then = owner.woken().expect("woken").elapsed();
    assert!(
        then >= first + std::time::Duration::from_millis(1),
        "{first:?} {then:?}"
    );
}

/// Polls the future the moment it is woken, before `wake` returns.
struct Eager {
    tracker: Tracker,
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.tracker.pending(Waker::noop(), |_| {});
    }
}

#[test]
fn a_wake_that_a_poll_overtakes_is_no_lost_one() {
    for stacks in BOTH {
        let eager = Arc::new(Eager {
            tracker: Tracker::new(stacks),
        });
        let clone = eager
            .tracker
            .pending(&Waker::from(Arc::clone(&eager)), |cx| cx.waker().clone());
        clone.wake();
        assert_eq!(eager.tracker.clones(), 0);
        // That poll may have come too early for the executor: it may come again.
        assert_eq!(eager.tracker.outlook(), Outlook::Woken);
        assert!(!is_woken(&eager.tracker));
    }
}

#[test]
fn a_poll_within_a_poll_goes_unseen() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        let clone = tracker.pending(&waker, |cx| {
            assert!(tracker.owner().expect("polled").is_polling());
            tracker.pending(&waker, |cx| assert!(cx.waker().will_wake(&waker)));
            cx.waker().clone()
        });
        assert!(!tracker.owner().expect("polled").is_polling());
        clone.wake();
        assert_eq!(
            (parent.wakes(), tracker.owner().expect("polled").polls()),
            (1, 1)
        );
    }
}

#[test]
fn a_poll_that_panics_has_ended() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        let poll = std::panic::AssertUnwindSafe(|| {
            tracker.polled(&mut Context::from_waker(&waker), |cx| -> Poll<()> {
                let _clone = cx.waker().clone();
                std::panic::resume_unwind(Box::new(()));
            })
        });
        assert!(std::panic::catch_unwind(poll).is_err());
        assert_eq!((tracker.clones(), parent.wakers()), (0, 1));
        assert!(!tracker.owner().expect("polled").is_polling());
        tracker.pending(&waker, |cx| drop(cx.waker().clone()));
        assert_eq!(parent.wakers(), 1);
    }
}
