//! `polled_after_completion`: a future is polled that has completed.
//!
//! Most futures panic then; some return `Pending` for ever, which is worse.
//!
//! Of a stream it is no mistake by itself. Loops around `select!` poll streams that
//! have ended as a matter of course, most say `None` again, and some, such as
//! `FuturesUnordered`, go on when they are given more. So it is one only for a stream
//! that panics.

use crate::record::{Object, Record};
use crate::report::{self, Report, ReportKind};

/// Futures that are made to be polled again.
const FUSED: &[&str] = &[
    "::Fuse<",
    "::MaybeDone<",
    "::OptionFuture<",
    "::TryMaybeDone<",
    "::FuturesUnordered<",
    "::FuturesOrdered<",
    "::SelectAll<",
    "::StreamMap<",
    "::DelayQueue<",
];

fn may_be_polled_again(type_name: &str) -> bool {
    let boxed = "core::pin::Pin<alloc::boxed::Box<";
    let type_name = type_name.strip_prefix(boxed).unwrap_or(type_name);
    let outer = type_name.split_inclusive('<').next().unwrap_or(type_name);
    FUSED.iter().any(|fused| outer.ends_with(fused))
}

/// A future is about to be polled that has completed.
pub(crate) fn polled_again(record: &Record) {
    if record.object() == Object::Stream || may_be_polled_again(record.type_name()) {
        return;
    }
    let kind = ReportKind::PolledAfterCompletion;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "{} was polled again after it had completed, {}",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message).help_with(
            "leave it once it is ready: in a `select!` loop, guard the branch with `if !done`, \
             or `fuse()` the future",
        )
    });
}

/// A stream was polled that has ended, or that ends with this poll.
pub(crate) fn stream_polled(record: &Record) {
    if !std::thread::panicking() || may_be_polled_again(record.type_name()) {
        return;
    }
    let kind = ReportKind::PolledAfterCompletion;
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let message = format!(
            "{} panicked when it was polled again after its end, {}",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message).help_with(
            "leave it after its `None`: in a `select!` loop, guard the branch with `if !done`, \
             or `fuse()` the stream",
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fused_futures_may() {
        assert!(may_be_polled_again(
            "futures_util::future::future::fuse::Fuse<app::f::{{closure}}>"
        ));
        assert!(!may_be_polled_again("app::f::{{closure}}"));
        assert!(!may_be_polled_again(
            "app::Join<futures_util::future::future::fuse::Fuse<u8>>"
        ));
    }
}
