//! The workers of one runtime, tracked or not what they run.

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use super::runtimes::Watched;
use super::sampling::{self, Sampling};
use super::scan::{Limits, Look, Reading, Thread, Worker};
use super::slot::Slot;
use crate::detect::{Whose, blocked, slow_poll};
use crate::mode::{Mode, Scope};
use crate::report::{Doing, Live};

/// What is remembered of them.
pub(super) struct Workers {
    scope: Arc<Scope>,
    /// With what was seen of each when it turned out to be blocked.
    each: Vec<(Worker, Seen)>,
    /// When one is next to be asked for that is not known, and how long after that
    /// the next time.
    probe: (Duration, Duration),
}

/// A worker that is blocked.
#[derive(Default)]
struct Seen {
    /// For the middle of a sentence.
    worker: String,
    /// What was seen of the threads that may be running it.
    live: Vec<Live>,
    threads: Vec<&'static Slot>,
    /// There is no doubt which thread does.
    certain: bool,
}

/// After how long a runtime is asked again which thread runs a worker: at first, and
/// at most. A worker that has nothing to do cannot answer, and is not to be kept awake.
const PROBE_AFTER: Duration = Duration::from_millis(100);
const PROBE_AT_LAST: Duration = Duration::from_secs(10);

/// Of a worker that has not said which thread runs it, so many are looked into.
const CANDIDATES: usize = 8;

impl Workers {
    pub(super) fn new(scope: &Arc<Scope>) -> Workers {
        Workers {
            scope: Arc::clone(scope),
            each: Vec::new(),
            probe: (Duration::ZERO, Duration::ZERO),
        }
    }

    /// The runtime has ended.
    pub(super) fn end(mut self, now: Duration) {
        if self.scope.mode() != Mode::Debug {
            return;
        }
        for (worker, seen) in &mut self.each {
            if let Look::Ended(elapsed, told) = worker.ends(now, Reading::default()) {
                seen.tell_end(&self.scope, elapsed, told);
            }
        }
    }

    /// Whether a worker is at one thing since the last look.
    pub(super) fn stands_still(&self, index: Option<u16>, watched: &Watched) -> bool {
        let index = index
            .map(usize::from)
            .filter(|index| *index < self.each.len());
        index.is_some_and(|index| self.each[index].0.stands_still(watched.reading(index)))
    }

    /// The time that has passed was not theirs.
    pub(super) fn start_over(&mut self, now: Duration) {
        for (worker, _) in &mut self.each {
            worker.start_over(now);
        }
    }

    /// Looks at each, and tells what there is to tell. Gives whether all are at rest.
    pub(super) fn look(
        &mut self,
        now: Duration,
        watched: &Watched,
        slots: &[&'static Slot],
        sampling: &mut Sampling,
    ) -> bool {
        let (due, pause) = self.probe;
        if now >= due {
            let pause = pause.clamp(PROBE_AFTER, PROBE_AT_LAST);
            self.probe = (now + pause, pause * 2);
            watched.probe(slots);
        }
        let settings = watched.scope.settings();
        let limits = Limits {
            slow: settings.slow_poll(),
            blocked: settings.blocked,
        };
        let certain = watched.certain(limits.slow);
        let of_runtime = LazyCell::new(|| watched.threads(slots));
        let mut is_calm = true;
        for index in 0..watched.metrics.num_workers() {
            let reading = watched.reading(index);
            is_calm &= !reading.is_active();
            if self.each.len() <= index {
                self.each.push((Worker::new(now, reading), Seen::default()));
            }
            let (worker, seen) = &mut self.each[index];
            // Only of those that stand still is the thread needed.
            let threads = if worker.stands_still(reading) {
                of_runtime.running(index)
            } else {
                Vec::new()
            };
            let threads = &threads[..threads.len().min(CANDIDATES)];
            // A tracked poll is told of by itself, by its own threshold.
            let is_tracked = |slot: &&'static Slot| slot.is_polled_for(limits.slow / 2);
            let look = if worker.is_blocked() && threads.is_empty() {
                // Nobody runs it any more, so its figures will not move.
                worker.ends(now, reading)
            } else if !worker.is_blocked() && threads.iter().any(is_tracked) {
                worker.start_over(now);
                continue;
            } else {
                worker.look(now, reading, &Threads(threads), limits, certain)
            };
            match look {
                Look::Nothing => {}
                Look::Sample => {
                    let ran = !Threads(threads).waits();
                    let task = threads.iter().find_map(|slot| sampling.task(slot));
                    worker.saw(task, ran);
                }
                Look::Blocked(doing) => {
                    *seen = Seen {
                        worker: name(index, threads),
                        live: sample(threads, Some(doing), sampling),
                        threads: threads.to_vec(),
                        certain: watched.knows(threads),
                    };
                }
                Look::Tell(age, again) => {
                    let doing = seen.live.first().and_then(|live| live.doing);
                    let whose = seen.whose(&self.scope);
                    for live in sample(threads, doing, sampling) {
                        blocked::report_worker(&whose, age, live, again);
                    }
                    threads.iter().for_each(|slot| slot.set_told_of_worker());
                }
                Look::Ended(elapsed, told) => {
                    let seen = std::mem::take(seen);
                    seen.tell_end(&self.scope, elapsed, told);
                }
            }
        }
        is_calm
    }
}

impl Seen {
    /// Tells of a block that is over, unless it was told of while it lasted, or the
    /// thread did so itself: it dropped something tracked.
    fn tell_end(&self, scope: &Arc<Scope>, elapsed: Duration, told: bool) {
        let told = told || self.threads.iter().any(|slot| slot.has_told(elapsed));
        for live in self.live.iter().filter(|_| !told) {
            slow_poll::report_worker(&self.whose(scope), elapsed, *live);
        }
    }

    fn whose<'a>(&'a self, scope: &'a Arc<Scope>) -> Whose<'a> {
        Whose {
            scope,
            worker: &self.worker,
            certain: self.certain,
        }
    }
}

/// The threads that may be running a worker, together: of several, one does, and the
/// others do nothing or something that is allowed to block.
struct Threads<'a>(&'a [&'static Slot]);

impl Thread for Threads<'_> {
    fn cpu(&self) -> Option<Duration> {
        let each = self.0.iter().filter_map(|slot| sampling::cpu(slot));
        each.reduce(|one, other| one + other)
    }

    fn queued(&self) -> Duration {
        let each = self.0.iter().filter_map(|slot| sampling::queued(slot));
        each.sum()
    }

    fn waits(&self) -> bool {
        self.0
            .iter()
            .all(|slot| sampling::doing_now(slot) == Some(Doing::Waiting))
    }
}

fn sample(threads: &[&'static Slot], doing: Option<Doing>, sampling: &mut Sampling) -> Vec<Live> {
    let each = threads.iter().filter_map(|slot| {
        let (live, _) = sampling.sample(slot, slot.outermost.mark())?;
        Some(Live { doing, ..live })
    });
    each.collect()
}

/// ``worker 0 (thread `tokio-rt-worker`)``
fn name(index: usize, threads: &[&'static Slot]) -> String {
    let thread = threads.first().and_then(|slot| sampling::name(slot));
    let thread = thread.map_or(String::new(), |name| format!(" (thread `{name}`)"));
    format!("worker {index}{thread}")
}
