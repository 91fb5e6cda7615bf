//! The way out: what is still queued is told before the process ends.
//!
//! `main` returning, `std::process::exit` and a panic in main all end in libc's
//! `exit`, which calls what was registered with `atexit`. `abort` and signals do
//! not; nothing is told then.

use std::sync::OnceLock;

/// What is to be done.
static LAST: OnceLock<fn()> = OnceLock::new();

/// Calls `last` when the process ends. Only the first call has an effect.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(super) fn at_exit(last: fn()) {
    if LAST.set(last).is_err() {
        return;
    }
    // SAFETY: `run` is a function of the C ABI without arguments or result that
    // lives as long as the program, it cannot unwind (see there), and `atexit`
    // may be called from any thread. A failure (no memory) leaves the exit
    // without a flush, which is what there was before.
    unsafe {
        libc::atexit(run);
    }
}

#[cfg(not(unix))]
pub(super) fn at_exit(last: fn()) {
    let _ = LAST.set(last);
}

#[cfg(unix)]
extern "C" fn run() {
    // Thread-locals may be gone and other threads still run.
    let _ = std::panic::catch_unwind(|| LAST.get().inspect(|last| last()));
}
