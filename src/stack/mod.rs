//! Where a thing was created: the stack, captured cheaply and resolved late.
//!
//! ```text
//! unwind    walking the stack
//! capture   addresses only: no symbols, no locks
//! intern    one entry for each distinct address list, a handle of one word
//! mangling  names of functions, whichever way they were mangled
//! resolve   addresses to functions and lines; slow, on the reporter's thread
//! awaits    the awaits that lead to a leaf
//! trim      which frames are the user's
//! print     how a stack reads
//! ```

mod awaits;
mod capture;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod intern;
mod mangling;
mod print;
mod resolve;
mod trim;
pub(crate) mod unwind;

pub(crate) use self::awaits::Awaits;
pub(crate) use self::capture::{capture, capture_always};
pub(crate) use self::intern::Captured;
pub use self::print::{Frame, Stack};
pub(crate) use self::trim::Seen;

use crate::config::StackMode;

/// Loads the program's symbols, if they are not loaded: the first resolution of a
/// process takes longer than all that follow.
pub(crate) fn warm_up() {
    resolve::own_directory();
}

impl Captured {
    /// The functions and lines, innermost first, as much of them as `mode` shows.
    ///
    /// Slow (the first one in a process takes some 100 ms) and takes locks.
    pub(crate) fn resolve(self, mode: StackMode) -> Option<Stack> {
        let addresses = self.addresses()?;
        let frames = resolve::resolve(addresses);
        (!frames.is_empty()).then(|| trim::trim(frames, mode))
    }

    /// The same, of a thread that was seen while it was blocked. `cut`: there was more
    /// of it.
    pub(crate) fn resolve_live(self, mode: StackMode, cut: bool) -> Option<Seen> {
        let frames = self.frames();
        (!frames.is_empty()).then(|| trim::trim_live(frames, mode, cut))
    }

    /// The awaits that lead to a leaf, whose waker was cloned on this stack.
    pub(crate) fn resolve_awaits(self) -> Awaits {
        awaits::awaits(self.frames())
    }

    /// All its frames, innermost first. Slow, as [`resolve`](Captured::resolve).
    pub(crate) fn frames(self) -> Vec<Frame> {
        self.addresses().map(resolve::resolve).unwrap_or_default()
    }
}
