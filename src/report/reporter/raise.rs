//! What the findings call: from any thread, and in whatever it is doing.

use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use super::{Thread, WORK, Watch, running};
use crate::clock;
use crate::mode::Scope;
use crate::notice;
use crate::report::fork::is_forked;
use crate::report::grace::{self, Deferred};
use crate::report::{Report, ReportKind, limit, sink};
use crate::site::Site;

/// How many reports may wait. Past that they are lost, and counted.
const QUEUE: usize = 1_024;

/// Counts a finding, and reports it unless it is one of many.
pub(crate) fn raise(
    kind: ReportKind,
    site: Option<&'static Site>,
    scope: &Arc<Scope>,
    make: impl FnOnce() -> Report,
) {
    raise_at(kind.level(), kind, site, scope, make);
}

/// The same, at another level than the kind's own.
pub(crate) fn raise_at(
    level: Level,
    kind: ReportKind,
    site: Option<&'static Site>,
    scope: &Arc<Scope>,
    make: impl FnOnce() -> Report,
) {
    if is_forked() {
        return;
    }
    scope.count(kind, level);
    let ordinal = site.map_or(1, |site| site.count(kind));
    if limit::admits(ordinal - 1, ordinal) {
        make_and_push(level, make);
    }
}

/// Reports a finding that is made once a site, unless it was.
pub(crate) fn raise_once(
    kind: ReportKind,
    site: &'static Site,
    scope: &Arc<Scope>,
    make: impl FnOnce() -> Report,
) {
    if !is_forked() && site.count_once(kind) {
        scope.count(kind, kind.level());
        make_and_push(kind.level(), make);
    }
}

/// Making a report takes the span that it belongs to, which runs the subscriber;
/// this may be a `Drop`, where nothing must panic.
fn make_and_push(level: Level, make: impl FnOnce() -> Report) {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)) {
        Ok(report) => push(report.at_level(level)),
        Err(_) => running().lost += 1,
    }
}

fn push(report: Report) {
    let mut state = running();
    let unsent = match state.thread {
        Thread::Never => Some(report),
        _ if state.queue.len() >= QUEUE => {
            state.lost += 1;
            drop(state);
            drop(report);
            return;
        }
        _ => {
            state.queue.push_back(report);
            None
        }
    };
    drop(state);
    WORK.notify_one();
    if let Some(report) = unsent {
        sink::print(&report);
    }
}

/// Keeps a finding to be judged later. Those of one kind, site and scope wait as
/// one if there is a site; `make` is only called for the first of them.
pub(crate) fn defer(
    kind: ReportKind,
    site: Option<&'static Site>,
    scope: &Arc<Scope>,
    make: impl FnOnce() -> Deferred,
) {
    if is_forked() {
        return;
    }
    let key = site.map(|site| grace::key(kind, site, scope.id()));
    if let Some(key) = key
        && running().grace().count(key)
    {
        return;
    }
    // Runs code of the user's (the subscriber, for the span): no lock.
    let Ok(deferred) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)) else {
        running().lost += 1;
        return;
    };
    let mut state = running();
    let (replaced, refused) = match key {
        Some(key) => (state.grace().add(key, deferred), None),
        None => (None, state.grace().add_apart(deferred)),
    };
    state.lost += u64::from(refused.is_some());
    drop(state);
    drop((replaced, refused));
    WORK.notify_one();
}

/// Calls `look` on the reporter's thread after `first`, and again after each
/// duration that it gives, till it gives none.
pub(crate) fn every(first: Duration, look: impl FnMut() -> Option<Duration> + Send + 'static) {
    if is_forked() {
        return;
    }
    let watch = Watch {
        due: clock::now() + first,
        look: Box::new(look),
    };
    running().watches.push(watch);
    WORK.notify_one();
}

/// Says what this crate has to say about itself from the reporter's thread: it runs the
/// program's subscriber.
pub(crate) fn say_soon(message: String) {
    every(Duration::ZERO, move || {
        notice::say(&message);
        None
    });
}
