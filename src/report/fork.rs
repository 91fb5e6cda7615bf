//! A process that was forked off: its one thread is a copy of the one that forked, and the
//! reporter is not there, nor whoever held its lock. So nothing is reported, and nobody
//! waits for it. (What is executed then is another program.)

use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The process whose reporter it is; zero: none has been started.
static HOME: AtomicU32 = AtomicU32::new(0);

/// The reporter is of this process.
pub(super) fn settle() {
    HOME.store(process::id(), Relaxed);
}

/// Whether the reporter was left in another process.
pub(super) fn is_forked() -> bool {
    let home = HOME.load(Relaxed);
    home != 0 && home != process::id()
}
