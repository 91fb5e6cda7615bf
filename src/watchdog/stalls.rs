//! Times in which the whole process stood still: stopped (`SIGSTOP`, a debugger) or
//! suspended. Polls are not to blame.
//!
//! The watchdog sleeps for known times. If it wakes late, and not because it had to
//! wait for a processor, then the process stood still.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Tick};

/// The watchdog is late by so much for other reasons too.
const LATE: Duration = Duration::from_millis(50);

/// How many stalls are remembered.
const KEPT: usize = 16;

struct Stall {
    ended: Tick,
    lasted: Duration,
}

static STALLS: Mutex<VecDeque<Stall>> = Mutex::new(VecDeque::new());

/// When the watchdog went to sleep; zero: it is at work, or there is none.
static ASLEEP_SINCE: AtomicU64 = AtomicU64::new(0);
/// For how long it meant to, in nanoseconds.
static MEANT: AtomicU64 = AtomicU64::new(0);

fn stalls() -> MutexGuard<'static, VecDeque<Stall>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By how much a sleep was too long, if by enough to tell; `queued` of it was the wait
/// for a processor.
fn excess(slept: Duration, meant: Duration, queued: Duration) -> Option<Duration> {
    let excess = slept.saturating_sub(meant + queued);
    (excess >= LATE).then_some(excess)
}

/// The watchdog is about to sleep.
pub(super) fn about_to_sleep(meant: Duration) {
    MEANT.store(meant.as_nanos() as u64, Release);
    ASLEEP_SINCE.store(clock::tick().to_bits(), Release);
}

/// It woke. `queued`: asks for how long it has waited for a processor meanwhile. True:
/// the process has stood still.
pub(super) fn woke(queued: impl FnOnce() -> Duration) -> bool {
    let stall = asleep().and_then(|(slept, meant)| {
        excess(slept, meant, Duration::ZERO)?;
        excess(slept, meant, queued())
    });
    let mut stalls = stalls();
    if let Some(lasted) = stall {
        if stalls.len() == KEPT {
            stalls.pop_front();
        }
        stalls.push_back(Stall {
            ended: clock::tick(),
            lasted,
        });
    }
    stop();
    stall.is_some()
}

/// For how long the watchdog has been asleep, and for how long it meant to be.
fn asleep() -> Option<(Duration, Duration)> {
    let slept = Tick::from_bits(ASLEEP_SINCE.load(Acquire))?.elapsed();
    Some((slept, Duration::from_nanos(MEANT.load(Acquire))))
}

/// For how long the process has stood still since. Asked of slow polls only: if the
/// watchdog should have woken by now, gives it the time to.
pub(crate) fn since(start: Tick) -> Duration {
    let is_late =
        || asleep().is_some_and(|(slept, meant)| excess(slept, meant, Duration::ZERO).is_some());
    for _ in 0..20 {
        if !is_late() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    known_since(start)
}

/// The same, as far as the watchdog knows.
pub(super) fn known_since(start: Tick) -> Duration {
    let age = start.elapsed();
    let stalls = stalls();
    let since = stalls.iter().filter(|stall| stall.ended.elapsed() <= age);
    since.map(|stall| stall.lasted).sum()
}

/// Nobody sleeps any more.
pub(super) fn stop() {
    ASLEEP_SINCE.store(0, Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_was_a_little_late_or_had_no_processor_is_no_stall() {
        let ms = Duration::from_millis;
        assert_eq!(excess(ms(30), ms(12), ms(0)), None);
        assert_eq!(excess(ms(500), ms(12), ms(0)), Some(ms(488)));
        assert_eq!(excess(ms(500), ms(12), ms(470)), None);
        // The machine was suspended, or its clock leapt; the wait for a processor may be
        // said to be more than all that passed.
        assert_eq!(excess(ms(3_600_000), ms(12), ms(3)), Some(ms(3_599_985)));
        assert_eq!(excess(ms(500), ms(12), Duration::MAX - ms(12)), None);
    }
}
