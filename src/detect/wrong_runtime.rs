//! `wrong_runtime`: a future was first polled in one runtime, and is polled in another.
//!
//! What it waits on (a timer, a socket) belongs to the first, and goes with it. It is
//! looked at when a future is polled under another task, or where no task is tracked
//! with another waker, than before. Not reported is a future that was first polled
//! outside of any runtime.

use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Handle;

use crate::ids;
use crate::record::{Debugged, Record};
use crate::report::{self, Report, ReportKind};

const KIND: ReportKind = ReportKind::WrongRuntime;

/// Instead of the number of a runtime: nothing more is to be said.
const NO_MATTER: u64 = u64::MAX;

/// The first poll of a future begins.
pub(crate) fn first_polled(debug: &Debugged) {
    debug.runtime.store(current().unwrap_or(NO_MATTER), Relaxed);
}

/// A poll of it begins elsewhere than the last one did.
pub(crate) fn moved(record: &Record, debug: &Debugged) {
    let first = debug.runtime.load(Relaxed);
    let Some(now) = current().filter(|now| first != NO_MATTER && *now != first) else {
        return;
    };
    debug.runtime.store(NO_MATTER, Relaxed);
    report::raise(KIND, Some(record.site()), &record.scope(), || {
        let message = format!(
            "{} was first polled in one runtime (id {first}), and is now polled in another (id \
             {now}) ({})",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, KIND, message)
            .in_task(tokio::task::try_id())
            .help_with(HELP)
    });
}

/// The number of the runtime that this thread is in, as its id shows it.
fn current() -> Option<u64> {
    let handle = Handle::try_current().ok()?;
    Some(ids::number(handle.id()))
}

const HELP: &str = "its timers and sockets are driven by the first: they stand still while that \
     is not running, and fail once it has ended; spawn the future in the runtime that is to run \
     it, and await the task's handle in the other";
