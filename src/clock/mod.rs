//! The time, read in one place.
//!
//! Two clocks: the system's for deadlines, and the processor's counter for what
//! is timed twice a poll, which costs a third of the other. The counter has to be
//! measured against the system's clock first; a thread of its own does that when
//! debug mode is first used. Till then, and where it cannot be trusted, the system's
//! clock stands in.

mod counter;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use self::counter::Counter;

/// A point in time, for deadlines. Still while the machine is suspended.
pub(crate) type Instant = std::time::Instant;

/// The present.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// So much later; for what is as good as never, in a year.
pub(crate) fn after(time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now() + time.min(YEAR)
}

/// A point in time, cheap to take. One word, and never zero, so that a place for
/// one can be an atomic that says "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(NonZeroU64);

/// Set in a tick of the system's clock, which counts nanoseconds. The processor's
/// counter does not come so far.
const SYSTEM: u64 = 1 << 63;

static COUNTER: OnceLock<Counter> = OnceLock::new();

/// There is no counter that can be trusted: all ticks are of the system's clock.
static IS_NONE: AtomicBool = AtomicBool::new(false);

/// The present.
#[inline]
pub(crate) fn tick() -> Tick {
    match COUNTER.get() {
        Some(counter) => Tick::new(counter.now()),
        None => system_tick(),
    }
}

#[cold]
fn system_tick() -> Tick {
    Tick::new(system_nanos() | SYSTEM)
}

/// What stands for the present till somebody sets it anew; zero: nothing does.
static COARSE: AtomicU64 = AtomicU64::new(0);

/// The present, or up to some tens of milliseconds later: what is counted from it is no
/// more than it was. Costs next to nothing.
#[inline]
pub(crate) fn coarse_tick() -> Tick {
    Tick::from_bits(COARSE.load(Relaxed)).unwrap_or_else(tick)
}

/// Who calls this will do so once more within this time, or with `None` when it ends.
pub(crate) fn set_coarse(till: Option<Duration>) {
    let then = till.map_or(0, |till| (system_nanos() + till.as_nanos() as u64) | SYSTEM);
    COARSE.store(then, Relaxed);
}

#[cold]
fn system_nanos() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(now).elapsed().as_nanos() as u64
}

impl Tick {
    #[inline]
    fn new(raw: u64) -> Tick {
        Tick(NonZeroU64::new(raw).unwrap_or(NonZeroU64::MIN))
    }

    /// How long ago it was.
    #[inline]
    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// The same in nanoseconds, which is cheaper to reckon with.
    #[inline]
    pub(crate) fn nanos(self) -> u64 {
        match COUNTER.get() {
            Some(counter) if self.0.get() & SYSTEM == 0 => {
                counter.nanos(self.0.get(), counter.now())
            }
            _ => self.system_elapsed(),
        }
    }

    #[cold]
    fn system_elapsed(self) -> u64 {
        system_nanos().saturating_sub(self.0.get() & !SYSTEM)
    }

    /// Whether it is no earlier than another, also of the other clock.
    pub(crate) fn is_since(self, start: Tick) -> bool {
        self.elapsed() <= start.elapsed()
    }

    /// By what ticks that [`tick`] gave are sorted by time: once the processor's counter is
    /// there, all are of it.
    pub(crate) fn order(self) -> (bool, u64) {
        (self.0.get() & SYSTEM == 0, self.0.get())
    }

    /// What was counted since then, by the processor's counter or, where that cannot be
    /// trusted, the system's clock; nothing if either is not of that.
    #[inline]
    pub(crate) fn counted_since(self, start: Tick) -> Option<u64> {
        let is_system = self.0.get() & SYSTEM;
        let is_same = is_system == start.0.get() & SYSTEM;
        let counts = is_same && (is_system == 0 || IS_NONE.load(Relaxed));
        counts.then(|| self.0.get().saturating_sub(start.0.get()))
    }

    /// As a word, which is not zero.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// What [`to_bits`](Tick::to_bits) gave; zero is none.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Tick> {
        NonZeroU64::new(bits).map(Tick)
    }
}

/// How long it takes to count so far, as [`Tick::counted_since`] does.
pub(crate) fn counted(count: u64) -> Duration {
    match COUNTER.get() {
        Some(counter) => counter.duration(count),
        None if IS_NONE.load(Relaxed) => Duration::from_nanos(count),
        None => Duration::ZERO,
    }
}

/// A tick that one thread leaves for another, in one word. No order with anything
/// else comes with it.
#[derive(Debug, Default)]
pub(crate) struct AtomicTick(AtomicU64);

