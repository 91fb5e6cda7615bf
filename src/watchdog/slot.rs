//! What each thread says of the poll it is in, for the watchdog to read.
//!
//! A poll writes two words as it begins and one as it ends. Of nested polls two are
//! shown: the outermost, and the innermost, which is the one that blocks if
//! anything does.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sampler::Thread;
use super::{Taken, stalls};
use crate::clock::{self, AtomicTick, Tick};
use crate::report::Live;

/// One thread's place. Slots are never freed: another thread takes what one leaves.
///
/// There may be hundreds, of threads that mostly poll nothing. What is looked at of
/// those comes first, in a line of the cache that no other thread writes to.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// The worker that runs here, as [`Worker::to_bits`] has it.
    worker: AtomicU64,
    pub(super) outermost: Level,
    pub(super) innermost: Level,
    /// For how long its thread has been in what had been told of or was allowed when it
    /// ended, in nanoseconds: the polls around do not count that.
    excused: AtomicU64,
    /// When the outermost poll began, while one within tells of itself.
    hidden: AtomicU64,
    /// When the poll began that was told of while it ran.
    told: AtomicU64,
    /// When this thread last told, by itself, of something that blocked it.
    told_itself: AtomicTick,
    /// When the watchdog last told of its worker.
    told_of_worker: AtomicTick,
    /// Whose it is, where a thread can be asked for its stack. Held by the watchdog
    /// while it asks.
    owner: Mutex<Option<Thread>>,
}

/// A poll in progress.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Level {
    /// When it began, as [`Tick::to_bits`] has it; zero: there is none.
    start: AtomicU64,
    /// Where the registry keeps its record.
    place: AtomicU64,
    /// What its slot had excused by then.
    excused: AtomicU64,
    /// What was seen of it. Held by the watchdog while it looks.
    taken: Mutex<Option<Taken>>,
    /// Of which poll it was noted how long its thread had waited for a processor, that in
    /// nanoseconds, and when.
    noted: AtomicU64,
    queued: AtomicU64,
    noted_at: AtomicTick,
}

/// What a level shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    start: u64,
    place: u64,
    excused: u64,
}

impl Shown {
    const NOTHING: Shown = Shown {
        start: 0,
        place: 0,
        excused: 0,
    };

    pub(super) fn start(self) -> Option<Tick> {
        Tick::from_bits(self.start)
    }

    pub(super) fn place(self) -> u64 {
        self.place & !LENIENT
    }

    /// Whether a poll around it may take longer than others.
    pub(super) fn is_lenient(self) -> bool {
        self.place & LENIENT != 0
    }
}

/// Beside the place.
const LENIENT: u64 = 1 << 63;

impl Level {
    #[inline]
    fn show(&self, shown: Shown) {
        // Nobody is to see the new place beside the old start.
        self.start.store(0, Relaxed);
        self.place.store(shown.place, Release);
        self.excused.store(shown.excused, Release);
        self.start.store(shown.start, Release);
    }

    pub(super) fn shown(&self) -> Shown {
        let start = self.start.load(Acquire);
        if start == 0 {
            return Shown::NOTHING;
        }
        let place = self.place.load(Acquire);
        let excused = self.excused.load(Acquire);
        // Ended meanwhile, and perhaps another began.
        if self.start.load(Relaxed) == start {
            Shown {
                start,
                place,
                excused,
            }
        } else {
            Shown::NOTHING
        }
    }

    /// The word by which a sampled thread tells which poll it was in.
    pub(super) fn mark(&self) -> &AtomicU64 {
        &self.start
    }

    pub(super) fn taken(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So long the thread had waited for a processor when this was seen.
    pub(super) fn note(&self, shown: Shown, queued: Duration) {
        self.queued.store(queued.as_nanos() as u64, Relaxed);
        self.noted_at.store(clock::tick());
        self.noted.store(shown.start, Release);
    }

    /// The same and when, if it was noted of the poll that began then.
    fn noted_of(&self, start: Tick) -> Option<(Tick, Duration)> {
        let is_it = self.noted.load(Acquire) == start.to_bits();
        let queued = Duration::from_nanos(self.queued.load(Relaxed));
        self.noted_at
            .load()
            .filter(|_| is_it)
            .map(|at| (at, queued))
    }

    pub(super) fn taken_since(&self, start: Tick) -> Option<Taken> {
        let mut taken = self.taken();
        taken.take_if(|taken| taken.at.is_since(start))
    }
}

/// What is left to tell of a poll that ends and was slow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Untold {
    /// Nothing: it was told of while it ran.
    No,
    /// All of it; what was seen, if anything was.
    Seen(Option<Live>),
}

