//! What was seen of a thread while it was blocked.

use crate::stack::Captured;

/// What a blocked thread was seen doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) stack: Captured,
    /// There was more of the stack than was taken.
    pub(crate) cut: bool,
    pub(crate) doing: Option<Doing>,
    /// The task that tokio ran there.
    pub(crate) task: Option<tokio::task::Id>,
}

/// What a thread does with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// It computes, or would if it got a processor.
    Computing,
    /// It waits: for a lock, a device, another thread, the time.
    Waiting,
}

impl Live {
    /// For the middle of a sentence.
    pub(crate) fn in_words(&self) -> &'static str {
        match self.doing {
            Some(Doing::Computing) => ", computing",
            Some(Doing::Waiting) => ", waiting",
            None => "",
        }
    }
}
