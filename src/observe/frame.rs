//! What the polls and drops on this thread know of each other.
//!
//! Polls nest: a tracked future polls the one it awaits. The frame of a poll tells
//! the one around it what was already reported, so that one cause is one report.
//! Frames are put back by guards, so a panic leaves them right.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::detect::dropped_midway::Said;
use crate::record::{Record, Step, Under};
use crate::watchdog::{self, Showing, Untold};

/// What is known of the innermost poll or drop in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    /// How much of the time has been reported, or allowed, further in.
    pub(super) told: Duration,
    /// A span left entered has been reported further in.
    pub(super) span_told: bool,
    /// Something tracked is being dropped.
    dropping: bool,
    /// This thread is there to be blocked.
    may_block: bool,
    /// One of the polls in progress may take longer than others.
    lenient: bool,
    /// How many polls are in progress.
    depth: u32,
    /// The number of the thing whose poll it is; zero: none.
    number: u64,
    /// What stands for the task.
    under: Under,
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
        lenient: false,
        depth: 0,
        number: 0,
        under: Under {
            number: 0,
            place: 0,
        },
    };
}

/// Gives what it was before.
#[inline]
fn update(new: impl FnOnce(Within) -> Within) -> Within {
    let update = |cell: &Cell<Within>| {
        let before = cell.get();
        cell.set(new(before));
        before
    };
    WITHIN.try_with(update).unwrap_or(Within::NOTHING)
}

#[inline]
fn replace(within: Within) -> Within {
    update(|_| within)
}

fn get() -> Within {
    WITHIN.try_with(Cell::get).unwrap_or(Within::NOTHING)
}

/// Tells of what was told further in.
#[inline]
fn pass_on(told: Duration, span_told: bool) {
    update(|around| Within {
        told: around.told + told,
        span_told: around.span_told || span_told,
        ..around
    });
}

/// A poll in progress, or a call that may block.
///
/// It looks at the thread-local twice, as it begins and as it ends, and once more if
/// there is anything to tell.
pub(super) struct Frame {
    around: Within,
    under: Under,
    start: Tick,
    showing: Option<Showing>,
    ended: bool,
}

impl Frame {
    /// A poll begins, of the thing with this number that the registry keeps at
    /// `place`. `lenient`: it may take longer than others.
    #[inline]
    pub(super) fn enter(number: u64, place: u64, is_task: bool, lenient: bool) -> Frame {
        let itself = Under { number, place };
        let under = |around: Within| {
            if is_task || around.under.number == 0 {
                itself
            } else {
                around.under
            }
        };
        let around = update(|around| Within {
            depth: around.depth + 1,
            number,
            under: under(around),
            lenient: lenient || around.lenient,
            may_block: around.may_block,
            ..Within::NOTHING
        });
        let (under, lenient) = (under(around), lenient || around.lenient);
        let start = clock::tick();
        let slot = if around.may_block {
            None
        } else {
            watchdog::slot()
        };
        let outermost = around.depth == 0;
        Frame {
            around,
            under,
            start,
            showing: slot.map(|slot| Showing::begin(slot, start, place, outermost, lenient)),
            ended: false,
        }
    }

    /// A call begins that may block.
    pub(super) fn enter_blocking(number: u64) -> Frame {
        let around = update(|around| Within {
            depth: around.depth + 1,
            number,
            may_block: true,
            ..Within::NOTHING
        });
        Frame {
            around,
            under: Under::default(),
            start: clock::tick(),
            showing: None,
            ended: false,
        }
    }

    /// Ends it. `judge` is asked how much of the time has been told of or is allowed,
    /// given the time that it took and what is known from further in.
    #[inline]
    pub(super) fn leave(&mut self, judge: impl FnOnce(&Frame, Duration, Within) -> Duration) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let elapsed = self.start.elapsed();
        let within = replace(self.around);
        let told = judge(self, elapsed, within);
        // What was told further in counts already; what `allow` was given is too little.
        let its = told.saturating_sub(within.told);
        match self.showing {
            Some(showing) if its > Duration::ZERO => showing.end_excused(its),
            Some(showing) => showing.end(),
            None => {}
        }
        if told > Duration::ZERO || within.span_told {
            pass_on(told, within.span_told);
        }
    }

    /// Whether what runs in it may block.
    pub(super) fn may_block(&self) -> bool {
        self.around.may_block
    }

    /// It was slow: what is left to tell of it.
    pub(super) fn take_over(&self) -> Untold {
        match self.showing {
            Some(showing) => showing.take_over(self.start),
            None => Untold::Seen(None),
        }
    }

    /// The number of the thing in whose poll this one is; zero: none.
    pub(super) fn around(&self) -> u64 {
        self.around.number
    }

    /// What stands for the task in which it is.
    #[inline]
    pub(super) fn under(&self) -> Under {
        self.under
    }

    pub(super) fn start(&self) -> Tick {
        self.start
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if !self.ended {
            self.showing.inspect(|showing| showing.end());
            replace(self.around);
        }
    }
}

/// Whether a span that was left entered has been reported further in.
pub(super) fn span_was_told() -> bool {
    get().span_told
}

/// Says so.
pub(super) fn tell_span() {
    pass_on(Duration::ZERO, true);
}

/// Time in the poll in progress that has been reported, or that holds nobody up.
pub(crate) fn excuse(time: Duration) {
    allow(time);
    watchdog::excuse(time);
}

/// A little time that the poll in progress spends for us. The watchdog does not hear of
/// it: it would cost more to tell.
pub(super) fn allow(time: Duration) {
    pass_on(time, false);
}

/// The number of the thing whose poll is in progress on this thread; zero: none.
pub(super) fn current() -> u64 {
    get().number
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
    /// What was said of its being dropped midway.
    said: Said,
}

/// What was said of what is being dropped on this thread.
pub(super) fn said_around() -> Said {
    let said = DROPS.try_with(|drops| drops.borrow().iter().map(|drop| drop.said).max());
    said.ok().flatten().unwrap_or_default()
}

/// What the drop of an object was like.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// When it began and how long it took; known in debug mode.
    pub(super) timed: Option<(Tick, Duration)>,
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
pub(super) fn begin_drop(record: &Arc<Record>, said: Said) {
    let debug = record.debug();
    if debug.is_none() && record.has(Step::Polled) {
        return;
    }
    let around = update(|around| Within {
        dropping: true,
        told: Duration::ZERO,
        span_told: false,
        ..around
    });
    let start = debug.map(|_| clock::tick());
    let dropping = Dropping {
        record: Arc::as_ptr(record),
        around,
        start,
        unpolled: None,
        said,
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
            // As with polls: those around it have nothing to add.
            pass_on(within.told, false);
            Dropped {
                timed: start.map(|start| (start, start.elapsed())),
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
