//! Times in which the whole process stood still: stopped (`SIGSTOP`, a debugger) or
//! suspended. Polls are not to blame.
//!
//! The watchdog sleeps for known times. If it wakes late, and not because it had to
//! wait for a processor, then the process stood still. If it had to wait for one, so may
//! have all others: what went on meanwhile is not known.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Tick};

/// The watchdog is late by so much for other reasons too.
const LATE: Duration = Duration::from_millis(50);

/// By so much it is late only where there is more to do than the machine can. A poll is not
/// seen meanwhile; where each turn is that late, few of them make a slow one.
const UNSEEN: Duration = Duration::from_millis(10);

/// How many stalls are remembered.
const KEPT: usize = 32;

struct Stall {
    ended: Tick,
    lasted: Duration,
    /// It was the watchdog that stood still, for want of a processor as a rule.
    unseen: bool,
}

static STALLS: Mutex<VecDeque<Stall>> = Mutex::new(VecDeque::new());

/// When the watchdog went to sleep; zero: it is at work, or there is none.
static ASLEEP_SINCE: AtomicU64 = AtomicU64::new(0);
/// For how long it meant to, in nanoseconds.
static MEANT: AtomicU64 = AtomicU64::new(0);
/// When it last woke; zero: it is asleep, or there is none.
static AWAKE_SINCE: AtomicU64 = AtomicU64::new(0);

fn stalls() -> MutexGuard<'static, VecDeque<Stall>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By how much a sleep was too long, if by enough to tell; `queued` of it was the wait
/// for a processor.
fn excess(slept: Duration, meant: Duration, queued: Duration) -> Option<Duration> {
    let excess = slept.saturating_sub(meant + queued);
    (excess >= LATE).then_some(excess)
}

/// By how much it was, if by enough to see nothing meanwhile.
fn unseen(slept: Duration, meant: Duration) -> Option<Duration> {
    let unseen = slept.saturating_sub(meant);
    (unseen >= UNSEEN).then_some(unseen)
}

/// For how long nothing was seen, which is true, or the process stood still: a sleep was
/// too long, and the wait for a processor does not account for that.
fn late(
    slept: Duration,
    meant: Duration,
    queued: impl FnOnce() -> Duration,
) -> Option<(Duration, bool)> {
    let late = unseen(slept, meant)?;
    Some(match excess(slept, meant, queued()) {
        Some(stood_still) => (stood_still, false),
        None => (late, true),
    })
}

/// How much of a time that began `age` ago was in one that `ended` so long ago.
fn overlap(age: Duration, ended: Duration, lasted: Duration) -> Duration {
    lasted.min(age.saturating_sub(ended))
}

/// The watchdog is about to sleep.
pub(super) fn about_to_sleep(meant: Duration) {
    if let Some(lasted) = at_work() {
        keep(lasted, true);
    }
    AWAKE_SINCE.store(0, Release);
    MEANT.store(meant.as_nanos() as u64, Release);
    ASLEEP_SINCE.store(clock::tick().to_bits(), Release);
}

/// It woke. `queued`: asks for how long it has waited for a processor meanwhile. True:
/// the process has stood still.
pub(super) fn woke(queued: impl FnOnce() -> Duration) -> bool {
    let late = asleep().and_then(|(slept, meant)| late(slept, meant, queued));
    if let Some((lasted, unseen)) = late {
        keep(lasted, unseen);
    }
    ASLEEP_SINCE.store(0, Release);
    AWAKE_SINCE.store(clock::tick().to_bits(), Release);
    late.is_some_and(|(_, unseen)| !unseen)
}

/// One that ends now.
fn keep(lasted: Duration, unseen: bool) {
    let mut stalls = stalls();
    if stalls.len() == KEPT {
        stalls.pop_front();
    }
    stalls.push_back(Stall {
        ended: clock::tick(),
        lasted,
        unseen,
    });
}

/// For how long the watchdog has been at one look, which takes microseconds, if by enough
/// to tell: it has no processor, or waits for an answer.
fn at_work() -> Option<Duration> {
    let looks = Tick::from_bits(AWAKE_SINCE.load(Acquire))?.elapsed();
    (looks >= UNSEEN).then_some(looks)
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
    let stalls = stalls.iter().filter(|stall| !stall.unseen);
    let since = stalls.filter(|stall| stall.ended.elapsed() <= age);
    since.map(|stall| stall.lasted).sum()
}

/// For how long since then the watchdog did not look, although it should have. That it
/// should by now counts as well.
pub(super) fn unseen_since(start: Tick) -> Duration {
    let age = start.elapsed();
    let is_late = asleep().and_then(|(slept, meant)| unseen(slept, meant));
    let now = is_late.or_else(at_work).unwrap_or_default();
    let stalls = stalls();
    let each = stalls.iter().filter(|stall| stall.unseen);
    let each = each.map(|stall| overlap(age, stall.ended.elapsed(), stall.lasted));
    now.min(age) + each.sum::<Duration>()
}

/// There is no watchdog any more.
pub(super) fn stop() {
    ASLEEP_SINCE.store(0, Release);
    AWAKE_SINCE.store(0, Release);
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

    #[test]
    fn a_sleep_that_was_late_for_want_of_a_processor_says_nothing_of_the_process() {
        let ms = Duration::from_millis;
        assert_eq!(late(ms(20), ms(12), || unreachable!()), None);
        assert_eq!(late(ms(30), ms(12), || ms(17)), Some((ms(18), true)));
        assert_eq!(late(ms(500), ms(12), || ms(470)), Some((ms(488), true)));
        assert_eq!(late(ms(500), ms(12), || ms(88)), Some((ms(400), false)));
    }

    #[test]
    fn what_was_over_before_it_began_is_not_in_it() {
        let ms = Duration::from_millis;
        assert_eq!(overlap(ms(128), ms(5), ms(70)), ms(70));
        assert_eq!(overlap(ms(128), ms(5), ms(400)), ms(123));
        assert_eq!(overlap(ms(128), ms(200), ms(70)), ms(0));
    }
}
