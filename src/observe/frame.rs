//! What the polls and drops on this thread know of each other.
//!
//! Polls nest: a tracked future polls the one it awaits. The frame of a poll tells
//! the one around it what was already reported, so that one cause is one report.
//! Frames are put back by guards, so a panic leaves them right.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::detect::dropped_midway::Said;
use crate::record::{AtomicUnder, Record, Step, Under};
use crate::watchdog::{self, Showing, Untold};

/// What is known of the innermost poll or drop in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    /// How much of the time has been reported, or allowed, further in: nanoseconds.
    pub(super) told: u64,
    /// The number of the thing whose poll it is; zero: none.
    number: u64,
    /// What stands for the task.
    under: Under,
    /// How many polls are in progress, above the bits that are named here.
    bits: u64,
}

/// A span left entered has been reported further in.
const SPAN_TOLD: u64 = 1;
/// Something tracked is being dropped.
const DROPPING: u64 = 1 << 1;
/// This thread is there to be blocked.
const MAY_BLOCK: u64 = 1 << 2;
/// One of the polls in progress may take longer than others.
const LENIENT: u64 = 1 << 3;
const ONE_DEEPER: u64 = 1 << 4;

/// Where a thread keeps it. No other thread sees these atomics: what they are for is that
/// each word is read as it was written. Two that were written one by one and are read as
/// one, as the compiler would, keep the processor waiting for longer than all the rest.
struct Words {
    told: AtomicU64,
    number: AtomicU64,
    under: AtomicUnder,
    bits: AtomicU64,
}

thread_local! {
    static WITHIN: Words = const {
        Words {
            told: AtomicU64::new(0),
            number: AtomicU64::new(0),
            under: AtomicUnder::new(),
            bits: AtomicU64::new(0),
        }
    };
    /// The drops in progress, outermost first.
    static DROPS: RefCell<Vec<Dropping>> = const { RefCell::new(Vec::new()) };
}

impl Within {
    pub(super) const NOTHING: Within = Within {
        told: 0,
        number: 0,
        under: Under {
            number: 0,
            place: 0,
        },
        bits: 0,
    };

    #[inline]
    fn is(&self, bit: u64) -> bool {
        self.bits & bit != 0
    }
}

#[inline]
fn get() -> Within {
    let get = |words: &Words| Within {
        told: words.told.load(Relaxed),
        number: words.number.load(Relaxed),
        under: words.under.load(),
        bits: words.bits.load(Relaxed),
    };
    WITHIN.try_with(get).unwrap_or(Within::NOTHING)
}

#[inline]
fn set(within: Within) {
    let _ = WITHIN.try_with(|words| {
        words.told.store(within.told, Relaxed);
        words.number.store(within.number, Relaxed);
        words.under.store(within.under);
        words.bits.store(within.bits, Relaxed);
    });
}

/// Gives what it was before.
#[inline]
fn replace(within: Within) -> Within {
    let before = get();
    set(within);
    before
}

/// Tells of what was told further in.
#[inline]
fn pass_on(told: u64, bits: u64) {
    let around = get();
    set(Within {
        told: around.told + told,
        bits: around.bits | bits,
        ..around
    });
}

/// A poll in progress.
///
/// It looks at the thread-local twice, as it begins and as it ends, and once more if
/// there is anything to tell.
pub(super) struct Frame {
    around: Within,
    start: Tick,
    showing: Option<Showing>,
}

impl Frame {
    /// A poll of `itself` begins. `lenient`: it may take longer than others. To be ended
    /// by [`leave`](Frame::leave).
    #[inline]
    pub(super) fn enter(itself: Under, is_task: bool, lenient: bool) -> Frame {
        let around = get();
        let mut bits = around.bits & (MAY_BLOCK | LENIENT);
        if lenient {
            bits |= LENIENT;
        }
        set(Within {
            told: 0,
            number: itself.number,
            under: under(around, itself, is_task),
            bits: bits + (around.bits & !(ONE_DEEPER - 1)) + ONE_DEEPER,
        });
        let start = clock::tick();
        let slot = if around.is(MAY_BLOCK) {
            None
        } else {
            watchdog::slot()
        };
        let (outermost, lenient) = (around.bits < ONE_DEEPER, bits & LENIENT != 0);
        let showing =
            slot.map(|slot| Showing::begin(slot, start, itself.place, outermost, lenient));
        Frame {
            around,
            start,
            showing,
        }
    }

