//! Which clones there are, and what `will_wake` says of them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Parent, Place};
use crate::waker::{Outlook, Tracker};

const BOTH: [bool; 2] = [false, true];

#[test]
fn a_clone_is_there_until_it_is_dropped_or_woken() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        let clones = tracker.pending(&waker, |cx| [(); 3].map(|()| cx.waker().clone()));
        assert_eq!(tracker.clones(), 3);
        let [dropped, woken, referred] = clones;
        drop(dropped);
        assert_eq!(tracker.clones(), 2);
        woken.wake();
        assert_eq!((tracker.clones(), parent.wakes()), (1, 1));
        referred.wake_by_ref();
        assert_eq!((tracker.clones(), parent.wakes()), (1, 2));
        let again = referred.clone();
        assert_eq!(tracker.clones(), 2);
        drop((again, referred));
        assert_eq!(tracker.clones(), 0);
        drop(waker);
        assert_eq!(parent.wakers(), 0);
    }
}

#[test]
fn without_a_clone_no_waker_of_the_parent_is_held() {
    for stacks in BOTH {
        let (parent, waker) = Parent::new();
        let tracker = Tracker::new(stacks);
        let place = Place::default();
        for _ in 0..3 {
            tracker.pending(&waker, |_| {});
            assert_eq!(parent.wakers(), 1);
            tracker.pending(&waker, |cx| place.wait(cx));
            assert_eq!(parent.wakers(), 2);
            tracker.pending(&waker, |cx| place.wait(cx));
            assert_eq!(parent.wakers(), 2);
            place.wake();
            assert_eq!(parent.wakers(), 1);
            // Waits, and is given up, within one poll.
            tracker.pending(&waker, |cx| {
                place.wait(cx);
                assert_eq!(parent.wakers(), 2);
                drop(place.take());
            });
            assert_eq!(parent.wakers(), 1);
        }
        assert_eq!(parent.wakes(), 3);
    }
}

#[test]
fn a_counted_clone_would_wake_the_same_as_the_root() {
    let (_parent, waker) = Parent::new();
    let tracker = Tracker::new(false);
    let clone = tracker.pending(&waker, |cx| {
        let clone = cx.waker().clone();
        assert!(clone.will_wake(cx.waker()) && cx.waker().will_wake(&clone));
        assert!(clone.clone().will_wake(&clone));
        clone
    });
    tracker.pending(&waker.clone(), |cx| assert!(clone.will_wake(cx.waker())));
    // All are gone, and others come.
    drop(clone);
    let place = Place::default();
    let registered = [(); 3].map(|()| tracker.pending(&waker, |cx| place.wait(cx)));
    assert_eq!(registered, [true, false, false]);
}

#[test]
fn a_listed_clone_is_one_of_its_kind() {
    let (_parent, waker) = Parent::new();
    let tracker = Tracker::new(true);
    let place = Place::default();
    for poll in 1..=3 {
        let registered = tracker.pending(&waker, |cx| place.wait(cx));
        assert!(registered);
        let leaves = tracker.owner().expect("polled").leaves();
        assert_eq!(leaves.len(), 1);
        assert_eq!(leaves[0].poll, poll);
    }
    let mut clone = tracker.pending(&waker, |cx| cx.waker().clone());
    assert!(!clone.will_wake(&clone.clone()) && clone.will_wake(&clone));
    tracker.pending(&waker, |cx| clone.clone_from(cx.waker()));
    assert_eq!(tracker.clones(), 2);
}

#[test]
fn a_leaf_that_was_left_out_is_known_by_its_poll() {
    let (_parent, waker) = Parent::new();
    let tracker = Tracker::new(true);
    let (stays, left) = (Place::default(), Place::default());
    tracker.pending(&waker, |cx| (stays.wait(cx), left.wait(cx)));
    tracker.pending(&waker, |cx| stays.wait(cx));
    let owner = tracker.owner().expect("polled");
    let mut polls: Vec<u64> = owner.leaves().iter().map(|leaf| leaf.poll).collect();
    polls.sort_unstable();
    assert_eq!((polls, owner.polls()), (vec![1, 2], 2));
}

#[test]
fn another_parent_is_seen_by_will_wake_and_each_clone_wakes_its_own() {
    for stacks in BOTH {
        let ((one, first), (two, second)) = (Parent::new(), Parent::new());
        let tracker = Tracker::new(stacks);
        let old = tracker.pending(&first, |cx| cx.waker().clone());
        let new = tracker.pending(&second, |cx| {
            assert!(!old.will_wake(cx.waker()));
            cx.waker().clone()
        });
        assert_eq!(tracker.clones(), 2);
        old.wake_by_ref();
        assert_eq!((one.wakes(), two.wakes()), (1, 0));
        new.wake_by_ref();
        assert_eq!((one.wakes(), two.wakes()), (1, 1));

        // As without us, back and forth.
        tracker.pending(&first, |cx| assert_eq!(old.will_wake(cx.waker()), !stacks));
        tracker.pending(&second, |cx| assert_eq!(new.will_wake(cx.waker()), !stacks));
        old.wake();
        new.wake();
        assert_eq!((one.wakes(), two.wakes()), (2, 2));
        assert_eq!((one.wakers(), two.wakers()), (1, 1));
        assert_eq!(tracker.clones(), 0);
    }
}

