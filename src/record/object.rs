//! The sorts of thing that are tracked.

/// What sort of thing is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Future,
    #[cfg_attr(not(feature = "stream"), allow(dead_code))]
    Stream,
    /// A reader or a writer.
    #[cfg_attr(not(feature = "io"), allow(dead_code))]
    Io,
    Task,
    /// A task that nobody wrapped: tokio's hooks show it.
    #[cfg_attr(not(tokio_unstable), allow(dead_code))]
    UnwrappedTask,
    LocalTask,
    BlockingTask,
    /// The future that a runtime's `block_on` runs.
    Root,
}

impl Object {
    /// What a report calls it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Object::Future => "future",
            Object::Stream => "stream",
            Object::Io => "I/O object",
            Object::Task | Object::UnwrappedTask => "task",
            Object::LocalTask => "local task",
            Object::BlockingTask => "blocking task",
            Object::Root => "main future",
        }
    }

    /// How a report says where it came from.
    pub(crate) fn born(self) -> &'static str {
        match self {
            Object::Future | Object::Stream | Object::Io => "created at",
            Object::Root => "run at",
            _ => "spawned at",
        }
    }

    pub(crate) fn is_task(self) -> bool {
        match self {
            Object::Task | Object::UnwrappedTask | Object::LocalTask | Object::BlockingTask => true,
            Object::Future | Object::Stream | Object::Io | Object::Root => false,
        }
    }

    /// Whether it is a part of whatever polls it, and belongs to who made it.
    pub(crate) fn is_part(self) -> bool {
        matches!(self, Object::Future | Object::Stream)
    }
}
