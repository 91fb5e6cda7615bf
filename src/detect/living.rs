//! One look over all that is alive, once a second, for every finding that is about what
//! does *not* happen: nobody calls us then.
//!
//! A look goes over the records once, under the registry's locks, and keeps those that
//! may be of interest; they are judged afterwards.

use std::collections::HashSet;
use std::sync::{Arc, Once};
use std::time::Duration;

use super::{busy, lost_waker, never_polled, starved, unjoined_results};
use crate::clock::{self, Tick};
use crate::record::{Debugged, Record, Step};
use crate::registry;
use crate::report;

const EVERY: Duration = Duration::from_secs(1);

/// A look that comes so much later than planned says that this process, or the machine,
/// has more to do than it can.
const LATE: Duration = Duration::from_millis(500);

/// What was going on when a look was taken.
pub(super) struct Times {
    /// Since the last look.
    interval: Duration,
    /// This thread ran when it should have.
    calm: bool,
    /// The runtimes with a poll in progress that is slow by now. Others of their tasks
    /// may have to wait for its end.
    blocked: HashSet<u64>,
}

impl Times {
    /// Whether the runtime of a thing is able to poll what it should.
    pub(super) fn are_good_for(&self, debug: &Debugged) -> bool {
        self.calm && !self.blocked.contains(&debug.scope.id())
    }
}

#[derive(Default)]
struct Looks {
    busy: busy::Suspects,
    lost: lost_waker::Suspects,
    starved: starved::Suspects,
}

/// Looks at the living, as long as the process runs.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let mut looks = Looks::default();
        let mut last = clock::now();
        let mut due = last + EVERY;
        report::every(EVERY, move || {
            let start = clock::now();
            let calm = start.saturating_duration_since(due) < LATE;
            let took = looks.look(start - std::mem::replace(&mut last, start), calm);
            // A hundredth of one core at most, however much is alive.
            let next = EVERY.max(took * 100);
            due = clock::now() + next;
            Some(next)
        });
    });
}

impl Looks {
    /// Gives how long it took to look. To judge may load symbols, which is done once.
    fn look(&mut self, interval: Duration, calm: bool) -> Duration {
        let start = clock::now();
        let mut times = Times {
            interval,
            calm,
            blocked: HashSet::new(),
        };
        let mut seen = Seen::default();
        registry::each(|record| {
            if let Some(debug) = record.debug() {
                seen.sort(record, debug, &mut times);
            }
        });
        let took = start.elapsed();
        never_polled::judge(&seen.forgotten);
        self.busy.judge(&seen.busy, times.interval);
        self.lost.judge(&seen.lost);
        self.starved.judge(&seen.starved, &times);
        unjoined_results::look();
        took
    }
}

/// What may be of interest.
#[derive(Default)]
struct Seen {
    forgotten: Vec<Arc<Record>>,
    busy: Vec<Arc<Record>>,
    lost: Vec<Arc<Record>>,
    starved: Vec<Arc<Record>>,
}

impl Seen {
    /// Under a lock of the registry's.
    fn sort(&mut self, record: &Arc<Record>, debug: &Debugged, times: &mut Times) {
        if !record.has(Step::Polled) {
            if never_polled::may_be_forgotten(record, debug) {
                self.forgotten.push(Arc::clone(record));
            }
            return;
        }
        if record.has(Step::Done) {
            return;
        }
        let Some(owner) = debug.tracker.owner() else {
            return;
        };
        if busy::may_be(record, debug, times.interval) {
            self.busy.push(Arc::clone(record));
        }
        if owner.is_polling() {
            let since = debug.last_polled.load().map(Tick::elapsed);
            if since.is_some_and(|since| since >= debug.slow_poll()) {
                times.blocked.insert(debug.scope.id());
            }
            return;
        }
        if lost_waker::is_lost(record, debug, owner) {
            self.lost.push(Arc::clone(record));
        } else if starved::may_be(record, debug, owner) {
            self.starved.push(Arc::clone(record));
        }
    }
}
