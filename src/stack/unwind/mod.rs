//! Walking a stack, fast where we can.
//!
//! On Linux x86-64 and aarch64 the walk is `framehop`'s, in process: it reads the
//! unwind tables that the program carries, remembers a rule for each address, and
//! takes no lock. Elsewhere, and wherever it cannot (a stack that is not the
//! thread's own, code that no loaded module has), [`slow`] does it.

pub(super) mod slow;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod native;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "unsupported.rs"]
pub(crate) mod native;

/// Fills `addresses` with the return addresses of the present stack, innermost
/// first, and gives their number.
#[inline]
pub(super) fn walk(addresses: &mut [usize]) -> usize {
    match native::walk(addresses) {
        Some(depth) => depth,
        None => slow::walk(addresses),
    }
}