/// What a poll has to put back when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Showing {
    slot: &'static Slot,
    /// What the innermost level showed before; `None`: this poll is the outermost.
    before: Option<Shown>,
}

impl Showing {
    /// Shows a poll that begins. `outermost`: no other is in progress on this thread.
    #[inline]
    pub(crate) fn begin(
        slot: &'static Slot,
        start: Tick,
        place: u64,
        outermost: bool,
        lenient: bool,
    ) -> Showing {
        let shown = Shown {
            start: start.to_bits(),
            place: if lenient { place | LENIENT } else { place },
            excused: slot.excused.load(Relaxed),
        };
        if outermost {
            slot.outermost.show(shown);
            return Showing { slot, before: None };
        }
        let level = &slot.innermost;
        let before = Shown {
            start: level.start.load(Relaxed),
            place: level.place.load(Relaxed),
            excused: level.excused.load(Relaxed),
        };
        level.show(shown);
        Showing {
            slot,
            before: Some(before),
        }
    }

    /// The poll has ended.
    #[inline]
    pub(crate) fn end(self) {
        let Slot {
            outermost,
            innermost,
            hidden,
            ..
        } = self.slot;
        let Some(before) = self.before else {
            outermost.start.store(0, Release);
            return;
        };
        if before.start == 0 {
            innermost.start.store(0, Release);
        } else {
            innermost.show(before);
        }
        // After `take_over`.
        if outermost.start.load(Relaxed) == 0 {
            outermost.start.store(hidden.load(Relaxed), Release);
        }
    }

    /// The same, and for so long it was in what has been told of or was allowed.
    #[inline]
    pub(crate) fn end_excused(self, nanos: u64) {
        self.slot.excuse(nanos);
        self.end();
    }

    /// What was seen of this poll while it ran, if it was not told of then. From here on
    /// the watchdog has nothing to tell of it, nor of those around it, till it ends.
    pub(crate) fn take_over(self, start: Tick) -> Untold {
        let level = self.level();
        // The watchdog holds these while it makes up its mind.
        let mut taken = level.taken();
        let outer = self.before.map(|_| self.slot.outermost.taken());
        let was_told = self.slot.told.load(Acquire) == level.start.load(Relaxed);
        let hidden = self.slot.outermost.start.swap(0, Release);
        self.slot.hidden.store(hidden, Relaxed);
        self.slot.innermost.start.store(0, Release);
        drop(outer);
        let taken = taken.take_if(|taken| taken.at.is_since(start));
        if was_told {
            Untold::No
        } else {
            Untold::Seen(taken.map(|taken| taken.live))
        }
    }

    fn level(self) -> &'static Level {
        match self.before {
            None => &self.slot.outermost,
            Some(_) => &self.slot.innermost,
        }
    }
}

impl Slot {
    pub(super) fn owner(&self) -> MutexGuard<'_, Option<Thread>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn taken_since(&self, start: Tick) -> Option<Taken> {
        let levels = [&self.innermost, &self.outermost];
        levels
            .into_iter()
            .find_map(|level| level.taken_since(start))
    }

    /// This thread was, for so long, in what has been told of or was allowed.
    #[inline]
    pub(super) fn excuse(&self, nanos: u64) {
        // Nobody else writes it. It may come round: what counts is the difference.
        let sum = self.excused.load(Relaxed);
        let sum = sum.wrapping_add(nanos);
        self.excused.store(sum, Release);
    }

    /// For how long the thread has been so since a poll began.
    pub(super) fn excused_since(&self, shown: Shown) -> Duration {
        let sum = self.excused.load(Acquire);
        Duration::from_nanos(sum.wrapping_sub(shown.excused))
    }

    /// For how long the thread has waited for a processor in the poll that began then,
    /// as far as is known. At its end to be asked before anything else is waited for.
    pub(super) fn queued_since(&self, start: Tick) -> Duration {
        let age = start.elapsed();
        let levels = [&self.innermost, &self.outermost].into_iter();
        let Some((at, before)) = levels.filter_map(|level| level.noted_of(start)).next() else {
            // What kept the watchdog may have kept this thread.
            return stalls::unseen_since(start);
        };
        // Here, since the watchdog may hold the lock: to wait for that is to wait for no
        // processor, and would make little of what was waited before.
        let seen = at.elapsed();
        let queued = self.owner().as_ref().and_then(Thread::queued);
        let queued = queued.map_or(Duration::ZERO, |now| now.saturating_sub(before));
        // Of so little it cannot be told.
        if seen < Duration::from_millis(20) {
            return queued.max(stalls::unseen_since(start));
        }
        // Before, it was as full as since, as far as anybody knows.
        let share = queued.as_secs_f64() / seen.as_secs_f64();
        age.mul_f64(share.min(1.0))
    }

    /// Whether a tracked poll has been in progress for so long.
    pub(super) fn is_polled_for(&self, age: Duration) -> bool {
        let start = self.outermost.shown().start();
        start.is_some_and(|start| start.elapsed() >= age)
    }

    /// Whether one of the polls in progress was told of.
    pub(super) fn is_told(&self) -> bool {
        let told = self.told.load(Acquire);
        let mut levels = [&self.outermost, &self.innermost].into_iter();
        told != 0 && levels.any(|level| level.start.load(Relaxed) == told)
    }

    /// This thread tells, by itself, of something that blocked it. False if that has
    /// been told since, as what blocked its worker.
    pub(super) fn tells_itself(&self, start: Tick) -> bool {
        self.told_itself.store(clock::tick());
        !is_since(&self.told_of_worker, start.elapsed())
    }

    /// Whether this thread has told of something that blocked it, within the last `age`.
    pub(super) fn has_told(&self, age: Duration) -> bool {
        is_since(&self.told_itself, age)
    }

    pub(super) fn set_told_of_worker(&self) {
        self.told_of_worker.store(clock::tick());
    }

    pub(super) fn set_told(&self, start: Tick) {
        self.told.store(start.to_bits(), Release);
    }

    pub(crate) fn worker(&self) -> Option<Worker> {
        Worker::from_bits(self.worker.load(Acquire))
    }

    pub(crate) fn set_worker(&self, worker: Option<Worker>) {
        let bits = worker.map_or(0, Worker::to_bits);
        if self.worker.load(Relaxed) != bits {
            self.worker.store(bits, Release);
        }
    }
}

