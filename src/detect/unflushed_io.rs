//! `unflushed_io`: a writer was dropped that still held what had been written to it.
//!
//! A `Drop` cannot wait, so it cannot flush. Not reported is a writer that goes down
//! while its thread unwinds, or with a future that is dropped before its end: whoever
//! cancels does not want the rest. The latter the stack of the drop shows.

use std::sync::Arc;

use super::never_polled::{dropped_type, is_future_s};
use crate::clock;
use crate::record::Record;
use crate::report::{self, Deferred, Report, ReportKind, Until};
use crate::stack::{self, Frame};

const KIND: ReportKind = ReportKind::UnflushedIo;

/// A writer is being dropped with so many bytes written after its last flush.
#[cold]
pub(crate) fn dropped(record: &Arc<Record>, bytes: u64) {
    if std::thread::panicking() {
        return;
    }
    let drop_stack = stack::capture_always();
    report::defer(KIND, None, &record.scope(), || Deferred {
        report: make(record, bytes),
        due: clock::now(),
        until: Until::Grace,
        stands: Box::new(move || !is_of_a_future(&drop_stack.frames())),
    });
}

fn make(record: &Record, bytes: u64) -> Report {
    let bytes_were = match bytes {
        1 => "1 byte".to_owned(),
        _ => format!("{bytes} bytes"),
    };
    let message = format!(
        "{} was dropped with {bytes_were} written after its last flush ({})",
        super::subject(record),
        super::origin(record),
    );
    Report::about(record, KIND, message)
        .with_bytes(bytes)
        .in_task(tokio::task::try_id())
        .help_with(
            "a drop does not flush: what it still held is lost, and so is the error of its last \
             write. `flush().await` or `shutdown().await` it before, or say `.buffered(false)` if \
             it does not matter",
        )
}

/// Whether something went down with a future that had not come to its end.
fn is_of_a_future(drop_stack: &[Frame]) -> bool {
    drop_stack.iter().any(|frame| {
        // What a task drops when it is cancelled, where the drop itself is inlined.
        let function = &frame.function;
        let of_tokio = function.contains("runtime::task::")
            && ["cancel_task", "drop_future_or_output", "::shutdown"]
                .iter()
                .any(|name| function.contains(name));
        of_tokio || dropped_type(function).is_some_and(is_future_s)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_of_one(functions: &[&str]) -> bool {
        let frame = |function: &&str| Frame::new((*function).to_owned(), None);
        is_of_a_future(&functions.iter().map(frame).collect::<Vec<_>>())
    }

    #[test]
    fn a_drop_within_the_drop_of_a_future() {
        let own = "core::ptr::drop_in_place<debug_async::io::TrackedIo<app::W>>";
        for around in [
            "core::ptr::drop_in_place<app::run::{{closure}}>",
            "core::ptr::drop_in_place<app::run<alloc::string::String>::{{closure}}>",
            "core::ptr::drop_in_place<app::run::{async_fn_env#0}<u8>>",
            "core::ptr::drop_in_place<tokio::time::timeout::Timeout<app::F>>",
            "core::ptr::drop_in_place<debug_async::future::TrackedFuture<app::F>>",
            "tokio::runtime::task::harness::cancel_task",
        ] {
            assert!(is_of_one(&[own, around, "app::main"]), "{around}");
        }
    }

    #[test]
    fn a_drop_by_code() {
        let own = "core::ptr::drop_in_place<debug_async::io::TrackedIo<app::W<fn() -> u8>>>";
        assert!(!is_of_one(&[own, "app::run::{{closure}}", "app::main"]));
        let holds = "core::ptr::drop_in_place<app::Holds<app::run::{{closure}}>>";
        let vec = "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop";
        assert!(!is_of_one(&[own, vec, holds, "app::run::{{closure}}"]));
    }
}