#[test]
fn one_leaf_moves_with_its_future_and_the_old_parent_is_let_go() {
    for stacks in BOTH {
        let parents = [(); 3].map(|()| Parent::new());
        let tracker = Tracker::new(stacks);
        let place = Place::default();
        for round in 0..9 {
            let (parent, waker) = &parents[round % 3];
            assert!(tracker.pending(waker, |cx| place.wait(cx)));
            assert_eq!(tracker.clones(), 1);
            let held: usize = parents.iter().map(|(parent, _)| parent.wakers()).sum();
            assert_eq!((parent.wakers(), held), (2, 4));
        }
        place.wake();
        assert_eq!(parents.map(|(parent, _)| parent.wakes()), [0, 0, 1]);
    }
}

#[test]
fn an_old_clone_that_is_kept_for_good_changes_nothing_for_the_others() {
    let ((one, first), (two, second)) = (Parent::new(), Parent::new());
    let tracker = Tracker::new(false);
    let kept = tracker.pending(&first, |cx| cx.waker().clone());
    let place = Place::default();
    let registered = [(); 3].map(|()| tracker.pending(&second, |cx| place.wait(cx)));
    assert_eq!(registered, [true, false, false]);
    place.wake();
    assert_eq!((one.wakes(), two.wakes()), (0, 1));
    assert_eq!((two.wakers(), tracker.clones()), (1, 1));
    // The future is gone, its clone is not.
    drop(tracker);
    kept.wake();
    assert_eq!((one.wakes(), one.wakers()), (1, 1));
}

#[test]
fn a_third_parent_is_told_from_the_two_before() {
    let parents = [(); 3].map(|()| Parent::new());
    let tracker = Tracker::new(false);
    let clones = parents
        .each_ref()
        .map(|(_, waker)| tracker.pending(waker, |cx| cx.waker().clone()));
    assert_eq!(tracker.clones(), 3);
    let owner = Arc::downgrade(tracker.owner().expect("polled"));
    for clone in clones {
        clone.wake();
    }
    assert!(parents.iter().all(|(parent, _)| parent.wakes() == 1));
    assert!(parents.iter().all(|(parent, _)| parent.wakers() == 1));
    assert_eq!(tracker.clones(), 0);
    drop(tracker);
    assert_eq!(owner.strong_count(), 0);
}

#[test]
fn nested_futures_list_the_same_leaf_with_one_stack() {
    let (parent, waker) = Parent::new();
    let (outer, inner) = (Tracker::new(true), Tracker::new(true));
    let place = Place::default();
    outer.pending(&waker, |cx| inner.pending(cx.waker(), |cx| place.wait(cx)));
    let leaf = |tracker: &Tracker| {
        let leaves = tracker.owner().expect("polled").leaves();
        assert_eq!(leaves.len(), 1);
        leaves[0].stack
    };
    assert_eq!(leaf(&outer), leaf(&inner));
    assert_eq!(outer.outlook(), Outlook::Waiting);
    place.wake();
    assert_eq!((parent.wakes(), parent.wakers()), (1, 1));
    assert_eq!((outer.clones(), inner.clones()), (0, 0));
    let woken = |tracker: &Tracker| tracker.owner().expect("polled").woken().expect("woken");
    assert_eq!(woken(&outer), woken(&inner));
}

#[test]
fn nested_futures_of_either_kind_go_together() {
    for kinds in [
        [false; 3],
        [true; 3],
        [true, false, true],
        [false, true, false],
    ] {
        let (parent, waker) = Parent::new();
        let [a, b, c] = kinds.map(Tracker::new);
        let place = Place::default();
        for _ in 0..3 {
            let poll = |cx: &mut Context<'_>| place.wait(cx);
            a.pending(&waker, |cx| {
                b.pending(cx.waker(), |cx| c.pending(cx.waker(), poll))
            });
            assert_eq!([&a, &b, &c].map(Tracker::clones), [1; 3]);
        }
        place.wake();
        assert_eq!([&a, &b, &c].map(Tracker::clones), [0; 3]);
        assert_eq!((parent.wakes(), parent.wakers()), (1, 1));
    }
}

