//! The walk where `framehop` knows the machine.
//!
//! ```text
//! bounds     how far this thread's stack reaches
//! registers  where a walk begins
//! modules    the unwind tables of what is loaded
//! rules      which of them apply at an address
//! fast       the walk of the present stack
//! copy       the walk of a copy of another thread's
//! ```

mod bounds;
mod copy;
#[cfg(any(test, fuzzing))]
pub(crate) mod damage;
mod fast;
mod last;
mod modules;
mod registers;
mod rules;

pub(crate) use self::bounds::of_this_thread as stack_of_this_thread;
pub(crate) use self::copy::{Copied, Walker};
pub(crate) use self::modules::is_in_program;
pub(crate) use self::registers::Registers;

/// See [`walk`](super::walk). `None`: it cannot be done in this way.
#[inline]
pub(super) fn walk(addresses: &mut [usize]) -> Option<usize> {
    fast::walk(addresses)
}

#[cfg(test)]
mod tests;
