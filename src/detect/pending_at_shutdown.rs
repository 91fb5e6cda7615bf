//! `pending_at_shutdown`: what was left when main returned.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Acquire;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::Level;

use crate::clock;
use crate::mode::Scope;
use crate::record::{Flag, Object, Record, Step};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::stack::Captured;

const RUNNING: &str = "a closure of `spawn_blocking` that has begun runs on, and the runtime \
     waits for it unless it is shut down in the background or with a timeout";

/// The tasks of one site that were left.
#[derive(Debug, Default)]
struct Left {
    name: String,
    tasks: u64,
    unpolled: u64,
    /// None of the site was ever polled. (One that is spawned in the last poll of main
    /// is not, however well all is; nor may be one that nobody wrapped, of which nobody
    /// saw whether it was aborted.)
    forgotten: bool,
    oldest: Duration,
    polls: u64,
    /// Where one of them waits: the leaf that is waited on for longest, and how long.
    waits: Option<(Duration, Captured)>,
}

/// For how many sites a report says where one of their tasks waits.
const WAITS: usize = 8;

/// The tasks that a runtime leaves, by site.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    sites: BTreeMap<(&'static str, u32, u32), Left>,
    /// How many of them are calls that may block and have begun.
    running: u64,
    /// There were more, which cannot be told.
    is_partial: bool,
}

/// What runtimes that are ending have left so far, by scope. Production keeps no
/// list of what is alive: there it is the drops that tell.
static LEFT: Mutex<BTreeMap<u64, Summary>> = Mutex::new(BTreeMap::new());

/// A task that was aborted is dropped when the runtime comes to it. One that is not
/// wrapped may have been joined before its last poll is over.
fn has_ended(record: &Record) -> bool {
    let in_poll = record
        .debug()
        .is_some_and(|debug| debug.in_poll.load(Acquire));
    record.has(Step::Done) || record.is(Flag::ABORTED) || in_poll
}

/// A task was dropped before its end, by a runtime that ends.
pub(crate) fn dropped(record: &Record, scope: &Scope) {
    // A runtime that did not wait for its workers drops some tasks too late to tell.
    if has_ended(record) || scope.is_closed() {
        return;
    }
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.entry(scope.id()).or_default().add(record);
}

/// What a runtime that has ended dropped. If it did not wait for its workers, it had
/// `alive` tasks, some of which they may drop too late to tell.
pub(crate) fn dropped_by(scope: &Scope, alive: usize) -> Summary {
    scope.close();
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left = left.remove(&scope.id()).unwrap_or_default();
    left.is_partial = left.total() < alive as u64;
    left
}

/// What a runtime still has, in debug mode.
pub(crate) fn alive_in(scope: &Arc<Scope>) -> Summary {
    let left = registry::select(|record| {
        let here = record
            .debug()
            .is_some_and(|debug| Arc::ptr_eq(&debug.scope, scope));
        here && record.object().is_task() && !has_ended(record)
    });
    let mut summary = Summary::default();
    left.iter().for_each(|record| summary.add(record));
    summary
}

impl Summary {
    /// Adds a task that has not ended.
    pub(crate) fn add(&mut self, record: &Record) {
        let location = record.site().location();
        let key = (location.file(), location.line(), location.column());
        let left = self.sites.entry(key).or_insert_with(|| Left {
            name: super::subject(record),
            forgotten: record.object() != Object::UnwrappedTask && !record.site().polled(),
            ..Left::default()
        });
        left.tasks += 1;
        if record.object() == Object::BlockingTask && record.has(Step::Polled) {
            self.running += 1;
        }
        left.unpolled += u64::from(!record.has(Step::Polled));
        if let Some(debug) = record.debug() {
            left.oldest = left.oldest.max(debug.age());
            left.polls += debug.polls();
            let owner = debug.tracker.owner();
            let leaves = owner.map_or_else(Vec::new, |owner| owner.leaves());
            let waits = leaves
                .into_iter()
                .map(|leaf| (leaf.since.elapsed(), leaf.stack))
                .max_by_key(|(waiting, _)| *waiting);
            let longer = |(waiting, _): &(Duration, _)| {
                left.waits.is_none_or(|(longest, _)| *waiting > longest)
            };
            left.waits = waits.filter(longer).or(left.waits);
        }
    }

    /// Reports what was left, if anything was: `unseen` tasks more were not ours.
    pub(crate) fn report(&self, scope: &Arc<Scope>, unseen: usize) {
        // A task that has just been joined may still count as alive, so those that
        // are not ours are no reason to say anything.
        if self.sites.is_empty() {
            return;
        }
        let kind = ReportKind::PendingAtShutdown;
        let level = if self.sites.values().any(|left| left.forgotten) {
            Level::WARN
        } else {
            kind.level()
        };
        report::raise_at(level, kind, None, scope, || {
            let report = Report::new(kind, scope, self.text(unseen)).help_with(self.help());
            let mut waits: Vec<_> = self.sites.values().filter_map(Left::waits).collect();
            waits.sort_by_key(|(waiting, ..)| Reverse(*waiting));
            let waits = waits.into_iter().take(WAITS);
            waits.fold(report, |report, (_, of, stack)| report.waits(of, stack))
        });
    }

    fn total(&self) -> u64 {
        self.sites.values().map(|left| left.tasks).sum()
    }

    fn help(&self) -> String {
        let fate = match self.running {
            0 => "they were dropped where they stood".to_owned(),
            n if n == self.total() => RUNNING.to_owned(),
            _ => format!("the others were dropped where they stood; {RUNNING}"),
        };
        format!(
            "{fate}: await their handles, or tell them to stop and wait for it, before main returns"
        )
    }

    fn text(&self, unseen: usize) -> String {
        let total = self.total() + unseen as u64;
        let least = if self.is_partial { "at least " } else { "" };
        let were = if total == 1 { " was" } else { "s were" };
        let mut lines: Vec<String> = self
            .sites
            .iter()
            .map(|((file, line, column), left)| {
                format!("{} spawned at {file}:{line}:{column}", left.text())
            })
            .collect();
        if unseen > 0 {
            lines.push(format!("{unseen} not tracked"));
        }
        format!(
            "{least}{total} task{were} still pending at shutdown: {}",
            lines.join("; ")
        )
    }
}

impl Left {
    fn waits(&self) -> Option<(Duration, String, Captured)> {
        let (waiting, stack) = self.waits?;
        let one = if self.tasks == 1 { "" } else { "one of " };
        Some((waiting, format!("{one}{} waited in", self.name), stack))
    }

    fn text(&self) -> String {
        let Left {
            name,
            tasks,
            unpolled,
            oldest,
            polls,
            forgotten: _,
            waits: _,
        } = self;
        let times = if *tasks == 1 {
            String::new()
        } else {
            format!("{tasks} × ")
        };
        let mut facts = Vec::new();
        if *unpolled > 0 && *tasks == 1 {
            facts.push("never polled".to_owned());
        } else if *unpolled > 0 {
            facts.push(format!("{unpolled} never polled"));
        }
        if *oldest > Duration::ZERO {
            let oldest = clock::human(*oldest);
            facts.push(if *tasks == 1 {
                format!("age {oldest}")
            } else {
                format!("oldest {oldest}")
            });
            facts.push(format!("polls {polls}"));
        }
        let facts = if facts.is_empty() {
            String::new()
        } else {
            format!(" ({})", facts.join(", "))
        };
        format!("{times}{name}{facts}")
    }
}
