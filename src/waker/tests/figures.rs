//! What it costs, roughly: `cargo test --release --lib waker::tests::figures -- --ignored --nocapture`

use std::hint::black_box;
use std::task::{Context, Waker};
use std::time::Instant;

use super::Parent;
use crate::waker::Tracker;

const ROUNDS: u32 = 200_000;

/// The median of several runs, in nanoseconds a round.
fn nanos(mut round: impl FnMut()) -> f64 {
    let mut runs = [(); 15].map(|()| {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round();
        }
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    });
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

type What = fn(&mut Context<'_>);

/// What is done in each poll.
const POLLS: [(&str, What); 4] = [
    ("poll", |_| {}),
    ("poll + wake_by_ref", |cx| cx.waker().wake_by_ref()),
    ("poll + clone + drop", |cx| {
        drop(black_box(cx.waker().clone()))
    }),
    ("poll + clone + wake", |cx| {
        let clone = black_box(cx.waker().clone());
        clone.wake();
    }),
];

#[test]
#[ignore = "prints figures"]
fn print() {
    crate::clock::prepare();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let (_parent, waker) = Parent::new();
    println!(
        "{:<24}{:>8}{:>10}{:>10}{:>12}",
        "ns", "bare", "counted", "listed", "3 × counted"
    );
    for (name, what) in POLLS {
        let bare = nanos(|| what(black_box(&mut Context::from_waker(&waker))));
        let with = |stacks: bool, depth: usize| {
            let trackers: Vec<Tracker> = (0..depth).map(|_| Tracker::new(stacks)).collect();
            nanos(|| down(&trackers, &waker, what))
        };
        let [counted, listed, nested] = [with(false, 1), with(true, 1), with(false, 3)];
        println!("{name:<24}{bare:>8.1}{counted:>10.1}{listed:>10.1}{nested:>12.1}");
    }
    // A leaf that stays while its future is polled: it was woken by another leaf.
    let tracker = Tracker::new(false);
    let kept = tracker.pending(&waker, |cx| cx.waker().clone());
    let stays = nanos(|| {
        tracker.polled(&mut Context::from_waker(&waker), |cx| {
            assert!(kept.will_wake(cx.waker()));
        })
    });
    println!("poll, a clone stays: counted {stays:.1}");
    let first = |stacks| {
        nanos(|| {
            Tracker::new(stacks).polled(&mut Context::from_waker(&waker), |_| {});
        })
    };
    println!(
        "a future of one poll: counted {:.1}, listed {:.1}",
        first(false),
        first(true)
    );
    println!("an owner has {} bytes", size_of::<crate::waker::Owner>());
}

fn down(trackers: &[Tracker], waker: &Waker, what: What) {
    let mut cx = Context::from_waker(waker);
    match trackers {
        [] => what(&mut cx),
        [outer, inner @ ..] => outer.polled(&mut cx, |cx| down(inner, cx.waker(), what)),
    }
}
