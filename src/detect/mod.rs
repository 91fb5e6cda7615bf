//! The findings, a file each: when it is one, what the report says, what to do.

pub(crate) mod blocked;
pub(crate) mod blocking_pool_full;
pub(crate) mod excuse;
pub(crate) mod large_future;
pub(crate) mod lost_waker;
pub(crate) mod never_polled;
pub(crate) mod pending_at_shutdown;
pub(crate) mod polled_after_completion;
mod running;
pub(crate) mod shutdown_hang;
pub(crate) mod slow_drop;
pub(crate) mod slow_poll;
pub(crate) mod span_across_await;
pub(crate) mod unretrieved;
pub(crate) mod untracked_tasks;

use std::sync::Arc;

use crate::mode::Scope;
use crate::record::Record;

/// Which worker a finding is about where no record says more.
pub(crate) struct Whose<'a> {
    pub(crate) scope: &'a Arc<Scope>,
    /// For the middle of a sentence.
    pub(crate) worker: &'a str,
    /// There is no doubt which thread runs it.
    pub(crate) certain: bool,
}

/// ``task `hasher` ``
fn subject(record: &Record) -> String {
    format!("{} `{}`", record.object().noun(), record.name())
}

/// `spawned at src/main.rs:12:5`
fn origin(record: &Record) -> String {
    format!("{} {}", record.object().born(), record.site().location())
}
