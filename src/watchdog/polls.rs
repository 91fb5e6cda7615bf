//! The tracked polls in progress.

use std::collections::HashMap;
use std::time::Duration;

use super::sampling::{self, Sampling};
use super::scan::{self, Done, Had, Limits, Next};
use super::slot::{Level, Shown, Slot, Worker};
use super::{Taken, stalls};
use crate::clock::{self, Tick};
use crate::detect::blocked;
use crate::record::{Object, Record};
use crate::registry;
use crate::report::{Doing, Live};

/// What is remembered of the polls that were in progress at the last look.
#[derive(Default)]
pub(super) struct Polls {
    /// By the address of their slot's level and what it showed.
    known: HashMap<(usize, Shown), Known>,
}

/// A poll younger than this is none of our business yet.
const YOUNG: Duration = Duration::from_millis(2);

/// So much must pass to tell what a thread does by what it had.
const ENOUGH: Duration = Duration::from_millis(5);

struct Known {
    slot: &'static Slot,
    shown: Shown,
    /// What the outermost level showed, which may be the same.
    outer: Shown,
    done: Done,
    /// What the thread had had, when the poll had run for so long.
    noted: Option<(Duration, Had)>,
    /// For how long it has waited for a processor.
    queued: Duration,
    seen: bool,
}

impl Known {
    fn new(slot: &'static Slot, shown: Shown, outer: Shown) -> Known {
        Known {
            slot,
            shown,
            outer,
            done: Done::default(),
            noted: None,
            queued: Duration::ZERO,
            seen: true,
        }
    }

    /// Whether the poll is in progress still, as far as can be seen: another may have
    /// begun within it.
    fn may_go_on(&self) -> bool {
        let is_done_with = self.done.sampled || self.done.told > 0;
        self.seen || is_done_with && self.slot.outermost.shown() == self.outer
    }
}

