//! Taking the return addresses of the present stack.

use super::intern::{self, Captured};
use super::unwind;
use crate::config::StackMode;

/// A stack deeper than this is cut at its outer end.
const DEPTH: usize = 96;

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
pub(crate) fn capture_always() -> Captured {
    let mut addresses = [0usize; DEPTH];
    let depth = unwind::walk(&mut addresses);
    intern::intern(&addresses[..depth])
}
