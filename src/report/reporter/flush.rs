//! At a way out: waiting till what there is to tell has been told, with a limit.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::thread::{is_reporter, judge, survive};
use super::{DONE, State, Thread, WORK, state};
use crate::clock;
use crate::mode::{Scope, silence_this_thread};
use crate::notice;
use crate::report::fork::is_forked;
use crate::report::grace::{Flush, Until};
use crate::report::sink;

/// How long a flush waits for a hook or a subscriber that blocks.
const USER_LIMIT: Duration = Duration::from_secs(5);

/// How long it waits in all: loading the symbols of a large program on a busy
/// machine takes its time.
const LIMIT: Duration = Duration::from_secs(60);

/// Hands on all that a scope has to tell, and judges all of it.
pub(crate) fn flush_at_end(scope: &Arc<Scope>) {
    flush(Until::End, Some(scope.id()));
}

/// Hands on all that there is to tell, and judges all of it.
pub(crate) fn flush_all_at_end() {
    flush(Until::End, None);
}

/// See [`super::flush`].
pub(in crate::report) fn flush(until: Until, scope: Option<u64>) {
    if is_reporter() || is_forked() {
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
        super::state().cannot_print = true;
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
