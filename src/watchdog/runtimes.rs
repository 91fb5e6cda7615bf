//! The runtimes that are watched, and which thread runs which of their workers.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::{Id, RuntimeMetrics};

use super::scan::{Certain, Reading};
use super::slot::{self, Slot, Worker};
use super::thread;
use crate::mode::{Mode, Scope};

/// A runtime that is watched.
pub(crate) struct Watched {
    pub(super) number: u32,
    pub(super) metrics: RuntimeMetrics,
    pub(super) scope: Arc<Scope>,
    id: Id,
    event_interval: u32,
    /// Has a task of ours run there, by which a worker is known; set for a runtime
    /// that is not ours.
    prober: Mutex<Option<Waker>>,
}

/// A worker looks up every so many polls, unless its runtime was built otherwise.
const EVENT_INTERVAL: u32 = 61;

/// No poll that computes and leaves others their turn is longer than this.
const LONG: Duration = Duration::from_millis(10);

impl Watched {
    /// Whether there is anything to find.
    pub(super) fn is_on(&self) -> bool {
        self.scope.mode() == Mode::Debug
    }

    pub(super) fn reading(&self, index: usize) -> Reading {
        Reading {
            park_unpark: self.metrics.worker_park_unpark_count(index),
            busy: self.metrics.worker_total_busy_duration(index),
        }
    }

    /// How long a worker whose figures stand still must have been at it, since they only
    /// move every `event_interval` polls. `slow`: from when on a poll is.
    pub(super) fn certain(&self, slow: Duration) -> Certain {
        Certain {
            computing: (LONG * self.event_interval).max(slow),
            waiting: slow.max(LONG).saturating_mul(self.event_interval),
        }
    }

