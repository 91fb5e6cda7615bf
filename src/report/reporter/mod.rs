//! The thread that reports: off the workers, one report after the other.
//!
//! Everything it does not yet have in hand is in one [`State`] under one mutex.
//! Findings are rare, so the mutex is; and no code of the user's (hooks,
//! subscribers, `Debug`, `Drop`) runs while it is held.
//!
//! ```text
//! raise    what the findings call
//! thread   the thread itself
//! flush    at a way out: waits for it, with a limit
//! ```

mod flush;
mod raise;
mod thread;

pub(super) use self::flush::flush;
pub(crate) use self::flush::{flush_all_at_end, flush_at_end};
pub(crate) use self::raise::{defer, every, raise, raise_at, raise_once, say_soon};
pub(crate) use super::grace::{Deferred, Until};

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::grace::{Flush, Grace};
use super::{Report, exit, fork};
use crate::clock::Instant;

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

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state, with the thread started.
fn running() -> MutexGuard<'static, State> {
    let mut state = state();
    if state.thread == Thread::No {
        fork::settle();
        let spawned = std::thread::Builder::new()
            .name("debug-async".into())
            .spawn(thread::run);
        state.thread = match spawned {
            Ok(_) => Thread::Yes,
            Err(_) => Thread::Never,
        };
        // It only waits for the thread, with a limit: that can be done so late.
        exit::at_exit(|| flush(Until::End, None));
    }
    state
}