impl Polls {
    /// Looks at the polls in progress. Gives whether there are any, and when one of
    /// them will call for something. `stands_still`: whether a worker is at one thing
    /// since the last look.
    pub(super) fn look(
        &mut self,
        slots: &[&'static Slot],
        sampling: &mut Sampling,
        stands_still: &dyn Fn(Worker) -> bool,
    ) -> (bool, Option<Duration>) {
        self.known.values_mut().for_each(|known| known.seen = false);
        let mut next: Option<Duration> = None;
        let mut any = false;
        for slot in slots {
            let outer = slot.outermost.shown();
            if outer.start().is_none() {
                continue;
            }
            any = true;
            let inner = slot.innermost.shown();
            let waits = [
                self.look_at(
                    slot,
                    &slot.innermost,
                    [inner, outer],
                    None,
                    sampling,
                    stands_still,
                ),
                // What the innermost may take, those around it may.
                if inner.start().is_some() && inner.is_lenient() {
                    None
                } else {
                    self.look_at(
                        slot,
                        &slot.outermost,
                        [outer, outer],
                        Some(inner),
                        sampling,
                        stands_still,
                    )
                },
            ];
            next = waits.into_iter().flatten().chain(next).min();
        }
        self.known.retain(|_, known| known.may_go_on());
        (any, next)
    }

    /// Looks at one of them. Gives when it will call for something. `within`: the poll
    /// within it, if one is in progress, whose time is not its own.
    fn look_at(
        &mut self,
        slot: &'static Slot,
        level: &'static Level,
        [shown, outer]: [Shown; 2],
        within: Option<Shown>,
        sampling: &mut Sampling,
        stands_still: &dyn Fn(Worker) -> bool,
    ) -> Option<Duration> {
        let start = shown.start()?;
        if start.elapsed() < YOUNG {
            return None;
        }
        let key = (std::ptr::from_ref(level).addr(), shown);
        let new = || Known::new(slot, shown, outer);
        let known = self.known.entry(key).or_insert_with(new);
        known.seen = true;
        loop {
            let of_others = within.map_or(Duration::ZERO, |within| age(slot, within));
            let age = age(slot, shown).saturating_sub(of_others + known.queued);
            let record = registry::at(shown.place());
            // It ended meanwhile, and its record went.
            let (record, limits) =
                record.and_then(|record| Some((record.clone(), limits(&record)?)))?;
            match scan::poll(age, known.done, limits) {
                Next::Wait(wait) => return Some(wait),
                Next::Note => {
                    known.done.noted = true;
                    known.noted = sampling::had(slot).map(|had| (age, had));
                    if let Some((_, had)) = known.noted {
                        level.note(shown, had.queued);
                    }
                }
                Next::Sample | Next::Tell if known.waited_more(slot) => {}
                Next::Sample => {
                    known.done.sampled = true;
                    known.take(slot, level, age, sampling);
                }
                Next::Tell => {
                    known.done.told += 1;
                    known.done.sampled = true;
                    // Whoever ends the poll meanwhile waits, to see if it is told.
                    let _mind = level.taken();
                    let live = known.sample(slot, level, age, sampling);
                    if holds_others_up(slot, &record, live.is_some(), stands_still) {
                        known.tell(slot, level, age, live, &record);
                    }
                }
            }
        }
    }
}

/// Whether a thread has not left its worker to another, by `block_in_place`. If that is
/// not known, its stack may show it; if there is none, the poll tells when it ends.
fn holds_others_up(
    slot: &Slot,
    record: &Record,
    is_seen: bool,
    stands_still: &dyn Fn(Worker) -> bool,
) -> bool {
    match slot.worker() {
        Some(worker) if worker.index.is_some() => stands_still(worker),
        Some(_) => is_seen,
        None => is_seen || record.object() == Object::Root,
    }
}

/// How long a poll has been in progress, less what has been told of or was allowed in
/// it, and the times in which the process stood still.
fn age(slot: &Slot, shown: Shown) -> Duration {
    shown.start().map_or(Duration::ZERO, |start| {
        let elapsed = start.elapsed();
        let excused = slot.excused_since(shown);
        elapsed.saturating_sub(excused + stalls::known_since(start))
    })
}

fn limits(record: &Record) -> Option<Limits> {
    let debug = record.debug()?;
    Some(Limits {
        slow: debug.slow_poll(),
        blocked: debug.scope.settings().blocked,
    })
}

impl Known {
    /// Whether it has waited for a processor since that was last asked, by so much that it
    /// may be too young for what is to be done. If it was not noted, that is not known.
    fn waited_more(&mut self, slot: &Slot) -> bool {
        let Some(start) = self.shown.start() else {
            return false;
        };
        let queued = slot.queued_since(start);
        let is_more = queued > self.queued + Duration::from_millis(1);
        self.queued = queued;
        is_more
    }

    /// Takes the stack, if the poll still runs, and leaves it for the poll to find.
    fn take(&self, slot: &Slot, level: &Level, age: Duration, sampling: &mut Sampling) {
        // Whoever ends the poll meanwhile waits for it.
        let mut taken = level.taken();
        if let Some(live) = self.sample(slot, level, age, sampling) {
            let at = clock::tick();
            *taken = Some(Taken { at, live });
        }
    }

    fn sample(
        &self,
        slot: &Slot,
        level: &Level,
        age: Duration,
        sampling: &mut Sampling,
    ) -> Option<Live> {
        let since_noted = self.noted.and_then(|(since, before)| {
            let had = sampling::had(slot)?;
            let cpu = had.cpu.saturating_sub(before.cpu);
            let queued = had.queued.saturating_sub(before.queued);
            let passed = (age + self.queued).saturating_sub(since);
            (passed >= ENOUGH).then(|| scan::doing(passed, cpu, queued))
        });
        // Both must say so: where the processor is shared with other machines, the
        // figures of a thread that computes may be small.
        let doing = match since_noted {
            Some(Doing::Computing) => since_noted,
            Some(Doing::Waiting) | None => sampling::doing_now(slot),
        };
        let (live, mark) = sampling.sample(slot, level.mark())?;
        let is_it = Some(mark) == self.shown.start().map(Tick::to_bits);
        is_it.then_some(Live { doing, ..live })
    }

    fn tell(&self, slot: &Slot, level: &Level, age: Duration, live: Option<Live>, record: &Record) {
        // Ended meanwhile: it tells by itself.
        if level.shown() != self.shown {
            return;
        }
        if let Some(start) = self.shown.start() {
            slot.set_told(start);
        }
        let again = self.done.told > 1;
        blocked::report(record, age, live, again);
    }
}
