//! The right to abort a task.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::record::{Flag, Record};

/// The right to abort a task, as [`tokio::task::AbortHandle`].
#[derive(Clone)]
pub struct AbortHandle {
    inner: tokio::task::AbortHandle,
    record: Option<Arc<Record>>,
}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    pub(super) fn new(inner: tokio::task::AbortHandle, record: Option<Arc<Record>>) -> Self {
        AbortHandle { inner, record }
    }

    /// See [`tokio::task::AbortHandle::abort`]. The task's end is no news then,
    /// however it ends.
    pub fn abort(&self) {
        if let Some(record) = &self.record {
            record.set(Flag::ABORTED);
        }
        self.inner.abort();
    }

    /// See [`tokio::task::AbortHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// See [`tokio::task::AbortHandle::id`].
    pub fn id(&self) -> tokio::task::Id {
        self.inner.id()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}
