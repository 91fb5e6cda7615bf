//! The walk where `framehop` knows the machine.
//!
//! ```text
//! bounds     how far this thread's stack reaches
//! registers  where a walk begins
//! modules    the unwind tables of what is loaded
//! rules      which of them apply at an address
//! fast       the walk of the present stack
//! ```

mod bounds;
mod fast;
mod modules;
mod registers;
mod rules;

/// See [`walk`](super::walk). `None`: it cannot be done in this way.
#[inline]
pub(super) fn walk(addresses: &mut [usize]) -> Option<usize> {
    fast::walk(addresses)
}

#[cfg(test)]
mod tests;
