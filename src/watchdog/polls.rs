//! The tracked polls in progress.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::sampling::{self, Sampling};
use super::scan::{self, Done, Had, Limits, Next};
use super::slot::{Level, Shown, Slot};
use super::{Taken, stalls};
use crate::clock;
use crate::detect::blocked;
use crate::record::Record;
use crate::registry;
use crate::report::Live;

/// What is remembered of the polls that were in progress at the last look.
#[derive(Default)]
pub(super) struct Polls {
    /// By the address of their slot's level.
    known: HashMap<usize, Known>,
}

/// A poll younger than this is none of our business yet.
const YOUNG: Duration = Duration::from_millis(2);

struct Known {
    shown: Shown,
    done: Done,
    /// What the thread had had, when the poll had run for so long.
    noted: Option<(Duration, Had)>,
    seen: bool,
}

impl Known {
    fn new(shown: Shown) -> Known {
        Known {
            shown,
            done: Done::default(),
            noted: None,
            seen: true,
        }
    }
}

impl Polls {
    /// Looks at the polls in progress. Gives whether there are any, and when one of
    /// them will call for something.
    pub(super) fn look(
        &mut self,
        slots: &[&'static Slot],
        sampling: &mut Sampling,
    ) -> (bool, Option<Duration>) {
        self.known.values_mut().for_each(|known| known.seen = false);
        let mut next: Option<Duration> = None;
        let mut any = false;
        for slot in slots {
            let inner = slot.innermost.shown();
            let outer = slot.outermost.shown();
            any |= outer.start().is_some();
            let waits = [
                self.look_at(slot, &slot.innermost, inner, sampling),
                // What the innermost may take, those around it may.
                if inner.start().is_some() && inner.is_lenient() {
                    None
                } else {
                    self.look_at(slot, &slot.outermost, outer, sampling)
                },
            ];
            next = waits.into_iter().flatten().chain(next).min();
        }
        self.known.retain(|_, known| known.seen);
        (any, next)
    }

    /// Looks at one of them. Gives when it will call for something.
    fn look_at(
        &mut self,
        slot: &'static Slot,
        level: &'static Level,
        shown: Shown,
        sampling: &mut Sampling,
    ) -> Option<Duration> {
        let start = shown.start()?;
        let key = std::ptr::from_ref(level).addr();
        let known = self.known.entry(key).or_insert_with(|| Known::new(shown));
        if known.shown != shown {
            *known = Known::new(shown);
        }
        known.seen = true;
        loop {
            if start.elapsed() < YOUNG {
                return None;
            }
            let age = start.elapsed().saturating_sub(stalls::known_since(start));
            let record = registry::at(shown.place());
            // It ended meanwhile, and its record went.
            let (record, limits) =
                record.and_then(|record| Some((record.clone(), limits(&record)?)))?;
            match scan::poll(age, known.done, limits) {
                Next::Wait(wait) => return Some(wait),
                Next::Note => {
                    known.done.noted = true;
                    known.noted = sampling::had(slot).map(|had| (age, had));
                }
                Next::Sample => {
                    known.done.sampled = true;
                    known.take(slot, level, age, sampling);
                }
                Next::Tell => {
                    known.done.told += 1;
                    known.done.sampled = true;
                    known.tell(slot, level, age, sampling, &record);
                }
            }
        }
    }

    /// Whether a poll is in progress in a slot that has been noted as taking long.
    pub(super) fn has_noted(&self, slot: &Slot) -> bool {
        [&slot.outermost, &slot.innermost]
            .iter()
            .filter_map(|level| self.known.get(&std::ptr::from_ref(*level).addr()))
            .any(|known| known.done.noted || known.done.sampled)
    }
}

fn limits(record: &Record) -> Option<Limits> {
    let debug = record.debug()?;
    Some(Limits {
        slow: debug.slow_poll(),
        blocked: debug.scope.settings().blocked,
    })
}

impl Known {
    /// Takes the stack, if the poll still runs, and leaves it for the poll to find.
    fn take(&self, slot: &Slot, level: &Level, age: Duration, sampling: &mut Sampling) {
        // Whoever ends the poll meanwhile waits for it.
        let mut taken = slot.taken();
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
            Some(scan::doing(age.saturating_sub(since), cpu, queued))
        });
        let doing = since_noted.or_else(|| sampling::doing_now(slot));
        let (live, mark) = sampling.sample(slot, level.mark())?;
        let is_it = Some(mark) == self.shown.start().map(clock::Tick::to_bits);
        is_it.then_some(Live { doing, ..live })
    }

    fn tell(
        &self,
        slot: &Slot,
        level: &Level,
        age: Duration,
        sampling: &mut Sampling,
        record: &Arc<Record>,
    ) {
        let live = self.sample(slot, level, age, sampling);
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
