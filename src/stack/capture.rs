//! Taking the return addresses of the present stack.

use super::intern::{self, Captured};
use crate::config::StackMode;

/// A stack deeper than this is cut at its outer end.
const DEPTH: usize = 64;

/// The present stack, if `mode` wants one.
#[inline]
pub(crate) fn capture(mode: StackMode) -> Captured {
    if mode == StackMode::Off { Captured::NONE } else { capture_always() }
}

/// The present stack.
#[inline(never)]
pub(crate) fn capture_always() -> Captured {
    let mut addresses = [0usize; DEPTH];
    let mut depth = 0;
    backtrace::trace(|frame| {
        addresses[depth] = frame.ip().addr();
        depth += 1;
        depth < DEPTH
    });
    intern::intern(&addresses[..depth])
}
