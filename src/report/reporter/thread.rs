//! The thread itself.

use std::cell::Cell;
use std::sync::PoisonError;

use super::{DONE, WORK, Watch, state};
use crate::clock;
use crate::mode::silence_this_thread;
use crate::notice;
use crate::report::grace::{Deferred, Pending, Until};
use crate::report::{Report, limit, sink};
use crate::stack;

thread_local! {
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn is_reporter() -> bool {
    IS_REPORTER.try_with(Cell::get).unwrap_or(false)
}

pub(super) fn run() {
    IS_REPORTER.set(true);
    silence_this_thread();
    let mut warm = false;
    loop {
        let work = next_work(&mut warm);
        work.watches
            .into_iter()
            .for_each(|watch| survive(|| look(watch)));
        tell_waiting();
        for pending in work.pending {
            survive(|| judge(pending));
            tell_waiting();
        }
        if work.at_exit {
            survive(limit::tell_rest);
        }
        if work.lost > 0 {
            let lost = work.lost;
            survive(|| {
                notice::say(&format!(
                    "{lost} reports were lost: the queue was full, or the subscriber panicked"
                ))
            });
        }
        if let Some(ticket) = work.ticket {
            state().done = ticket;
            DONE.notify_all();
        }
    }
}

/// Hands on what is in the queue now, one after the other: what comes after a report on
/// which a hook blocks is still there, for a flush to find.
fn tell_waiting() {
    let waiting = state().queue.len();
    for _ in 0..waiting {
        let report = state().queue.pop_front();
        report
            .into_iter()
            .for_each(|report| survive(|| tell(report)));
    }
}

/// A subscriber may panic wherever a span of its own is dropped; this thread goes
/// on.
pub(super) fn survive(work: impl FnOnce()) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
}

struct Work {
    pending: Vec<Pending>,
    watches: Vec<Watch>,
    lost: u64,
    /// The last flush that is done when this is done.
    ticket: Option<u64>,
    at_exit: bool,
}

/// Waits till there is something to do.
fn next_work(warm: &mut bool) -> Work {
    let mut state = super::state();
    loop {
        let now = clock::now();
        let flushes = std::mem::take(&mut state.flushes);
        let pending = state.grace().take(now, &flushes);
        let watches: Vec<Watch> = state
            .watches
            .extract_if(.., |watch| watch.due <= now)
            .collect();
        let ticket = (!flushes.is_empty()).then_some(state.asked);
        if ticket.is_some()
            || state.lost > 0
            || !(state.queue.is_empty() && pending.is_empty() && watches.is_empty())
        {
            return Work {
                pending,
                watches,
                lost: std::mem::take(&mut state.lost),
                ticket,
                at_exit: flushes
                    .iter()
                    .any(|flush| flush.until == Until::End && flush.scope.is_none()),
            };
        }
        let judged = state.grace().next_due();
        if judged.is_some() && !*warm {
            // There is time now; there may not be when the verdict is due.
            drop(state);
            survive(stack::warm_up);
            *warm = true;
            state = super::state();
            continue;
        }
        let next = state
            .watches
            .iter()
            .map(|watch| watch.due)
            .chain(judged)
            .min();
        state = match next {
            None => WORK.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(due) => {
                let left = due.saturating_duration_since(now);
                WORK.wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
    }
}

fn look(mut watch: Watch) {
    if let Some(again) = (watch.look)() {
        watch.due = clock::now() + again;
        state().watches.push(watch);
    }
}

/// Hands on one report, with the count as it is by now.
fn tell(mut report: Report) {
    if let Some(site) = report.site.filter(|_| !report.again) {
        let kind = report.kind;
        let found = site.found(kind).max(1);
        // Its like has been told meanwhile, with a count that includes it.
        if site.told(kind) >= found {
            return;
        }
        site.set_told(kind, found);
        report.count = found;
    }
    report.resolve();
    if report.site.is_none() && !report.again && !limit::admits_elsewhere(&mut report) {
        return;
    }
    report.scope.keep_line(&report.message);
    state().in_user_code = Some(clock::now());
    sink::deliver(&report);
    state().in_user_code = None;
}

/// Asks a deferred finding whether it still stands, and tells it if so.
pub(super) fn judge(pending: Pending) {
    let Pending {
        deferred: Deferred { report, stands, .. },
        count,
    } = pending;
    if !stands() {
        return;
    }
    if report.again {
        state().queue.push_back(report);
        return;
    }
    let before = report.site.map_or(0, |site| site.found(report.kind));
    for _ in 0..count {
        report.scope.count(report.kind, report.level);
        if let Some(site) = report.site {
            site.count(report.kind);
        }
    }
    if limit::admits(before, before + count) {
        state().queue.push_back(report);
    }
}
