//! The switch.
//!
//! An object obeys the [`Scope`] it is created in, and keeps the mode it was
//! created with. The scope is the runtime's where the runtime is ours, else the
//! process's, as asyncio's flag is the loop's.

mod runtimes;
mod scope;
mod threads;

pub(crate) use self::runtimes::{began, ended, scope_of};
pub(crate) use self::scope::{Entered, Scope, enter, is_silent, silence_this_thread, stay_in};
pub(crate) use self::threads::Threads;

use std::sync::OnceLock;
use std::time::Duration;

/// What is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Nothing: wrappers pass through.
    Off = 0,
    /// What costs nothing: never polled, never retrieved, the exit summary.
    Production = 1,
    /// Everything.
    Debug = 2,
}

impl Mode {
    fn from_u8(value: u8) -> Mode {
        match value {
            0 => Mode::Off,
            1 => Mode::Production,
            _ => Mode::Debug,
        }
    }
}

/// Switches debug mode on or off from here on: for the runtime that this is
/// called on, if it is one of [`debug_async::runtime`](crate::runtime), else for
/// the process. asyncio's `loop.set_debug()`.
///
/// `false` means production mode. What was created before keeps the mode it was
/// created in. A runtime that is built later is as the process is, unless its
/// builder says otherwise.
///
/// # Examples
///
/// ```
/// debug_async::set_debug(true);
/// assert!(debug_async::is_debug());
/// debug_async::set_debug(false);
/// assert!(!debug_async::is_debug());
/// ```
pub fn set_debug(debug: bool) {
    let mode = if debug { Mode::Debug } else { Mode::Production };
    if is_silent() {
        // In a report hook: the thread's own scope is to stay as it is.
        Scope::process().set_mode(mode);
    } else {
        scope::with_current(|scope| scope.set_mode(mode));
    }
    if debug && let Some(switched_on) = SWITCHED_ON.get() {
        switched_on();
    }
}

/// What is to be done when debug mode is switched on at run time.
static SWITCHED_ON: OnceLock<fn()> = OnceLock::new();

/// Has `f` called whenever debug mode is switched on by [`set_debug`]. Only the first
/// call has an effect.
pub(crate) fn when_switched_on(f: fn()) {
    let _ = SWITCHED_ON.set(f);
}

/// Whether an object created here and now would be in debug mode. asyncio's
/// `loop.get_debug()`. Costs one thread-local read.
pub fn is_debug() -> bool {
    current() == Mode::Debug
}

/// The mode of the scope of this thread.
#[inline]
pub(crate) fn current() -> Mode {
    scope::with_current(Scope::mode)
}

/// Changes the threshold of slow polls, for the runtime that this is called on,
/// or else for the process. asyncio's `loop.slow_callback_duration`.
///
/// It holds at once, for everything but objects with a threshold of their own
/// ([`TrackedFuture::slow_ok`](crate::future::TrackedFuture::slow_ok)). A runtime
/// that is built later begins with that of the process, unless its builder says
/// otherwise.
///
/// ```
/// use std::time::Duration;
/// debug_async::set_slow_poll(Duration::from_millis(250));
/// ```
pub fn set_slow_poll(threshold: Duration) {
    scope::with_current(|scope| scope.settings().set_slow_poll(threshold));
}
