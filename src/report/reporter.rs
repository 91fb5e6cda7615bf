//! The thread that reports: off the workers, one report after the other.
//!
//! Everything it does not yet have in hand is in one [`State`] under one mutex.
//! Findings are rare, so the mutex is; and no code of the user's (hooks,
//! subscribers, `Debug`, `Drop`) runs while it is held.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::Level;

use super::fork::{self, is_forked};
use super::grace::{self, Flush, Grace, Pending};
use super::{Report, ReportKind, exit, limit, sink};
use crate::clock::{self, Instant};
use crate::mode::{Scope, silence_this_thread};
use crate::notice;
use crate::site::Site;
use crate::stack;

pub(crate) use super::grace::{Deferred, Until};

/// How many reports may wait. Past that they are lost, and counted.
const QUEUE: usize = 1_024;

/// How long a flush waits for a hook or a subscriber that blocks.
const USER_LIMIT: Duration = Duration::from_secs(5);

/// How long it waits in all: loading the symbols of a large program on a busy
/// machine takes its time.
const LIMIT: Duration = Duration::from_secs(60);

static STATE: Mutex<State> = Mutex::new(State::new());
/// Something is to be done.
static WORK: Condvar = Condvar::new();
/// A flush is done.
static DONE: Condvar = Condvar::new();

struct State {
    thread: Thread,
    queue: VecDeque<Report>,
    lost: u64,
    grace: Option<Grace>,
    flushes: Vec<Flush>,
    /// Tickets of flushes: the last one given out, and the last one done.
    asked: u64,
    done: u64,
    watches: Vec<Watch>,
    /// Since when a hook or a subscriber has had a report.
    in_user_code: Option<Instant>,
    /// It has been said that a hook or a subscriber blocks.
    said_blocked: bool,
    /// It was in vain to print: nobody reads it.
    cannot_print: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    No,
    Yes,
    /// It cannot be started; reports are printed where they are made.
    Never,
}

/// Something to be done every so often.
struct Watch {
    due: Instant,
    look: Box<dyn FnMut() -> Option<Duration> + Send>,
}

impl State {
    const fn new() -> State {
        State {
            thread: Thread::No,
            queue: VecDeque::new(),
            lost: 0,
            grace: None,
            flushes: Vec::new(),
            asked: 0,
            done: 0,
            watches: Vec::new(),
            in_user_code: None,
            said_blocked: false,
            cannot_print: false,
        }
    }

    fn grace(&mut self) -> &mut Grace {
        self.grace.get_or_insert_default()
    }
}

thread_local! {
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// Hands on all that a scope has to tell, and judges all of it.
pub(crate) fn flush_at_end(scope: &Arc<Scope>) {
    flush(Until::End, Some(scope.id()));
}

/// Hands on all that there is to tell, and judges all of it.
pub(crate) fn flush_all_at_end() {
    flush(Until::End, None);
}

/// See [`super::flush`].
pub(super) fn flush(until: Until, scope: Option<u64>) {
    if IS_REPORTER.try_with(Cell::get).unwrap_or(false) || is_forked() {
        return;
    }
    let mut state = state();
    if state.thread != Thread::Yes {
        return;
    }
    state.asked += 1;
    let ticket = state.asked;
    state.flushes.push(Flush { until, scope });
    WORK.notify_one();
    let asked_at = clock::now();
    while state.done < ticket {
        let since = state.in_user_code;
        if since.is_some_and(|since| since.elapsed() > USER_LIMIT) {
            print_the_rest(state, until);
            return;
        }
        if asked_at.elapsed() > LIMIT {
            drop(state);
            in_time(|| notice::to_stderr(SLOW));
            return;
        }
        let waited = DONE.wait_timeout(state, Duration::from_millis(100));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A hook or a subscriber blocks. At the end of the program or of a runtime nobody else
/// will tell what is still in the queue, so it is printed.
fn print_the_rest(mut state: MutexGuard<'_, State>, until: Until) {
    let say = !std::mem::replace(&mut state.said_blocked, true);
    if state.cannot_print || !say && until == Until::Grace {
        return;
    }
    drop(state);
    let is_done = in_time(move || {
        if say {
            notice::to_stderr(BLOCKED);
        }
        if until == Until::End {
            print_all();
        }
    });
    if !is_done {
        self::state().cannot_print = true;
    }
}

fn print_all() {
    let everything = [Flush {
        until: Until::End,
        scope: None,
    }];
    let pending = state().grace().take(clock::now(), &everything);
    for pending in pending {
        survive(|| judge(pending));
    }
    let rest = std::mem::take(&mut state().queue);
    for mut report in rest {
        report.resolve();
        sink::print(&report);
    }
}

/// Does what blocks where nobody reads what is printed. False: it still does.
fn in_time(print: impl FnOnce() + Send + 'static) -> bool {
    let (ends, is_over) = mpsc::channel::<()>();
    let print = move || {
        silence_this_thread();
        survive(print);
        drop(ends);
    };
    let thread = std::thread::Builder::new().name("debug-async-print".into());
    // Without the thread nothing is printed: it might be for ever.
    thread.spawn(print).is_ok()
        && is_over.recv_timeout(USER_LIMIT) != Err(RecvTimeoutError::Timeout)
}

const BLOCKED: &str = "WARN debug_async: a report hook or a subscriber blocks; the reports that \
     are left when the program ends are printed here\n";
const SLOW: &str = "WARN debug_async: reporting takes too long; reports may be lost\n";

/// The state, with the thread started.
fn running() -> MutexGuard<'static, State> {
    let mut state = state();
    if state.thread == Thread::No {
        fork::settle();
        let spawned = std::thread::Builder::new()
            .name("debug-async".into())
            .spawn(run);
        state.thread = match spawned {
            Ok(_) => Thread::Yes,
            Err(_) => Thread::Never,
        };
        // It only waits for the thread, with a limit: that can be done so late.
        exit::at_exit(|| flush(Until::End, None));
    }
    state
}

fn run() {
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
fn survive(work: impl FnOnce()) {
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
    let mut state = self::state();
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
            state = self::state();
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
fn judge(pending: Pending) {
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
