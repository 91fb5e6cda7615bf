//! `starved`: a future was woken, and is not polled, although the task that it is in is.
//!
//! Whoever woke it may have given it what others wait for: a place in a channel, the
//! lock of a mutex. If the task waits for just that now, it waits for itself, and hangs
//! (a *futurelock*): `select!` with `&mut future` whose arm awaits, the body of a loop
//! over a buffered stream, a future that is kept for later.
//!
//! Of what is nested, the outermost that is not polled is to blame: those within it
//! cannot be. Not reported is
//!
//! - a future whose task was not polled either since the wake, is being polled, or was
//!   woken again: it may still come to it (a task that has more to do than it can, a
//!   `FuturesUnordered` that gives way to others),
//! - one whose task can never run again, which is a `lost_waker`,
//! - one that is `.parked()`.
//!
//! It is judged at two looks in a row, between which the runtime could poll what it
//! should: see [`Times`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::living::Times;
use crate::clock::{self, Tick};
use crate::record::{Debugged, Flag, Object, Record, Step};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::waker::{Leaf, Outlook, Owner};

const KIND: ReportKind = ReportKind::Starved;

/// For how long it has not been polled since it was woken.
const LIMIT: Duration = Duration::from_secs(2);

/// From when on it is kept in mind.
const SUSPECT: Duration = Duration::from_millis(500);

/// How many of the leaves that its task waits on are shown.
const SHOWN: usize = 3;

/// Those that may have been starved at the last look, by their numbers.
#[derive(Default)]
pub(super) struct Suspects(HashMap<u64, Suspect>);

struct Suspect {
    polls: u64,
    /// At how many looks in a row.
    looks: u32,
    told: bool,
}

/// Whether something that was polled, is not being polled and is not done may be.
pub(super) fn may_be(record: &Record, debug: &Debugged, owner: &Owner) -> bool {
    record.object() == Object::Future
        && owner.woken().is_some_and(|at| at.elapsed() >= SUSPECT)
        && !record.is(Flag::PARKED)
        && !debug.scope.is_ending()
}

impl Suspects {
    /// These may be at this one.
    pub(super) fn judge(&mut self, woken: &[Arc<Record>], times: &Times) {
        let mut before = std::mem::take(&mut self.0);
        let mut found = Vec::new();
        for record in woken {
            let Some(debug) = record.debug() else {
                continue;
            };
            let Some(owner) = debug.tracker.owner() else {
                continue;
            };
            let polls = owner.polls();
            let seen = before.remove(&debug.number);
            let seen = seen.filter(|seen| seen.polls == polls);
            let (looks, told) = seen.map_or((0, false), |seen| (seen.looks, seen.told));
            let looks = if times.are_good_for(debug) {
                looks + 1
            } else {
                0
            };
            if looks >= 2
                && !told
                && let Some(starved) = Starved::find(record, debug, owner)
            {
                found.push((debug.number, starved));
            }
            self.0.insert(debug.number, Suspect { polls, looks, told });
        }
        let around = alive(found.iter().filter_map(|(_, starved)| starved.within));
        for (number, starved) in found {
            if starved.may_yet_be_polled(&around) {
                continue;
            }
            let record = starved.record;
            report::raise(KIND, Some(record.site()), &record.scope(), || {
                starved.report()
            });
            if let Some(suspect) = self.0.get_mut(&number) {
                suspect.told = true;
            }
        }
    }
}

/// The living that have these numbers. All of it is looked through, so this is done once
/// a look, and only if anybody is asked for.
fn alive(numbers: impl Iterator<Item = u64>) -> HashMap<u64, Arc<Record>> {
    let numbers: HashSet<u64> = numbers.collect();
    let mut found = HashMap::new();
    if !numbers.is_empty() {
        registry::each(|record| {
            if let Some(debug) = record.debug()
                && numbers.contains(&debug.number)
            {
                found.insert(debug.number, Arc::clone(record));
            }
        });
    }
    found
}

