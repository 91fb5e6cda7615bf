//! Taking the return addresses of the present stack.

use super::intern::{self, Captured};
use crate::config::StackMode;

/// A stack deeper than this is cut at its outer end.
const DEPTH: usize = 64;

/// The present stack, if `mode` wants one.
#[inline]
pub(crate) fn capture(mode: StackMode) -> Captured {
    if mode == StackMode::Off {
        Captured::NONE
    } else {
        capture_always()
    }
}

/// The present stack.
#[inline(never)]
pub(crate) fn capture_always() -> Captured {
    let mut addresses = [0usize; DEPTH];
    let mut depth = 0;
    trace(|frame| {
        addresses[depth] = frame.ip().addr();
        depth += 1;
        depth < DEPTH
    });
    intern::intern(&addresses[..depth])
}

/// `backtrace::trace` would take the lock under which the reporter resolves
/// symbols, and so hold up the program for as long as that takes.
#[cfg(unix)]
#[allow(unsafe_code)]
fn trace(each: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: the lock is there for platforms whose unwinder is not thread-safe
    // (dbghelp on Windows). On Unix the unwinder is the one that panics use, which
    // any number of threads may run at once; it reads this thread's stack only.
    unsafe { backtrace::trace_unsynchronized(each) }
}

#[cfg(not(unix))]
fn trace(each: impl FnMut(&backtrace::Frame) -> bool) {
    backtrace::trace(each);
}