impl AtomicTick {
    /// Holds none yet.
    pub(crate) const fn new() -> AtomicTick {
        AtomicTick(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn store(&self, tick: Tick) {
        self.0.store(tick.to_bits(), Relaxed);
    }

    /// The last one that was stored.
    #[inline]
    pub(crate) fn load(&self) -> Option<Tick> {
        Tick::from_bits(self.0.load(Relaxed))
    }
}

/// Gets the counter ready, once.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let measure = || match Counter::new() {
            Some(counter) => drop(COUNTER.set(counter)),
            None => IS_NONE.store(true, Relaxed),
        };
        was_suspended();
        // Without that thread, the system's clock does it.
        let _ = std::thread::Builder::new()
            .name("debug-async-clock".into())
            .spawn(measure);
    });
}

/// Whether the machine has been suspended since this was last asked. The counter
/// may go on meanwhile.
pub(crate) fn was_suspended() -> bool {
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    let now = suspended();
    let before = Duration::from_nanos(KNOWN.swap(now.as_nanos() as u64, Relaxed));
    // The two clocks are not read at the same moment.
    now > before + Duration::from_millis(1)
}

/// For how long the machine has been suspended, in all.
#[cfg(target_os = "linux")]
fn suspended() -> Duration {
    let read = |clock| {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a place for the result, which is all the call writes.
        #[allow(unsafe_code)]
        let failed = unsafe { libc::clock_gettime(clock, &mut time) };
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        if failed == 0 {
            Duration::new(seconds, nanos)
        } else {
            Duration::ZERO
        }
    };
    // The one goes on while the other stands still.
    read(libc::CLOCK_BOOTTIME).saturating_sub(read(libc::CLOCK_MONOTONIC))
}

/// For how long the machine has been suspended, in all.
#[cfg(not(target_os = "linux"))]
fn suspended() -> Duration {
    Duration::ZERO
}

/// A duration as people read it: three figures at most, and a unit.
pub(crate) fn human(duration: Duration) -> String {
    let rounded = match duration.as_nanos() {
        0..1_000 => duration,
        1_000..1_000_000 => Duration::from_nanos(duration.as_nanos() as u64 / 1_000 * 1_000),
        1_000_000..10_000_000_000 => Duration::from_millis(duration.as_millis() as u64),
        _ => Duration::from_secs(duration.as_secs()),
    };
    humantime::format_duration(rounded).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits till the counter is ready, if there is one.
    fn is_counted() -> bool {
        prepare();
        let is_there = Counter::new().is_some();
        while is_there && COUNTER.get().is_none() {
            std::thread::yield_now();
        }
        is_there
    }

    #[test]
    fn a_duration_reads_well() {
        assert_eq!(human(Duration::from_nanos(153_456_789)), "153ms");
        assert_eq!(human(Duration::from_nanos(1_534_567)), "1ms");
        assert_eq!(human(Duration::from_nanos(15_345)), "15us");
        assert_eq!(human(Duration::from_millis(2_150)), "2s 150ms");
        assert_eq!(human(Duration::from_millis(72_150)), "1m 12s");
    }

    #[test]
    fn a_tick_taken_before_the_counter_is_ready_counts_on() {
        let early = tick();
        if !is_counted() {
            return;
        }
        let late = tick();
        assert_eq!(late.to_bits() & SYSTEM, 0);
        assert_eq!(Tick::from_bits(late.to_bits()), Some(late));
        let start = now();
        while late.elapsed() < Duration::from_millis(2) {}
        // The two clocks agree within a fifth, whatever the machine is doing.
        assert!(start.elapsed() >= Duration::from_micros(1_600));
        assert!(early.elapsed() >= late.elapsed());
    }

    #[test]
    fn a_counter_that_goes_back_has_counted_nothing() {
        if !is_counted() {
            return;
        }
        // As on another processor, or after the machine was moved.
        let (now, ahead) = (tick(), Tick::new(tick().to_bits() + (1 << 40)));
        assert_eq!(ahead.elapsed(), Duration::ZERO);
        assert_eq!(now.counted_since(ahead), Some(0));
        assert!(ahead.is_since(now) && !now.is_since(ahead));
    }

    #[test]
    fn never_is_far_away() {
        let year = after(Duration::MAX).saturating_duration_since(now());
        assert!(year > Duration::from_secs(300 * 24 * 60 * 60), "{year:?}");
    }

    #[test]
    fn a_coarse_tick_is_never_early() {
        // The watchdog of another test may be there, and sets it too.
        set_coarse(Some(Duration::from_secs(3_600)));
        let (coarse, exact) = (coarse_tick(), tick());
        assert!(coarse.elapsed() <= exact.elapsed() + Duration::from_millis(1));
        set_coarse(None);
        assert!(coarse_tick().elapsed() < Duration::from_secs(3_600));
    }
}
