//! `lost_waker`: a task waits, and nobody is left who can wake it.
//!
//! Its top future returned `Pending`, it was not woken since that poll began, and no
//! clone of its waker is alive. What waits on anything at all holds one: a channel, a
//! timer, a driver, `FuturesUnordered`, a `LocalSet`, an executor of the program's own.
//! Not reported is
//!
//! - a task that is being polled (it may be in `block_in_place`), was aborted, or is
//!   done; or whose runtime is ending,
//! - a task that is nothing but `std::future::pending()`,
//! - a task whose last poll came by a future that is `.parked()`.
//!
//! It is judged twice, a second apart and with no poll in between: see
//! [`Owner::outlook`](crate::waker::Owner::outlook).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::record::{Debugged, Flag, Object, Record, Step};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::waker::{Outlook, Owner};

const KIND: ReportKind = ReportKind::LostWaker;

/// A task that was lost when it was last looked at.
struct Suspect {
    polls: u64,
    told: bool,
}

/// Those that were lost at the last look, by their numbers.
#[derive(Default)]
pub(super) struct Suspects(HashMap<u64, Suspect>);

impl Suspects {
    /// These are lost at this one.
    pub(super) fn judge(&mut self, lost: &[Arc<Record>]) {
        let mut before = std::mem::take(&mut self.0);
        let mut parked = None;
        for record in lost {
            let Some(debug) = record.debug() else {
                continue;
            };
            let polls = polls(debug);
            let mut told = false;
            let seen = before.remove(&debug.number);
            if let Some(seen) = seen.filter(|seen| seen.polls == polls) {
                told = seen.told;
                let parked = parked.get_or_insert_with(Parked::collect);
                if !told && !parked.is_part_of(debug) {
                    report::raise(KIND, Some(record.site()), &record.scope(), || {
                        make(record, debug)
                    });
                    told = true;
                }
            }
            self.0.insert(debug.number, Suspect { polls, told });
        }
    }
}

fn polls(debug: &Debugged) -> u64 {
    debug.tracker.owner().map_or(0, |owner| owner.polls())
}

/// Whether something that was polled, is not being polled and is not done is a task
/// that nobody can wake.
pub(super) fn is_lost(record: &Record, debug: &Debugged, owner: &Owner) -> bool {
    matches!(record.object(), Object::Task | Object::LocalTask)
        && owner.outlook() == Outlook::Lost
        && !record.is(Flag::ABORTED)
        && !debug.scope.is_ending()
        && !is_pending_itself(record.type_name())
}

/// Nobody spawns one of these by mistake.
fn is_pending_itself(type_name: &str) -> bool {
    let pending = ["core::future::pending::", "futures_util::future::pending::"];
    pending.iter().any(|path| type_name.starts_with(path))
}

/// The futures that wait for nothing on purpose, and what polls what.
struct Parked {
    parked: Vec<u64>,
    polled: HashMap<u64, (u64, Tick)>,
}

impl Parked {
    fn collect() -> Parked {
        let is_parked = |record: &Record| record.is(Flag::PARKED) && !record.has(Step::Done);
        let numbers = |record: &Record| record.debug().map(|debug| debug.number);
        let parked = registry::select(is_parked);
        let parked: Vec<u64> = parked.iter().filter_map(|record| numbers(record)).collect();
        let mut polled = HashMap::new();
        if !parked.is_empty() {
            for record in registry::select(|record| record.object().is_part()) {
                if let Some(debug) = record.debug()
                    && let Some(last) = debug.last_polled.load()
                {
                    let around = debug.polled_in.load(std::sync::atomic::Ordering::Relaxed);
                    polled.insert(debug.number, (around, last));
                }
            }
        }
        Parked { parked, polled }
    }

    /// Whether the last poll of a task came by one of them.
    fn is_part_of(&self, task: &Debugged) -> bool {
        let Some(since) = task.last_polled.load().map(Tick::elapsed) else {
            return false;
        };
        // A tick of either clock; and rather one too many.
        let since = since + Duration::from_millis(10);
        self.parked.iter().any(|parked| {
            let mut number = *parked;
            // Futures may have changed places, so that they go round in a circle.
            for _ in 0..=self.polled.len() {
                if number == task.number {
                    return true;
                }
                match self.polled.get(&number) {
                    Some((around, last)) if last.elapsed() <= since => number = *around,
                    _ => return false,
                }
            }
            false
        })
    }
}

fn make(record: &Record, debug: &Debugged) -> Report {
    let waits = debug
        .last_polled
        .load()
        .map(Tick::elapsed)
        .unwrap_or_default();
    let message = format!(
        "{} can never run again: for {} it has been pending with nobody left to wake it ({})",
        super::subject(record),
        clock::human(waits),
        super::origin(record),
    );
    Report::about(record, KIND, message)
        .took(waits)
        .help_with(HELP)
}

const HELP: &str = "a future that returns `Pending` must first wake its waker, or leave a clone of \
     it, of that very poll, with who will wake it; where two wait in one place, the second takes \
     the waker's place of the first; if it is there to wait for nothing, say so by \
     `pending().tracked().parked().await`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_nothing_but_pending() {
        fn name_of<T>(_: &T) -> &'static str {
            std::any::type_name::<T>()
        }
        assert!(is_pending_itself(name_of(&std::future::pending::<u8>())));
        assert!(is_pending_itself(
            name_of(&futures::future::pending::<u8>())
        ));
        assert!(!is_pending_itself(name_of(&async {
            std::future::pending::<u8>().await
        })));
    }
}
