//! The workers of one runtime, tracked or not what they run.

use std::time::Duration;

use super::polls::Polls;
use super::runtimes::Watched;
use super::sampling::{self, Sampling};
use super::scan::{Had, Limits, Look, Worker};
use super::slot::Slot;
use crate::detect::{Whose, blocked, slow_poll};
use crate::report::{Doing, Live};

/// What is remembered of them.
#[derive(Default)]
pub(super) struct Workers {
    /// With what was seen of each when it turned out to be blocked.
    each: Vec<(Worker, Seen)>,
    /// When one was last asked for that is not known.
    probed: Option<Duration>,
}

/// A worker that is blocked.
#[derive(Default)]
struct Seen {
    /// For the middle of a sentence.
    worker: String,
    /// What was seen of the threads that may be running it.
    live: Vec<Live>,
}

/// How often a runtime is asked which thread runs a worker.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Of a worker that has not said which thread runs it, so many are looked into.
const CANDIDATES: usize = 8;

impl Workers {
    /// The time that has passed was not theirs.
    pub(super) fn start_over(&mut self, now: Duration) {
        for (worker, _) in &mut self.each {
            worker.start_over(now);
        }
    }

    pub(super) fn look(
        &mut self,
        now: Duration,
        watched: &Watched,
        slots: &[&'static Slot],
        polls: &Polls,
        sampling: &mut Sampling,
    ) {
        if self.probed.is_none_or(|at| now >= at + PROBE_EVERY) {
            self.probed = Some(now);
            watched.probe(slots);
        }
        let settings = watched.scope.settings();
        let limits = Limits {
            slow: settings.slow_poll(),
            blocked: settings.blocked,
        };
        let certain = watched.certain().max(limits.slow);
        for index in 0..watched.metrics.num_workers() {
            let reading = watched.reading(index);
            if self.each.len() <= index {
                self.each.push((Worker::new(now, reading), Seen::default()));
            }
            let (worker, seen) = &mut self.each[index];
            // Only of those that stand still is the thread needed.
            let threads = if worker.stands_still(reading) {
                watched.threads(slots, index)
            } else {
                Vec::new()
            };
            let threads = &threads[..threads.len().min(CANDIDATES)];
            if threads.iter().any(|slot| polls.has_noted(slot)) {
                worker.start_over(now);
                continue;
            }
            let look = worker.look(
                now,
                reading,
                || had(threads),
                || wait(threads),
                limits,
                certain,
            );
            match look {
                Look::Nothing => {}
                Look::Sample => {
                    let live = sample(threads, None, sampling);
                    worker.saw(live.iter().find_map(|live| live.task));
                }
                Look::Blocked(doing) => {
                    *seen = Seen {
                        worker: name(index, threads),
                        live: sample(threads, Some(doing), sampling),
                    };
                }
                Look::Tell(age, again) => {
                    let doing = seen.live.first().and_then(|live| live.doing);
                    let whose = seen.whose(watched);
                    for live in sample(threads, doing, sampling) {
                        blocked::report_worker(&whose, age, live, again);
                    }
                }
                Look::Ended(elapsed, told) => {
                    let seen = std::mem::take(seen);
                    for live in seen.live.iter().filter(|_| !told) {
                        slow_poll::report_worker(&seen.whose(watched), elapsed, *live);
                    }
                }
            }
        }
    }
}

impl Seen {
    fn whose<'a>(&'a self, watched: &'a Watched) -> Whose<'a> {
        Whose {
            scope: &watched.scope,
            worker: &self.worker,
        }
    }
}

/// What the threads have had, together: of several, one runs the worker, and the others
/// do nothing or something that is allowed to block.
fn had(threads: &[&'static Slot]) -> Option<Had> {
    let each = threads.iter().filter_map(|slot| sampling::had(slot));
    each.reduce(|one, other| Had {
        cpu: one.cpu + other.cpu,
        queued: one.queued + other.queued,
    })
}

fn wait(threads: &[&'static Slot]) -> bool {
    threads
        .iter()
        .all(|slot| sampling::doing_now(slot) == Some(Doing::Waiting))
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