    /// Ends it. `judge` is asked how much of the time has been told of or is allowed,
    /// given the time that it took and what is known from further in.
    #[inline]
    pub(super) fn leave(&self, judge: impl FnOnce(&Frame, u64, Within) -> u64) {
        let elapsed = self.start.nanos();
        let within = replace(self.around);
        let told = judge(self, elapsed, within);
        // What was told further in counts already; what `allow` was given is too little.
        let its = told.saturating_sub(within.told);
        match self.showing {
            Some(showing) if its > 0 => showing.end_excused(its),
            Some(showing) => showing.end(),
            None => {}
        }
        if told > 0 || within.is(SPAN_TOLD) {
            pass_on(told, within.bits & SPAN_TOLD);
        }
    }

    /// Whether what runs in it may block.
    pub(super) fn may_block(&self) -> bool {
        self.around.is(MAY_BLOCK)
    }

    /// It was slow: what is left to tell of it.
    pub(super) fn take_over(&self) -> Untold {
        match self.showing {
            Some(showing) => showing.take_over(self.start),
            None => Untold::Seen(None),
        }
    }

    /// The number of the thing in whose poll this one is; zero: none.
    #[inline]
    pub(super) fn around(&self) -> u64 {
        self.around.number
    }

    /// What stands for the task in which it is, given what it was entered with.
    #[inline]
    pub(super) fn under(&self, itself: Under, is_task: bool) -> Under {
        under(self.around, itself, is_task)
    }

    #[inline]
    pub(super) fn start(&self) -> Tick {
        self.start
    }
}

#[inline]
fn under(around: Within, itself: Under, is_task: bool) -> Under {
    if is_task || around.under.number == 0 {
        itself
    } else {
        around.under
    }
}

/// A call that may block, in progress.
pub(super) struct Blocking {
    around: Within,
}

impl Blocking {
    pub(super) fn enter(number: u64) -> Blocking {
        let around = get();
        set(Within {
            number,
            bits: (around.bits & !(ONE_DEEPER - 1)) + ONE_DEEPER + MAY_BLOCK,
            ..Within::NOTHING
        });
        Blocking { around }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        set(self.around);
    }
}

/// Whether a span that was left entered has been reported further in.
pub(super) fn span_was_told() -> bool {
    get().is(SPAN_TOLD)
}

/// Says so.
pub(super) fn tell_span() {
    pass_on(0, SPAN_TOLD);
}

/// Time in the poll in progress that has been reported, or that holds nobody up.
pub(crate) fn excuse(time: Duration) {
    let nanos = time.as_nanos() as u64;
    pass_on(nanos, 0);
    watchdog::excuse(nanos);
}

/// The time since `start`, a little, that the poll in progress has spent for us. The
/// watchdog does not hear of it: it would cost more to tell.
pub(super) fn allow(start: Tick) {
    pass_on(start.nanos(), 0);
}

/// The number of the thing whose poll is in progress on this thread; zero: none.
pub(super) fn current() -> u64 {
    get().number
}

/// Whether this thread is there to be blocked.
pub(super) fn may_block() -> bool {
    get().is(MAY_BLOCK)
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
    /// When it began and how long it took, in nanoseconds; known in debug mode.
    pub(super) timed: Option<(Tick, u64)>,
    pub(super) told: u64,
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
    let around = get();
    set(Within {
        told: 0,
        bits: around.bits & !SPAN_TOLD | DROPPING,
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
    let noted = DROPS.try_with(|drops| drops.borrow_mut().push(dropping));
    if noted.is_err() {
        // This thread's locals are being destroyed: each drop stands for itself.
        set(around);
    }
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
            pass_on(within.told, 0);
            Dropped {
                timed: start.map(|start| (start, start.nanos())),
                told: within.told,
                within_another: around.is(DROPPING),
                unpolled,
            }
        }
        None => Dropped {
            within_another: get().is(DROPPING),
            ..Dropped::default()
        },
    }
}
