//! The way out: what is still queued is told before the process ends.
//!
//! `main` returning, `std::process::exit` and a panic in main all end in libc's
//! `exit`, which calls what was registered with `atexit`. `abort` and signals do
//! not; nothing is told then.

use super::reporter::{self, Until};

#[cfg(unix)]
#[allow(unsafe_code)]
pub(super) fn at_exit() {
    // SAFETY: `run` is a function of the C ABI without arguments or result that
    // lives as long as the program, it cannot unwind (see there), and `atexit`
    // may be called from any thread. A failure (no memory) leaves the exit
    // without a flush, which is what there was before.
    unsafe {
        libc::atexit(run);
    }
}

#[cfg(not(unix))]
pub(super) fn at_exit() {}

#[cfg(unix)]
extern "C" fn run() {
    // Thread-locals may be gone and other threads still run; the flush only waits
    // for the reporter's thread, with a limit, and touches neither.
    let _ = std::panic::catch_unwind(|| reporter::flush(Until::End, None));
}
