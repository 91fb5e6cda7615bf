//! What the polls and drops on this thread know of each other.
//!
//! Polls nest: a tracked future polls the one it awaits. The frame of a poll tells
//! the one around it what was already reported, so that one cause is one report.
//! Frames are put back by guards, so a panic leaves them right.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::record::{Record, Step};

/// What is known of the innermost poll or drop in progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Within {
    /// How much of the time has been reported, or allowed, further in.
    pub(super) told: Duration,
    /// A span left entered has been reported further in.
    pub(super) span_told: bool,
    /// Something tracked is being dropped.
    dropping: bool,
    /// This thread is there to be blocked.
    may_block: bool,
}

thread_local! {
    static WITHIN: Cell<Within> = const { Cell::new(Within::NOTHING) };
    /// The drops in progress, outermost first.
    static DROPS: RefCell<Vec<Dropping>> = const { RefCell::new(Vec::new()) };
}

impl Within {
    pub(super) const NOTHING: Within = Within {
        told: Duration::ZERO,
        span_told: false,
        dropping: false,
        may_block: false,
    };
}

fn replace(within: Within) -> Within {
    WITHIN
        .try_with(|cell| cell.replace(within))
        .unwrap_or_default()
}

fn get() -> Within {
    WITHIN.try_with(Cell::get).unwrap_or_default()
}

/// A poll in progress.
pub(super) struct Frame {
    around: Within,
}

impl Frame {
    #[inline]
    pub(super) fn enter() -> Frame {
        let around = get();
        replace(Within {
            may_block: around.may_block,
            ..Within::NOTHING
        });
        Frame { around }
    }

    /// That of a call that may block.
    pub(super) fn enter_blocking() -> Frame {
        Frame {
            around: replace(Within {
                may_block: true,
                ..Within::NOTHING
            }),
        }
    }

    /// Ends it, and gives what is known from further in.
    #[inline]
    pub(super) fn leave(self) -> Within {
        get()
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        replace(self.around);
    }
}

/// Tells the frame around what this one knew.
#[inline]
pub(super) fn pass_on(within: Within) {
    if within.told > Duration::ZERO || within.span_told {
        let around = get();
        replace(Within {
            told: around.told + within.told,
            span_told: around.span_told || within.span_told,
            ..around
        });
    }
}

/// Tells the frame around of time that has been reported.
pub(super) fn pass_on_told(told: Duration) {
    pass_on(Within {
        told,
        ..Within::NOTHING
    });
}

/// Time that the poll in progress may take: it holds nobody up.
pub(crate) fn allow(time: Duration) {
    pass_on_told(time);
}

/// Whether this thread is there to be blocked.
pub(super) fn may_block() -> bool {
    get().may_block
}

thread_local! {
    /// The future that has just failed as was expected of it: its address and size,
    /// by which a task tells whether it is what it runs.
    static EXPECTED: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// Notes which future has just given an error that is no news, or that the last one
/// to fail gave another.
pub(crate) fn expect_failure(future: Option<(usize, usize)>) {
    let _ = EXPECTED.try_with(|expected| expected.set(future));
}

/// Whether this future has just given an error that is no news.
pub(crate) fn was_expected(address: usize, size: usize) -> bool {
    let last = EXPECTED.try_with(Cell::take).ok().flatten();
    last == Some((address, size))
}

struct Dropping {
    record: *const Record,
    around: Within,
    start: Option<Tick>,
    /// What went down within it without a poll, the first of it.
    unpolled: Option<Arc<Record>>,
}

/// What the drop of an object was like.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// How long it took; known in debug mode.
    pub(super) elapsed: Option<Duration>,
    pub(super) told: Duration,
    /// It went down with something else that is tracked.
    pub(super) within_another: bool,
    /// What went down within it without a poll, the first of it.
    pub(super) unpolled: Option<Arc<Record>>,
}

/// Leaves a thing that was not polled to be judged with what goes down around it.
pub(super) fn leave_to_outer(record: Arc<Record>) {
    let _ = DROPS.try_with(|drops| {
        if let Some(outer) = drops.borrow_mut().last_mut() {
            outer.unpolled.get_or_insert(record);
        }
    });
}

/// The object of `record` is about to be dropped.
#[inline]
pub(super) fn begin_drop(record: &Arc<Record>) {
    let debug = record.debug();
    if debug.is_none() && record.has(Step::Polled) {
        return;
    }
    let around = replace(Within {
        dropping: true,
        may_block: get().may_block,
        ..Within::NOTHING
    });
    let start = debug.map(|_| clock::tick());
    let dropping = Dropping {
        record: Arc::as_ptr(record),
        around,
        start,
        unpolled: None,
    };
    let _ = DROPS.try_with(|drops| drops.borrow_mut().push(dropping));
}

/// The object of `record` is gone.
#[inline]
pub(super) fn end_drop(record: &Arc<Record>) -> Dropped {
    let ours = |dropping: &mut Dropping| std::ptr::eq(dropping.record, Arc::as_ptr(record));
    let begun = DROPS
        .try_with(|drops| drops.borrow_mut().pop_if(ours))
        .ok()
        .flatten();
    match begun {
        Some(Dropping {
            around,
            start,
            unpolled,
            ..
        }) => {
            let within = replace(around);
            Dropped {
                elapsed: start.map(|start| start.elapsed()),
                told: within.told,
                within_another: around.dropping,
                unpolled,
            }
        }
        None => Dropped {
            within_another: get().dropping,
            ..Dropped::default()
        },
    }
}
