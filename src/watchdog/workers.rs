//! The workers of one runtime, tracked or not what they run.

use std::collections::HashSet;
use std::time::Duration;

use super::polls::Polls;
use super::runtimes::Watched;
use super::sampling::{self, Sampling};
use super::scan::{Limits, Look, Worker};
use super::slot::Slot;
use crate::detect::excuse::{self, Place};
use crate::detect::{blocked, slow_poll};
use crate::report::{Doing, Live};

/// What is remembered of them.
#[derive(Default)]
pub(super) struct Workers {
    each: Vec<(Worker, Option<Live>)>,
    /// Threads of the runtime that do something else than run a worker, by their slot.
    others: HashSet<usize>,
    /// When one was last asked for that is not known.
    probed: Option<Duration>,
}

/// How often a runtime is asked which thread runs a worker.
const PROBE_EVERY: Duration = Duration::from_millis(100);

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
        for index in 0..watched.metrics.num_workers() {
            let reading = watched.reading(index);
            if self.each.len() <= index {
                self.each.push((Worker::new(now, reading), None));
            }
            let (worker, seen) = &mut self.each[index];
            let changed = worker.differs_from(reading);
            let mut threads = if changed {
                Vec::new()
            } else {
                watched.threads(slots, index)
            };
            threads.retain(|slot| !self.others.contains(&address(slot)));
            let thread = threads.first().copied();
            if thread.is_none() && self.probed.is_none_or(|at| now >= at + PROBE_EVERY) {
                self.probed = Some(now);
                watched.probe();
            }
            if thread.is_some_and(|slot| polls.has_noted(slot)) {
                worker.start_over(now);
                continue;
            }
            let settings = watched.scope.settings();
            let limits = Limits {
                slow: settings.slow_poll(),
                blocked: settings.blocked,
            };
            let certain = watched.certain().max(limits.slow);
            let had = || sampling::had(thread?);
            let look = worker.look(now, reading, had, limits, certain);
            let name = format!("worker {index}");
            match (look, thread) {
                (Look::Nothing, _) => {}
                (Look::Ended(elapsed, told), _) => {
                    if let Some(live) = seen.take().filter(|_| !told && !excuse::being_debugged()) {
                        slow_poll::report_worker(&watched.scope, &name, elapsed, live);
                    }
                }
                (Look::Sample, Some(slot)) => {
                    if let Some(live) = sample(slot, None, sampling) {
                        worker.saw(live.task);
                    }
                }
                (Look::Blocked(doing), Some(slot)) => {
                    let live = sample(slot, Some(doing), sampling);
                    match live.map_or(Place::Elsewhere, |live| Place::of(&live.stack.frames())) {
                        Place::Poll => *seen = live,
                        Place::MayBlock => {
                            self.others.insert(address(slot));
                            worker.dismiss();
                        }
                        Place::Elsewhere => worker.dismiss(),
                    }
                }
                (Look::Tell(age, again), Some(slot)) => {
                    let doing = seen.and_then(|live| live.doing);
                    if let Some(live) = sample(slot, doing, sampling).or(*seen) {
                        blocked::report_worker(&watched.scope, &name, age, live, again);
                    }
                }
                (Look::Sample | Look::Blocked(_) | Look::Tell(..), None) => {}
            }
        }
    }
}

fn address(slot: &Slot) -> usize {
    std::ptr::from_ref(slot).addr()
}

fn sample(slot: &Slot, doing: Option<Doing>, sampling: &mut Sampling) -> Option<Live> {
    let (live, _) = sampling.sample(slot, slot.outermost.mark())?;
    Some(Live { doing, ..live })
}
