//! Findings that are not sure yet: each waits for its time, and is then asked
//! whether it still stands.

use std::collections::HashMap;

use super::{Report, ReportKind};
use crate::clock::Instant;
use crate::site::Site;

/// How long a deferred finding may be left unjudged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Until {
    /// Till its time, or the next flush.
    Grace,
    /// Till its time, or the end of its runtime or of the program.
    End,
}

/// A finding to be judged later.
pub(crate) struct Deferred {
    /// The report, should it come to that.
    pub(crate) report: Report,
    pub(crate) due: Instant,
    pub(crate) until: Until,
    /// Whether it still stands.
    pub(crate) stands: Box<dyn Fn() -> bool + Send>,
}

/// A deferred finding, and how many of its like there are.
pub(super) struct Pending {
    pub(super) deferred: Deferred,
    pub(super) count: u64,
}

/// What is like it: a finding of that kind, site and scope.
pub(super) type Key = (ReportKind, usize, u64);

pub(super) fn key(kind: ReportKind, site: &'static Site, scope: u64) -> Key {
    (kind, std::ptr::from_ref(site).addr(), scope)
}

/// How many findings wait apiece; past that they are lost, and counted.
const LIMIT: usize = 10_000;

#[derive(Default)]
pub(super) struct Grace {
    alike: HashMap<Key, Pending>,
    apiece: Vec<Deferred>,
}

impl Grace {
    /// Counts one more of its like, if one is waiting.
    pub(super) fn count(&mut self, key: Key) -> bool {
        self.alike
            .get_mut(&key)
            .map(|pending| pending.count += 1)
            .is_some()
    }

    /// Adds the first of its like. Returns what has to be dropped with no lock
    /// held.
    pub(super) fn add(&mut self, key: Key, deferred: Deferred) -> Option<Pending> {
        let count = 1 + self.alike.get(&key).map_or(0, |pending| pending.count);
        self.alike.insert(key, Pending { deferred, count })
    }

    /// Adds one that is like no other; gives it back if there is no room.
    pub(super) fn add_apart(&mut self, deferred: Deferred) -> Option<Deferred> {
        if self.apiece.len() >= LIMIT {
            return Some(deferred);
        }
        self.apiece.push(deferred);
        None
    }

    /// What is to be judged now: what is due, and what this flush calls for.
    pub(super) fn take(&mut self, now: Instant, flush: &[Flush]) -> Vec<Pending> {
        let due = |deferred: &Deferred| {
            deferred.due <= now || flush.iter().any(|flush| flush.calls_for(deferred))
        };
        let alike = self
            .alike
            .extract_if(|_, pending| due(&pending.deferred))
            .map(|(_, p)| p);
        let mut taken: Vec<Pending> = alike.collect();
        let apiece = self.apiece.extract_if(.., |deferred| due(deferred));
        taken.extend(apiece.map(|deferred| Pending { deferred, count: 1 }));
        taken.sort_by_key(|pending| pending.deferred.due);
        taken
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let alike = self.alike.values().map(|pending| pending.deferred.due);
        alike
            .chain(self.apiece.iter().map(|deferred| deferred.due))
            .min()
    }
}

/// A flush that somebody waits for.
pub(super) struct Flush {
    pub(super) until: Until,
    /// Only the findings of that scope; `None`: all.
    pub(super) scope: Option<u64>,
}

impl Flush {
    fn calls_for(&self, deferred: &Deferred) -> bool {
        deferred.until <= self.until
            && self
                .scope
                .is_none_or(|scope| scope == deferred.report.scope.id())
    }
}