fn is_since(tick: &AtomicTick, age: Duration) -> bool {
    tick.load().is_some_and(|tick| tick.elapsed() <= age)
}

/// A worker of a watched runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    /// The number of the runtime, from 1.
    pub(crate) runtime: u32,
    /// `None`: the thread is of that runtime, but it is not known what it does there.
    pub(crate) index: Option<u16>,
}

impl Worker {
    fn to_bits(self) -> u64 {
        let index = self.index.map_or(0, |index| u64::from(index) + 1);
        u64::from(self.runtime) << 32 | index
    }

    fn from_bits(bits: u64) -> Option<Worker> {
        let index = (bits & 0xffff_ffff).checked_sub(1);
        (bits != 0).then_some(Worker {
            runtime: (bits >> 32) as u32,
            index: index.map(|index| index as u16),
        })
    }
}

struct Slots {
    all: Vec<&'static Slot>,
    free: Vec<&'static Slot>,
}

static SLOTS: Mutex<Slots> = Mutex::new(Slots {
    all: Vec::new(),
    free: Vec::new(),
});

fn slots() -> MutexGuard<'static, Slots> {
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds the slots that are new to the others there are, those of nobody included.
pub(super) fn refresh(known: &mut Vec<&'static Slot>) {
    let slots = slots();
    known.extend_from_slice(slots.all.get(known.len()..).unwrap_or_default());
}

thread_local! {
    /// This thread's slot. Apart from its keeper, since a look at a thread-local that
    /// has nothing to drop costs one instruction.
    static MINE: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    static KEEPER: Cell<Option<Keeper>> = const { Cell::new(None) };
}

/// Gives the slot back when the thread ends.
struct Keeper(&'static Slot);

impl Drop for Keeper {
    fn drop(&mut self) {
        MINE.set(None);
        let slot = self.0;
        *slot.owner() = None;
        slot.set_worker(None);
        slot.outermost.show(Shown::NOTHING);
        slot.innermost.show(Shown::NOTHING);
        slot.outermost.taken().take();
        slot.innermost.taken().take();
        slots().free.push(slot);
    }
}

/// The slot of this thread; none at the very end of a thread.
#[inline]
pub(crate) fn mine() -> Option<&'static Slot> {
    MINE.get().or_else(claim)
}

/// The slot of this thread, if it has one.
pub(crate) fn mine_if_any() -> Option<&'static Slot> {
    MINE.get()
}

