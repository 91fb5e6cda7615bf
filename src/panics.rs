//! Where a panic happened.
//!
//! A payload that was caught tells the message; only a panic hook is told the
//! place. Ours notes it and calls the hook that was there before, so that the
//! message appears as it did, once. A hook that the program sets later replaces
//! ours, and then reports say the message without the place.
//!
//! With `panic = "abort"` the hook is the last thing that runs: what there is to tell by
//! then is told in it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::config::StackMode;
use crate::mode::{self, Mode, Scope};
use crate::record::End;
use crate::report;
use crate::stack::{self, Captured};

struct Last {
    message: Option<String>,
    place: Option<String>,
    stack: Captured,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    /// When the hook before ours was done, and how long it took.
    static PRINTED: Cell<Option<(Tick, Duration)>> = const { Cell::new(None) };
}

/// Puts the hook in, once.
pub(crate) fn watch() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    // `take_hook` panics on a thread that is panicking.
    if WATCHED.load(Relaxed) || std::thread::panicking() || WATCHED.swap(true, Relaxed) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        note(info);
        let start = clock::tick();
        before(info);
        let _ = PRINTED.try_with(|printed| printed.set(Some((clock::tick(), start.elapsed()))));
        // Then no exit follows, where it would be done.
        if cfg!(panic = "abort") {
            report::flush_all_at_end();
        }
    }));
}

/// How long the hook took that was called on this thread since, the last one if there
/// were several. Printing a backtrace can take half a second, for which the poll that
/// panicked is not to blame.
pub(crate) fn printed_since(start: Tick) -> Duration {
    let printed = PRINTED.try_with(Cell::get).ok().flatten();
    match printed {
        Some((at, took)) if at.is_since(start) => took,
        _ => Duration::ZERO,
    }
}

fn note(info: &std::panic::PanicHookInfo<'_>) {
    let wanted = match mode::current() {
        Mode::Off => return,
        Mode::Production => StackMode::Off,
        Mode::Debug => Scope::current().settings().stack,
    };
    let last = Last {
        message: message(info.payload()),
        place: info.location().map(ToString::to_string),
        stack: stack::capture(wanted),
    };
    let _ = LAST.try_with(|place| place.try_borrow_mut().map(|mut place| *place = Some(last)));
}

/// What is known of the panic whose payload this is, on the thread it was caught.
pub(crate) fn caught(payload: &(dyn Any + Send)) -> End {
    let message = message(payload);
    let last = LAST
        .try_with(|last| last.try_borrow_mut().ok()?.take())
        .ok()
        .flatten();
    // A payload that was carried here by `resume_unwind` called no hook here.
    match last.filter(|last| last.message == message) {
        Some(Last { place, stack, .. }) => End::Panic {
            message,
            place,
            stack,
        },
        None => End::Panic {
            message,
            place: None,
            stack: Captured::NONE,
        },
    }
}

fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}
