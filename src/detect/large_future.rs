//! `large_future`: a future of many bytes is moved into its task.

use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// Looks at a future of `size` bytes that is being spawned.
pub(crate) fn spawned(record: &Record, size: usize) {
    let Some(debug) = record.debug() else { return };
    let site = record.site();
    if size < debug.scope.settings().large_future {
        return;
    }
    report::raise_once(ReportKind::LargeFuture, site, &debug.scope, || {
        let message = format!(
            "{} is {size} bytes large, {}",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, ReportKind::LargeFuture, message).help_with(
            "it is moved as a whole: `Box::pin` the large future it awaits, or keep the large \
             value it holds across an await on the heap",
        )
    });
}
