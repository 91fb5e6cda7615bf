//! `span_across_await`: a `tracing` span was entered and not left before the
//! future gave way to others.

use std::cell::RefCell;

use tracing::span::Id;

use crate::record::Record;
use crate::report::{self, Report, ReportKind};

/// The span that is current on this thread, where there is one.
#[inline]
pub(crate) fn current_span() -> Option<Id> {
    if !tracing::dispatcher::has_been_set() {
        return None;
    }
    tracing::dispatcher::get_default(|dispatch| dispatch.current_span().id().cloned())
}

thread_local! {
    /// The spans that were left entered on this thread, the last few. Whoever is
    /// polled afterwards finds them, and may see them be left.
    static LEFT_ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

const REMEMBERED: usize = 16;

/// Whether a poll that began in one span and gave way in another is at fault.
#[inline]
pub(crate) fn judge(before: Option<&Id>, after: Option<&Id>) -> bool {
    match after {
        // A span was left: somebody else's, whose guard is only gone by now.
        None => false,
        Some(_) if before == after => false,
        Some(after) => LEFT_ENTERED
            .try_with(|left| {
                let mut left = left.borrow_mut();
                let is_new = !left.contains(after);
                if is_new {
                    if left.len() == REMEMBERED {
                        left.remove(0);
                    }
                    left.push(after.clone());
                }
                is_new
            })
            .unwrap_or(false),
    }
}

/// A poll gave way with a span entered that was not before.
#[cold]
pub(crate) fn report(record: &Record) {
    let kind = ReportKind::SpanAcrossAwait;
    // What it was left in, by name: that is the one to look for.
    let left = tracing::dispatcher::get_default(|dispatch| {
        dispatch.current_span().metadata().map(|span| span.name())
    });
    report::raise(kind, Some(record.site()), &record.scope(), || {
        let span = left.map_or_else(
            || "another span".to_owned(),
            |name| format!("span `{name}`"),
        );
        let message = format!(
            "{} waits with {span} entered: the span now covers whatever runs on this thread ({})",
            super::subject(record),
            super::origin(record),
        );
        Report::about(record, kind, message)
            .in_task(tokio::task::try_id())
            .help_with(
                "do not hold `span.enter()` across an `.await`: use `future.instrument(span)` or \
             `#[tracing::instrument]`",
            )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_enters_is_at_fault() {
        let [outer, leaked] = [1, 2].map(Id::from_u64);
        assert!(!judge(None, None));
        assert!(!judge(Some(&outer), Some(&outer)));
        assert!(judge(Some(&outer), Some(&leaked)));
        // The next one finds it entered, and sees it be left.
        assert!(!judge(Some(&leaked), Some(&leaked)));
        assert!(!judge(Some(&leaked), None));
        // Back in it after another had left it.
        assert!(!judge(None, Some(&leaked)));
    }
}