    /// Whether these threads are one, which runs a worker beyond doubt: on a runtime
    /// of ours a thread says when it no longer does; on that of another, of one
    /// thread, it does not.
    pub(super) fn knows(&self, threads: &[&'static Slot]) -> bool {
        let is_another_s = || {
            let prober = self.prober.lock().unwrap_or_else(PoisonError::into_inner);
            prober.is_some() && self.metrics.num_workers() == 1
        };
        match threads {
            [one] => {
                let said = one.worker().is_some_and(|worker| worker.index.is_some());
                said && !is_another_s()
            }
            _ => false,
        }
    }

    /// Finds out about one more of the workers, if that can be done and is needed.
    pub(super) fn probe(&self, slots: &[&'static Slot]) {
        let prober = self.prober.lock();
        let prober = prober.unwrap_or_else(PoisonError::into_inner).clone();
        let Some(prober) = prober else {
            return;
        };
        let threads = self.threads(slots);
        let is_known = |index| !threads.running(index).is_empty();
        if !(0..self.metrics.num_workers()).all(is_known) {
            prober.wake();
        }
    }

    /// Those of its threads that have a slot.
    pub(super) fn threads(&self, slots: &[&'static Slot]) -> Threads {
        let its = slots.iter().filter_map(|slot| {
            let worker = slot.worker()?;
            (worker.runtime == self.number).then_some((worker.index, *slot))
        });
        Threads(its.collect())
    }
}

/// The threads of a runtime, with the worker that each has said it runs.
pub(super) struct Threads(Vec<(Option<u16>, &'static Slot)>);

impl Threads {
    /// Those that may be running a worker: the one that said so last, or else those that
    /// have not said what they do.
    pub(super) fn running(&self, index: usize) -> Vec<&'static Slot> {
        let runs = |worker: Option<u16>| {
            let its = self.0.iter().filter(move |(index, _)| *index == worker);
            its.map(|(_, slot)| *slot)
        };
        let known: Vec<_> = runs(u16::try_from(index).ok()).collect();
        if known.is_empty() {
            runs(None).collect()
        } else {
            known
        }
    }
}

static WATCHED: Mutex<Vec<Arc<Watched>>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<Arc<Watched>>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn all() -> Vec<Arc<Watched>> {
    lock().clone()
}

/// How many tasks of our runtimes, or of that of `scope`, are not tracked, at least;
/// `None`: none of those is there in debug mode.
pub(crate) fn untracked(scope: Option<&Arc<Scope>>) -> Option<usize> {
    let is_ours = |watched: &&Arc<Watched>| match scope {
        Some(scope) => Arc::ptr_eq(&watched.scope, scope),
        None => !Arc::ptr_eq(&watched.scope, Scope::process()),
    };
    let watched = all();
    let counts = watched
        .iter()
        .filter(is_ours)
        .filter(|watched| watched.is_on());
    let untracked = |watched: &Arc<Watched>| {
        let alive = watched.metrics.num_alive_tasks();
        alive.saturating_sub(watched.scope.tasks())
    };
    counts.map(untracked).reduce(|all, more| all + more)
}

/// Whether the thread is needed for one of them.
pub(super) fn any_on() -> bool {
    lock().iter().any(|watched| watched.is_on())
}

/// A number for a runtime that is to be watched.
pub(crate) fn number() -> u32 {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);
    NUMBERS.fetch_add(1, Relaxed)
}

/// Watches a runtime till this is dropped.
#[derive(Debug)]
pub(crate) struct Registration(u32);

/// Begins to watch a runtime, unless it is watched already. `event_interval`: `None` if
/// it is not known to be other than tokio's.
pub(crate) fn register(
    number: u32,
    id: Id,
    metrics: RuntimeMetrics,
    scope: &Arc<Scope>,
    event_interval: Option<u32>,
) -> Option<Registration> {
    let new = Arc::new(Watched {
        number,
        metrics,
        scope: Arc::clone(scope),
        id,
        event_interval: event_interval.unwrap_or(EVENT_INTERVAL),
        prober: Mutex::new(None),
    });
    let mut watched = lock();
    if watched.iter().any(|watched| watched.id == id) {
        return None;
    }
    watched.push(new);
    drop(watched);
    if scope.mode() == Mode::Debug {
        thread::ensure();
    }
    Some(Registration(number))
}

impl Registration {
    /// A task of ours that finds out about the workers is woken by `waker`. Gives
    /// whether it has been before.
    pub(super) fn ask_by(&self, waker: &Waker) -> bool {
        let watched = all();
        let Some(watched) = watched.iter().find(|watched| watched.number == self.0) else {
            return false;
        };
        let mut prober = watched
            .prober
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_known = prober.is_some();
        if prober.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *prober = Some(waker.clone());
        }
        is_known
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let is_it = |watched: &Arc<Watched>| watched.number == self.0;
        let mut watched = lock();
        let gone: Vec<_> = watched.extract_if(.., |watched| is_it(watched)).collect();
        drop(watched);
        let was_on = gone.iter().any(|watched| watched.is_on());
        // Not under the lock: it may be the last to hold the runtime's handle.
        drop(gone);
        if was_on {
            // In which it tells what blocked to the end; and it holds the handle no
            // longer than that.
            thread::last_look();
        }
        thread::end_if_idle();
    }
}

/// This thread runs that worker of the runtime; `None`: it is not known what it does
/// there.
pub(crate) fn on_worker(number: u32, index: Option<usize>) {
    if let Some(slot) = slot::mine() {
        slot.set_worker(Some(Worker {
            runtime: number,
            index: index.and_then(|index| u16::try_from(index).ok()),
        }));
    }
}

/// This thread drives a runtime of one thread till this is dropped.
#[derive(Debug)]
pub(crate) struct Driving {
    slot: &'static Slot,
    before: Option<Worker>,
}

impl Driving {
    pub(crate) fn begin(number: u32) -> Option<Driving> {
        let slot = slot::mine()?;
        let before = slot.worker();
        on_worker(number, Some(0));
        Some(Driving { slot, before })
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.slot.set_worker(self.before);
    }
}