#[tokio::test]
async fn the_stack_names_the_leaf_and_the_awaits_down_to_it() {
    async fn inner() {
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    }
    async fn outer() {
        inner().await;
    }
    let tracker = Tracker::new(true);
    let mut future = std::pin::pin!(outer());
    let poll = std::future::poll_fn(|cx| {
        assert!(
            tracker
                .polled(cx, |cx| future.as_mut().poll(cx))
                .is_pending()
        );
        Poll::Ready(())
    });
    poll.await;
    let leaves = tracker.owner().expect("polled").leaves();
    assert_eq!(leaves.len(), 1);
    let frames = leaves[0].stack.frames();
    let names: Vec<&str> = frames.iter().map(|f| f.function.as_str()).collect();
    let place = |name: &str| {
        let found = names.iter().position(|n| n.contains(name));
        found.unwrap_or_else(|| panic!("{name} is not in {names:#?}"))
    };
    let way = [
        place("Sleep"),
        place("names_the_leaf_and_the_awaits_down_to_it::{{closure}}::inner"),
        place("names_the_leaf_and_the_awaits_down_to_it::{{closure}}::outer"),
    ];
    assert!(way.is_sorted(), "{names:#?}");
}

#[test]
fn a_future_that_was_never_polled_has_allocated_nothing() {
    let tracker = Tracker::new(true);
    assert!(tracker.owner().is_none());
    drop(tracker);
    // Nor does a waker of it have to be used.
    let tracker = Tracker::new(false);
    tracker.pending(Waker::noop(), |_| {});
    assert_eq!(tracker.outlook(), Outlook::Lost);
}

/// What a task has, whose clones are counted.
fn of_task() -> Tracker {
    Tracker::new(false).of_task(true)
}

#[test]
fn the_waker_of_a_task_is_cloned_once() {
    let (parent, waker) = Parent::new();
    let (tracker, place) = (of_task(), Place::default());
    tracker.pending(&waker, |_| {});
    // It has no leaf yet.
    assert_eq!((parent.wakers(), tracker.outlook()), (1, Outlook::Lost));
    for wakes in 1..4 {
        let registered = [(); 2].map(|()| tracker.pending(&waker, |cx| place.wait(cx)));
        assert_eq!(registered, [true, false]);
        assert_eq!((tracker.clones(), parent.wakers()), (1, 2));
        assert_eq!(tracker.outlook(), Outlook::Waiting);
        place.wake();
        assert_eq!((tracker.clones(), parent.wakers()), (0, 2));
        assert_eq!((parent.wakes(), tracker.outlook()), (wakes, Outlook::Woken));
    }
    // What is kept is no clone: nobody can wake it.
    tracker.pending(&waker, |cx| drop(cx.waker().clone()));
    assert_eq!((tracker.clones(), tracker.outlook()), (0, Outlook::Lost));
    tracker.ended();
    assert_eq!(parent.wakers(), 1);
    tracker.ended();
    assert_eq!(parent.wakers(), 1);
}

#[test]
fn the_waker_of_a_task_is_let_go_with_it_or_with_the_last_clone() {
    let ends: [fn(Tracker) -> Option<Tracker>; 2] = [
        |tracker| {
            tracker.ended();
            Some(tracker)
        },
        |tracker| {
            drop(tracker);
            None
        },
    ];
    for end in ends {
        let (parent, waker) = Parent::new();
        let tracker = of_task();
        tracker.pending(&waker, |cx| drop(cx.waker().clone()));
        let owner = Arc::downgrade(tracker.owner().expect("polled"));
        assert_eq!(parent.wakers(), 2);
        let ended = end(tracker);
        assert_eq!(
            (parent.wakers(), owner.strong_count()),
            (1, ended.iter().count())
        );

        let tracker = of_task();
        let clone = tracker.pending(&waker, |cx| cx.waker().clone());
        let ended = end(tracker);
        assert_eq!(parent.wakers(), 2);
        clone.wake_by_ref();
        let another = clone.clone();
        another.wake();
        assert_eq!((parent.wakers(), parent.wakes()), (2, 2));
        drop(clone);
        assert_eq!(parent.wakers(), 1);
        drop(ended);
    }
}

#[test]
fn a_task_that_gets_another_waker_than_the_one_that_is_kept_wakes_by_that() {
    let ((one, first), (two, second)) = (Parent::new(), Parent::new());
    let (tracker, place) = (of_task(), Place::default());
    for (waker, wakes) in [(&first, (1, 0)), (&second, (1, 1)), (&first, (2, 1))] {
        assert!(tracker.pending(waker, |cx| place.wait(cx)));
        place.wake();
        assert_eq!((one.wakes(), two.wakes()), wakes);
    }
    assert_eq!((one.wakers(), two.wakers()), (2, 1));
    tracker.ended();
    assert_eq!((one.wakers(), two.wakers()), (1, 1));
}
