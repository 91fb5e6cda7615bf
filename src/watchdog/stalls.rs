//! Times in which the whole process stood still: stopped (`SIGSTOP`, a debugger),
//! suspended, or so starved that not even the watchdog ran. Polls are not to blame.

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

/// While the watchdog sleeps, when it is to wake; zero: it is at work.
static WAKES: AtomicU64 = AtomicU64::new(0);
/// For how long it meant to sleep, in nanoseconds.
static FOR: AtomicU64 = AtomicU64::new(0);

fn stalls() -> MutexGuard<'static, VecDeque<Stall>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By how much a sleep was too long, if by enough to tell.
fn excess(slept: Duration, meant: Duration) -> Option<Duration> {
    let excess = slept.saturating_sub(meant);
    (excess >= LATE).then_some(excess)
}

/// The watchdog is about to sleep.
pub(super) fn about_to_sleep(meant: Duration) {
    FOR.store(meant.as_nanos() as u64, Release);
    WAKES.store(clock::tick().to_bits(), Release);
}

/// It woke. True: the process has stood still meanwhile.
pub(super) fn woke() -> bool {
    let Some(lasted) = present() else {
        WAKES.store(0, Release);
        return false;
    };
    let mut stalls = stalls();
    if stalls.len() == KEPT {
        stalls.pop_front();
    }
    stalls.push_back(Stall {
        ended: clock::tick(),
        lasted,
    });
    WAKES.store(0, Release);
    true
}

/// The stall that the watchdog has not woken from yet.
fn present() -> Option<Duration> {
    let slept = Tick::from_bits(WAKES.load(Acquire))?.elapsed();
    excess(slept, Duration::from_nanos(FOR.load(Acquire)))
}

/// For how long the process has stood still since.
pub(crate) fn since(start: Tick) -> Duration {
    let stalls = stalls();
    let age = start.elapsed();
    let known: Duration = stalls
        .iter()
        .filter(|stall| stall.ended.elapsed() <= age)
        .map(|stall| stall.lasted)
        .sum();
    known + present().unwrap_or_default().min(age)
}

/// Nobody sleeps any more.
pub(super) fn stop() {
    WAKES.store(0, Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_was_a_little_late_is_no_stall() {
        let ms = Duration::from_millis;
        assert_eq!(excess(ms(30), ms(12)), None);
        assert_eq!(excess(ms(500), ms(12)), Some(ms(488)));
    }
}