struct Starved<'a> {
    record: &'a Record,
    owner: &'a Owner,
    /// How long ago it was woken.
    woken: Duration,
    /// The number of what it was polled in, where that is not its task.
    within: Option<u64>,
    /// What stands for its task.
    task: Arc<Record>,
}

impl<'a> Starved<'a> {
    fn find(record: &'a Record, debug: &Debugged, owner: &'a Owner) -> Option<Starved<'a>> {
        let woken = owner.woken()?.elapsed();
        let under = debug.under.load();
        let task = registry::under(under)?;
        let task_debug = task.debug()?;
        if woken < LIMIT || under.number == debug.number || task.is(Flag::ABORTED) {
            return None;
        }
        // Only one that has come to rest will not come to it of itself.
        if !has_rested_since(&task, woken) || !is_waiting(task_debug) {
            return None;
        }
        let around = debug.polled_in.load(Relaxed);
        Some(Starved {
            record,
            owner,
            woken,
            within: (around != under.number).then_some(around),
            task,
        })
    }

    /// Whether what it was polled in is not polled either. One that is gone, or done, had
    /// handed it on.
    fn may_yet_be_polled(&self, alive: &HashMap<u64, Arc<Record>>) -> bool {
        let around = self.within.and_then(|number| alive.get(&number));
        around
            .is_some_and(|around| !around.has(Step::Done) && !has_rested_since(around, self.woken))
    }

    fn report(&self) -> Report {
        let Starved {
            record,
            owner,
            woken,
            task,
            ..
        } = self;
        let whose = super::subject(task);
        let message = format!(
            "{} was woken {} ago and has not been polled since, although {whose} has, which it \
             is in ({})",
            super::subject(record),
            clock::human(*woken),
            super::origin(record),
        );
        let mut report = Report::about(record, KIND, message)
            .took(*woken)
            .in_task(task.debug().and_then(|debug| debug.task_id.get().copied()))
            .help_with(HELP);
        let own = owner.leaves();
        match owner.woken_in() {
            Some(stack) => report = report.waits("it waited in", stack),
            None => {
                for leaf in own.iter().take(SHOWN) {
                    report = report.waits("it waited in", leaf.stack);
                }
            }
        }
        let is_own = |leaf: &Leaf| own.iter().any(|own| own.is_same(leaf));
        for leaf in leaves_of_last_poll(task) {
            if !is_own(&leaf) {
                report = report.waits(format!("{whose} now waits in"), leaf.stack);
            }
        }
        report
    }
}

/// Whether a poll of it has begun since then, and ended.
fn has_rested_since(record: &Record, ago: Duration) -> bool {
    record.debug().is_some_and(|debug| {
        let last = debug.last_polled.load().map(Tick::elapsed);
        let is_polling = debug.tracker.owner().is_none_or(|owner| owner.is_polling());
        last.is_some_and(|last| last < ago) && !is_polling
    })
}

/// Whether it waits for somebody to wake it.
fn is_waiting(debug: &Debugged) -> bool {
    let rest = debug.last_polled.load().map(Tick::elapsed);
    let owner = debug.tracker.owner().zip(rest);
    owner.is_some_and(|(owner, rest)| owner.outlook_after(rest) == Outlook::Waiting)
}

fn leaves_of_last_poll(task: &Record) -> Vec<Leaf> {
    let owner = task.debug().and_then(|debug| debug.tracker.owner());
    let Some(owner) = owner else {
        return Vec::new();
    };
    let last = owner.polls();
    let mut leaves = owner.leaves();
    leaves.retain(|leaf| leaf.poll == last);
    leaves.truncate(SHOWN);
    leaves
}

const HELP: &str = "what it was woken for is held up with it, and if its task waits for that, \
     both wait for ever: let the arms of a `select!` that has `&mut future`, and the body of a \
     loop over a buffered stream, not await; spawn the future, or poll it on with `join!`; if it \
     is to rest, say so by `.parked()`";
