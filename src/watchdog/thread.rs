//! The thread, and what it remembers from look to look.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::polls::Polls;
use super::runtimes::{self, Watched};
use super::sampler::Thread;
use super::sampling::Sampling;
use super::scan::{OFTEN, SELDOM};
use super::slot::{self, Slot};
use super::stalls;
use super::workers::Workers;
use crate::clock::{self, Instant};
use crate::mode::{self, Scope, silence_this_thread};

/// Without anything to look at for so long, the thread ends.
const IDLE: Duration = Duration::from_secs(2);

/// So long others wait for a look, and for its end: it may be held up by a thread that
/// does not answer, and must not hold up the program.
const LOOK_LIMIT: Duration = Duration::from_secs(1);
const END_LIMIT: Duration = Duration::from_secs(5);

/// Every so many looks, it is noted how long the thread has waited for a processor.
const QUEUED_EVERY: u32 = 16;

static STATE: Mutex<State> = Mutex::new(State {
    thread: None,
    asked: 0,
    done: 0,
    stop: false,
});
/// Something is asked of the thread.
static ASKED: Condvar = Condvar::new();
/// It has done what it was asked.
static DONE: Condvar = Condvar::new();
/// It is there, or cannot be had.
static RUNNING: AtomicBool = AtomicBool::new(false);

