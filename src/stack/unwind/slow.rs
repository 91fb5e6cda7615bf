//! The walk of the `backtrace` crate: right everywhere, and some ten times slower.

/// See [`walk`](super::walk).
#[inline(never)]
pub(in crate::stack) fn walk(addresses: &mut [usize]) -> usize {
    let mut depth = 0;
    trace(|frame| {
        // Past the first function of a thread, some unwinders see one at zero.
        let address = frame.ip().addr();
        match addresses.get_mut(depth) {
            Some(place) if address != 0 => *place = address,
            _ => return false,
        }
        depth += 1;
        true
    });
    depth
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
