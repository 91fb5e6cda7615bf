//! `busy`: a task waits by asking again and again.
//!
//! It is polled more than 10 000 times a second, at three looks in a row, because it
//! wakes itself: its polls wake the very waker that they were given, or `yield_now` does
//! so for them. Not reported is
//!
//! - a task that somebody else wakes, however often: one that does its work,
//! - one whose leaves are woken by other parts of it, or that gives way because its budget
//!   is used up: the same,
//! - one that is in a future that is `.slow_ok()`.
//!
//! A `yield_now` is told from what else the runtime wakes by the stack of its leaf. So
//! without await stacks only those are found that wake themselves at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::record::{Debugged, Flag, Object, Record};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::stack::Captured;
use crate::waker::{Owner, Wakes};

const KIND: ReportKind = ReportKind::Busy;

/// More polls a second are many.
const MANY: u64 = 10_000;

/// At so many looks in a row: it goes on for a second at least.
const LOOKS: u32 = 3;

/// Those that were polled often at the last look, by their numbers.
#[derive(Default)]
pub(super) struct Suspects {
    suspects: HashMap<u64, Suspect>,
    /// Whether a stack, by its id, is that of a `yield_now`.
    yields: HashMap<usize, bool>,
}

struct Suspect {
    figures: Figures,
    looks: u32,
    /// Since when it has been one.
    since: Figures,
    lasted: Duration,
    told: bool,
}

#[derive(Clone, Copy)]
struct Figures {
    polls: u64,
    wakes: Wakes,
    busy: Duration,
}

impl Figures {
    fn of(debug: &Debugged, owner: &Owner) -> Figures {
        Figures {
            polls: owner.polls(),
            wakes: owner.wakes(),
            busy: debug.busy(),
        }
    }
}

/// What a task did between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    AtOnce,
    /// By itself, if it only yields.
    ByAnother,
    Mixed,
}

fn woken(before: &Figures, now: &Figures) -> Woken {
    let polls = now.polls.saturating_sub(before.polls);
    let at_once = now.wakes.at_once.saturating_sub(before.wakes.at_once);
    let by_another = now.wakes.by_another.saturating_sub(before.wakes.by_another);
    if at_once > polls / 2 && by_another <= polls / 100 {
        Woken::AtOnce
    } else if by_another > polls / 2 {
        Woken::ByAnother
    } else {
        Woken::Mixed
    }
}

fn is_often(polls: u64, interval: Duration) -> bool {
    polls as f64 > MANY as f64 * interval.as_secs_f64()
}

/// Whether something was polled often since the last look. To be asked at each.
pub(super) fn may_be(record: &Record, debug: &Debugged, interval: Duration) -> bool {
    if !matches!(
        record.object(),
        Object::Task | Object::LocalTask | Object::Root
    ) {
        return false;
    }
    let polls = debug.polls() as u32;
    let before = debug.looked_at.swap(polls, Relaxed);
    is_often(polls.wrapping_sub(before).into(), interval) && !record.is(Flag::ABORTED)
}

impl Suspects {
    /// These may be at this look.
    pub(super) fn judge(&mut self, often: &[Arc<Record>], interval: Duration) {
        let mut before = std::mem::take(&mut self.suspects);
        for record in often {
            let Some(debug) = record.debug() else {
                continue;
            };
            let Some(owner) = debug.tracker.owner() else {
                continue;
            };
            let now = Figures::of(debug, owner);
            let mut suspect = before.remove(&debug.number).unwrap_or(Suspect {
                figures: now,
                looks: 0,
                since: now,
                lasted: Duration::ZERO,
                told: false,
            });
            let is_first = suspect.looks == 0;
            if is_first || self.wakes_itself(&suspect.figures, &now, owner) {
                suspect.looks += 1;
                suspect.lasted += if is_first { Duration::ZERO } else { interval };
                suspect.figures = now;
                if suspect.looks >= LOOKS && !suspect.told && !is_lenient(debug) {
                    suspect.told = true;
                    report::raise(KIND, Some(record.site()), &record.scope(), || {
                        suspect.report(record, owner)
                    });
                }
                self.suspects.insert(debug.number, suspect);
            }
        }
    }

    fn wakes_itself(&mut self, before: &Figures, now: &Figures, owner: &Owner) -> bool {
        match woken(before, now) {
            Woken::AtOnce => true,
            // A sample: what it was woken from last. Nobody but the runtime wakes what
            // yields; on a worker it does so in the name of the worker's own task.
            Woken::ByAnother => self.is_yield(owner.last_woken_in()),
            Woken::Mixed => false,
        }
    }

    fn is_yield(&mut self, stack: Captured) -> bool {
        let known = self.yields.entry(stack.id());
        *known.or_insert_with(|| {
            let called = stack.resolve_awaits().called;
            called.is_some_and(|called| called.contains("yield_now"))
        })
    }
}

/// Whether a future that may take its time is in a task, and was polled just now.
fn is_lenient(task: &Debugged) -> bool {
    let in_it = |record: &Record| {
        record.debug().is_some_and(|debug| {
            let last = debug.last_polled.load().map(Tick::elapsed);
            debug.has_own_threshold()
                && debug.under.number() == task.number
                && last.is_some_and(|last| last < Duration::from_secs(1))
        })
    };
    !registry::select(in_it).is_empty()
}

impl Suspect {
    fn report(&self, record: &Record, owner: &Owner) -> Report {
        let polls = self.figures.polls.saturating_sub(self.since.polls);
        let busy = self.figures.busy.saturating_sub(self.since.busy);
        let message = format!(
            "{} wakes itself all the time: {polls} polls in {}, which took {} ({})",
            super::subject(record),
            clock::human(self.lasted),
            clock::human(busy),
            super::origin(record),
        );
        let report = Report::about(record, KIND, message)
            .took(busy)
            .help_with(HELP);
        if woken(&self.since, &self.figures) == Woken::AtOnce {
            report
        } else {
            report.waits("it yields in", owner.last_woken_in())
        }
    }
}

const HELP: &str = "it takes a processor while it has nothing to do: wait for what it asks for \
     (a channel, a `Notify`, a timer), or sleep between two tries; if it computes, and yields \
     so often on purpose, say so by `.slow_ok(duration)` on the future in it that does";

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(polls: u64, by_itself: u64, at_once: u64, by_another: u64) -> Figures {
        Figures {
            polls,
            wakes: Wakes {
                by_itself,
                at_once,
                by_another,
            },
            busy: Duration::ZERO,
        }
    }

    #[test]
    fn who_wakes_it() {
        let before = figures(5, 5, 5, 5);
        let woken = |now| woken(&before, &now);
        assert_eq!(woken(figures(20_005, 20_005, 20_005, 5)), Woken::AtOnce);
        assert_eq!(woken(figures(20_005, 5, 5, 20_005)), Woken::ByAnother);
        // By another part of it.
        assert_eq!(woken(figures(20_005, 20_005, 5, 5)), Woken::Mixed);
        // By itself, and by what it works for.
        assert_eq!(woken(figures(20_005, 15_005, 15_005, 5_005)), Woken::Mixed);
    }

    #[test]
    fn often_is_by_the_second() {
        assert!(is_often(10_001, Duration::from_secs(1)));
        assert!(!is_often(10_001, Duration::from_secs(2)));
        assert!(!is_often(9_999, Duration::from_secs(1)));
    }
}
