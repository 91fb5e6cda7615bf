//! `unjoined_results`: a `JoinSet` keeps the results of its tasks, and nobody takes them.
//!
//! A set that is only spawned into grows for ever. It is told once of a set of which 1 000
//! results or more have waited for 60 s. Results are taken about in the order in which
//! they came, so of those that were there 60 s ago, what was not taken since is left: a
//! set with many results that are taken all the time is silent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::mode::Scope;
use crate::record::{Record, Results};
use crate::report::{self, Report, ReportKind};
use crate::site::Site;

const KIND: ReportKind = ReportKind::UnjoinedResults;

/// So many results are many.
const MANY: u64 = 1_000;

/// For so long.
const LONG: Duration = Duration::from_secs(60);

/// A set that is looked at.
struct Set {
    results: Weak<Results>,
    /// The first task of it, and what is known of that for longer than its result is
    /// kept.
    first: Weak<Record>,
    site: &'static Site,
    scope: Arc<Scope>,
    history: History,
    told: bool,
}

/// How many had finished, at each look at which there were many; oldest first.
#[derive(Default)]
struct History(VecDeque<(Instant, u64)>);

/// The sets that live. Only the reporter's thread holds it for long.
static SETS: Mutex<Vec<Set>> = Mutex::new(Vec::new());

fn sets() -> MutexGuard<'static, Vec<Set>> {
    SETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those of a set in which `first` was spawned.
pub(crate) fn watch(first: &Arc<Record>) -> Arc<Results> {
    let results = Arc::new(Results::default());
    let set = Set {
        results: Arc::downgrade(&results),
        first: Arc::downgrade(first),
        site: first.site(),
        scope: first.scope(),
        history: History::default(),
        told: false,
    };
    sets().push(set);
    results
}

impl History {
    /// How many results have waited for long, if they are many.
    fn look(&mut self, now: Instant, finished: u64, joined: u64) -> Option<u64> {
        if finished.saturating_sub(joined) < MANY {
            self.0.clear();
            return None;
        }
        self.0.push_back((now, finished));
        let mut left = 0;
        while let Some((at, finished)) = self.0.front()
            && now.saturating_duration_since(*at) >= LONG
        {
            left = finished.saturating_sub(joined);
            self.0.pop_front();
        }
        (left >= MANY).then_some(left)
    }
}

/// Looks at every set there is.
pub(super) fn look() {
    let mut found = Vec::new();
    let gone: Vec<Set> = sets()
        .extract_if(.., |set| match set.results.upgrade() {
            Some(results) => {
                let (finished, joined) = results.counts();
                if let Some(left) = set.history.look(clock::now(), finished, joined)
                    && !std::mem::replace(&mut set.told, true)
                {
                    found.push((set.first.clone(), set.site, Arc::clone(&set.scope), left));
                }
                false
            }
            None => true,
        })
        .collect();
    drop(gone);
    for (first, site, scope, left) in found {
        report(first.upgrade().as_deref(), site, &scope, left);
    }
}

fn report(first: Option<&Record>, site: &'static Site, scope: &Arc<Scope>, left: u64) {
    report::raise(KIND, Some(site), scope, || {
        let message = format!(
            "{left} results of a `JoinSet` have been waiting for {}, and nobody takes them (its \
             first task was spawned at {})",
            clock::human(LONG),
            site.location(),
        );
        let report = match first {
            Some(first) => Report::about(first, KIND, message),
            None => Report::new(KIND, scope, message),
        };
        report.help_with(HELP)
    });
}

const HELP: &str = "it keeps the result of every task until it is joined, and so grows for ever: \
     call `join_next` in a loop beside, or `try_join_next` before each spawn; or spawn tasks \
     whose results nobody wants without a set, and `detach()` them";

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a second, at what `set` says of each second; gives the first second at
    /// which there is something to tell, and what.
    fn first_told(set: impl Fn(u64) -> (u64, u64)) -> Option<(u64, u64)> {
        let (start, mut history) = (clock::now(), History::default());
        (0..300).find_map(|second| {
            let (finished, joined) = set(second);
            let now = start + Duration::from_secs(second);
            Some((second, history.look(now, finished, joined)?))
        })
    }

    #[test]
    fn a_set_that_is_only_spawned_into() {
        assert_eq!(first_told(|second| (second * 100, 0)), Some((70, 1_000)));
        assert_eq!(first_told(|_| (1_000, 0)), Some((60, 1_000)));
    }

    #[test]
    fn sets_that_are_joined() {
        // Many, but others each time.
        assert_eq!(
            first_told(|second| (5_000 + second * 100, second * 100)),
            None
        );
        // All at once, in time.
        let at_once = |second| (5_000, if second < 59 { 0 } else { 5_000 });
        assert_eq!(first_told(at_once), None);
        // Few.
        assert_eq!(first_told(|_| (999, 0)), None);
        // Most of them are taken, and there are many for a while only.
        let slow = |second: u64| (2_000, second * 20);
        assert_eq!(first_told(slow), None);
    }
}