struct State {
    thread: Option<JoinHandle<()>>,
    /// Looks that somebody waits for: how many were asked for, how many are done.
    asked: u64,
    done: u64,
    stop: bool,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the thread running.
#[inline]
pub(super) fn ensure() {
    if !RUNNING.load(Relaxed) {
        start();
    }
}

#[cold]
fn start() {
    // What is reported in the reporter's thread is not watched.
    if mode::is_silent() {
        return;
    }
    mode::when_switched_on(|| {
        if runtimes::any_on() {
            ensure();
        }
    });
    let mut state = state();
    if RUNNING.load(Acquire) {
        return;
    }
    clock::prepare();
    let thread = std::thread::Builder::new().name("debug-async-watchdog".into());
    // Without it, slow polls are told when they end. That of the last time has ended.
    state.thread = thread.spawn(run).ok();
    RUNNING.store(true, Release);
}

/// Waits till it has looked once more.
pub(super) fn last_look() {
    let mut state = state();
    if !is_there(&state) {
        return;
    }
    state.asked += 1;
    let ticket = state.asked;
    ASKED.notify_one();
    drop(wait_while(state, LOOK_LIMIT, |state| state.done < ticket));
}

/// Waits for the thread, while it is there.
fn wait_while(
    mut state: MutexGuard<'static, State>,
    limit: Duration,
    wanted: impl Fn(&State) -> bool,
) -> MutexGuard<'static, State> {
    let since = clock::now();
    while wanted(&state) && is_there(&state) && since.elapsed() < limit {
        let waited = DONE.wait_timeout(state, Duration::from_millis(100));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

/// Whether there is a thread that answers, and it is another than this.
fn is_there(state: &State) -> bool {
    state.thread.as_ref().is_some_and(|thread| {
        !thread.is_finished() && thread.thread().id() != std::thread::current().id()
    })
}

/// Ends it, and waits for that, if nothing is left to watch.
pub(super) fn end_if_idle() {
    if runtimes::any_on() {
        return;
    }
    let mut state = state();
    if !is_there(&state) {
        return;
    }
    state.stop = true;
    ASKED.notify_one();
    state = wait_while(state, END_LIMIT, |state| state.stop);
    if !RUNNING.load(Acquire)
        && let Some(thread) = state.thread.take()
    {
        drop(state);
        let _ = thread.join();
    }
}

fn run() {
    silence_this_thread();
    let mut watchdog = Watchdog::new();
    let own = Thread::current();
    let queued = || own.as_ref().and_then(Thread::queued).unwrap_or_default();
    let mut before = queued();
    let mut looks = 0u32;
    loop {
        let stood_still = stalls::woke(|| queued().saturating_sub(before));
        let look = std::panic::AssertUnwindSafe(|| watchdog.look(stood_still));
        let looked = std::panic::catch_unwind(look);
        let mut state = state();
        state.done = state.asked;
        let is_over = (state.stop || watchdog.idle() >= IDLE) && is_not_needed();
        state.stop = false;
        // A panic of ours ends the watch, and nothing else.
        let wait = match looked {
            Ok(wait) if !is_over => wait,
            Ok(_) | Err(_) => {
                // Under the lock: the next such thread must find no signal handler.
                drop(watchdog);
                stalls::stop();
                clock::set_coarse(None);
                RUNNING.store(looked.is_err(), Release);
                DONE.notify_all();
                return;
            }
        };
        DONE.notify_all();
        // It is a file that is read, which costs more than all the rest.
        looks = looks.wrapping_add(1);
        if stood_still || looks.is_multiple_of(QUEUED_EVERY) {
            before = queued();
        }
        stalls::about_to_sleep(wait);
        clock::set_coarse(Some(wait));
        let asked = state.asked;
        let waited =
            ASKED.wait_timeout_while(state, wait, |state| !state.stop && state.asked == asked);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Whether nothing is left to watch. If so, who comes next starts another thread.
fn is_not_needed() -> bool {
    // Before the look: who registers a runtime meanwhile sees one or the other.
    RUNNING.store(false, Release);
    let is_needed = runtimes::any_on();
    RUNNING.store(is_needed, Release);
    !is_needed
}

struct Watchdog {
    began: Instant,
    slots: Vec<&'static Slot>,
    sampling: Sampling,
    polls: Polls,
    runtimes: HashMap<u32, Workers>,
    /// When there was last anything to look at.
    busy: Instant,
}

impl Watchdog {
    fn new() -> Watchdog {
        let now = clock::now();
        Watchdog {
            began: now,
            slots: Vec::new(),
            sampling: Sampling::new(),
            polls: Polls::default(),
            runtimes: HashMap::new(),
            busy: now,
        }
    }

    fn idle(&self) -> Duration {
        self.busy.elapsed()
    }

    /// Looks at everything once, and says when to look again. `stood_still`: the
    /// process has, since the last look.
    fn look(&mut self, stood_still: bool) -> Duration {
        let now = self.began.elapsed();
        let watched: Vec<Arc<Watched>> = runtimes::all();
        let watched: Vec<_> = watched
            .into_iter()
            .filter(|watched| watched.is_on())
            .collect();
        slot::refresh(&mut self.slots);
        let slots = &self.slots;
        let is_gone = |number: &u32| !watched.iter().any(|watched| watched.number == *number);
        let gone = self.runtimes.extract_if(|number, _| is_gone(number));
        gone.for_each(|(_, workers)| workers.end(now));
        // The polls first: what they tell of, the workers need not.
        let runtimes = &self.runtimes;
        let stands_still = |worker: slot::Worker| {
            let is_its = |watched: &&Arc<Watched>| watched.number == worker.runtime;
            let watched = watched.iter().find(is_its);
            let workers = runtimes.get(&worker.runtime);
            workers
                .zip(watched)
                .is_some_and(|(workers, watched)| workers.stands_still(worker.index, watched))
        };
        let (in_progress, next) = self.polls.look(slots, &mut self.sampling, &stands_still);
        let mut is_calm = !in_progress;
        for watched in &watched {
            let workers = self.runtimes.entry(watched.number);
            let workers = workers.or_insert_with(|| Workers::new(&watched.scope));
            if stood_still {
                workers.start_over(now);
            }
            is_calm &= workers.look(now, watched, slots, &mut self.sampling);
        }
        if in_progress || !watched.is_empty() {
            self.busy = clock::now();
        }
        let thresholds = watched.iter().map(|watched| &watched.scope);
        let slow = thresholds
            .chain([Scope::process()])
            .map(|scope| scope.settings().slow_poll())
            .min();
        // Each time costs some 50 µs, most of it for waking up.
        let share = if is_calm { 5 } else { 8 };
        let often = slow.map_or(SELDOM, |slow| (slow / share).clamp(OFTEN, SELDOM));
        next.map_or(often, |next| often.min(next.max(Duration::from_millis(1))))
    }
}