#[cold]
fn claim() -> Option<&'static Slot> {
    // Past the thread's destructors nobody would give it back.
    KEEPER.try_with(|_| ()).ok()?;
    let mut slots = slots();
    let slot = match slots.free.pop() {
        Some(slot) => slot,
        None => {
            let slot: &'static Slot = Box::leak(Box::default());
            slots.all.push(slot);
            slot
        }
    };
    drop(slots);
    *slot.owner() = Thread::current();
    MINE.set(Some(slot));
    let _ = KEEPER.try_with(|keeper| keeper.set(Some(Keeper(slot))));
    Some(slot)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::clock;

    #[test]
    fn a_worker_fits_in_a_word() {
        for index in [None, Some(0), Some(7), Some(u16::MAX)] {
            let worker = Worker { runtime: 3, index };
            assert_eq!(Worker::from_bits(worker.to_bits()), Some(worker));
        }
        assert_eq!(Worker::from_bits(0), None);
    }

    #[test]
    fn nested_polls_are_shown_and_put_back() {
        let slot: &'static Slot = Box::leak(Box::default());
        let outer = Showing::begin(slot, clock::tick(), 1, true, false);
        let middle = Showing::begin(slot, clock::tick(), 2, false, true);
        let inner = Showing::begin(slot, clock::tick(), 3, false, false);
        assert_eq!(slot.outermost.shown().place(), 1);
        assert_eq!(slot.innermost.shown().place(), 3);
        inner.end();
        assert_eq!(slot.innermost.shown().place(), 2);
        assert!(slot.innermost.shown().is_lenient());
        middle.end();
        assert_eq!(slot.innermost.shown().start(), None);
        outer.end();
        assert_eq!(slot.outermost.shown().start(), None);
    }

    #[test]
    fn what_is_excused_counts_for_those_around_it() {
        let second = Duration::from_secs(1);
        let nanos = second.as_nanos() as u64;
        let slot: &'static Slot = Box::leak(Box::default());
        slot.excuse(nanos);
        let outer = Showing::begin(slot, clock::tick(), 1, true, false);
        let middle = Showing::begin(slot, clock::tick(), 2, false, false);
        let inner = Showing::begin(slot, clock::tick(), 3, false, false);
        inner.end_excused(nanos);
        let next = Showing::begin(slot, clock::tick(), 4, false, false);
        let since = |level: &Level| slot.excused_since(level.shown());
        assert_eq!(since(&slot.innermost), Duration::ZERO);
        assert_eq!(since(&slot.outermost), second);
        next.end();
        assert_eq!(since(&slot.innermost), second);
        middle.end();
        outer.end();
    }

    #[test]
    fn what_tells_of_itself_hides_those_around_it_till_it_ends() {
        let slot: &'static Slot = Box::leak(Box::default());
        let start = clock::tick();
        let outer = Showing::begin(slot, start, 1, true, false);
        let inner = Showing::begin(slot, clock::tick(), 2, false, false);
        let shown = slot.outermost.shown();
        let untold = inner.take_over(start);
        assert!(matches!(untold, Untold::Seen(None)), "{untold:?}");
        assert_eq!(slot.outermost.shown().start(), None);
        inner.end();
        assert_eq!(slot.outermost.shown(), shown);
        outer.end();
        assert_eq!(slot.outermost.shown().start(), None);
    }

    #[test]
    fn to_wait_for_the_watchdog_makes_no_less_of_the_wait_for_a_processor() {
        let queued = || Thread::current()?.queued();
        if queued().is_none() {
            // The system does not tell.
            return;
        }
        let done = &AtomicBool::new(false);
        let (waited, ms) = (Duration::from_millis(200), Duration::from_millis);
        std::thread::scope(|scope| {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            for _ in 0..4 * processors {
                scope.spawn(|| while !done.load(Relaxed) {});
            }
            let begun = clock::now();
            while queued() < Some(waited) && begun.elapsed() < Duration::from_secs(30) {}
            done.store(true, Relaxed);
        });
        if queued() < Some(waited) {
            // It says nought, whatever happens.
            return;
        }
        let slot: &'static Slot = Box::leak(Box::default());
        *slot.owner() = Thread::current();
        // It is noted late that a poll is in progress, and all since is the wait.
        let start = clock::tick();
        let poll = Showing::begin(slot, start, 1, true, false);
        std::thread::sleep(ms(300));
        slot.outermost.note(slot.outermost.shown(), Duration::ZERO);
        std::thread::sleep(ms(25));
        let (send, held) = std::sync::mpsc::channel();
        let watchdog = std::thread::spawn(move || {
            let _owner = slot.owner();
            let _ = send.send(());
            std::thread::sleep(ms(1_500));
        });
        held.recv().expect("it holds the lock");
        let queued = slot.queued_since(start);
        poll.end();
        watchdog.join().expect("no panic");
        assert!(queued >= ms(300), "{queued:?}");
    }

    #[test]
    fn a_thread_gives_its_slot_back() {
        let on_another = || {
            let slot = mine().expect("a slot");
            slot.set_worker(Some(Worker {
                runtime: u32::MAX,
                index: None,
            }));
            slot
        };
        let slot = std::thread::spawn(on_another).join().expect("no panic");
        // Free, or another thread's by now.
        let left = slot
            .worker()
            .is_some_and(|worker| worker.runtime == u32::MAX);
        assert!(!left);
    }
}
