//! The time, read in one place.
//!
//! Two clocks: the system's for deadlines, and the processor's counter for what
//! is timed twice a poll, which costs a third of the other. The counter has to be
//! measured against the system's clock first; a thread of its own does that when
//! debug mode is first used, and till then the system's clock stands in.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Once, OnceLock};
use std::time::Duration;

/// A point in time, for deadlines. Still while the machine is suspended.
pub(crate) type Instant = std::time::Instant;

/// The present.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A point in time, cheap to take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tick {
    Counter(u64),
    System(Instant),
}

static COUNTER: OnceLock<quanta::Clock> = OnceLock::new();

/// The present.
#[inline]
pub(crate) fn tick() -> Tick {
    match COUNTER.get() {
        Some(clock) => Tick::Counter(clock.raw()),
        None => Tick::System(now()),
    }
}

impl Tick {
    /// How long ago it was.
    #[inline]
    pub(crate) fn elapsed(self) -> Duration {
        match (self, COUNTER.get()) {
            (Tick::Counter(start), Some(clock)) => clock.delta(start, clock.raw()),
            (Tick::System(start), _) => start.elapsed(),
            (Tick::Counter(_), None) => unreachable!("the counter is there for good"),
        }
    }
}

/// Gets the counter ready, once.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let measure = || drop(COUNTER.set(quanta::Clock::new()));
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
        prepare();
        while COUNTER.get().is_none() {
            std::thread::yield_now();
        }
        let late = tick();
        assert!(matches!(late, Tick::Counter(_)));
        let start = now();
        while late.elapsed() < Duration::from_millis(2) {}
        // The two clocks agree within a fifth, whatever the machine is doing.
        assert!(start.elapsed() >= Duration::from_micros(1_600));
        assert!(early.elapsed() >= late.elapsed());
    }
}
