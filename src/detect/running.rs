//! The blocking closures of a runtime that run now: which, and since when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::mode::Scope;
use crate::record::{Object, Record, Step};
use crate::registry;

/// How many sites a report names.
const SITES: usize = 4;

/// The closures that run now.
pub(super) fn in_scope(scope: &Arc<Scope>) -> Vec<Arc<Record>> {
    registry::select(|record| {
        let here = record
            .debug()
            .is_some_and(|debug| Arc::ptr_eq(&debug.scope, scope));
        here && record.object() == Object::BlockingTask
            && record.has(Step::Polled)
            && !record.has(Step::Done)
    })
}

/// Those of one site.
struct Group {
    text: String,
    count: usize,
    longest: Duration,
}

/// How the time is said of one, and of the one of many that has it longest.
pub(super) struct Times(&'static str, &'static str);

pub(super) const CLOSURES: Times = Times("for", "for up to");
pub(super) const TASKS: Times = Times("age", "oldest");

/// What runs, by site, those that are most first, in words.
pub(super) fn by_site(running: &[Arc<Record>], times: &Times) -> String {
    let mut sites: BTreeMap<(&str, u32, u32), Group> = BTreeMap::new();
    for record in running {
        let location = record.site().location();
        let key = (location.file(), location.line(), location.column());
        let group = sites.entry(key).or_insert_with(|| Group {
            text: format!("{} {}", super::subject(record), super::origin(record)),
            count: 0,
            longest: Duration::ZERO,
        });
        group.count += 1;
        if let Some(debug) = record.debug() {
            group.longest = group.longest.max(debug.runs_for());
        }
    }
    let mut groups: Vec<Group> = sites.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.longest)));
    let rest = groups.split_off(groups.len().min(SITES));
    let mut lines: Vec<String> = groups.iter().map(|group| group.words(times)).collect();
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|group| group.count).sum();
        let sites = rest.len();
        lines.push(format!("{count} of {sites} other sites"));
    }
    lines.join("; ")
}

impl Group {
    fn words(&self, times: &Times) -> String {
        let Times(one, many) = times;
        let (text, longest) = (&self.text, clock::human(self.longest));
        match self.count {
            1 => format!("{text} ({one} {longest})"),
            n => format!("{n} × {text} ({many} {longest})"),
        }
    }
}
