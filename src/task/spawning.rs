//! The spawns of this crate, which tokio's hook sees as it sees those of others.

#[cfg(tokio_unstable)]
use std::cell::Cell;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::detect::never_polled;
use crate::mode::Scope;
use crate::record::{Record, Step};

/// The runtime that a task was given to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On<'a> {
    /// The one of this thread.
    Here,
    /// This one, whose switch is the scope's.
    Runtime(&'a Handle, &'a Arc<Scope>),
}

impl On<'_> {
    /// Whether it is known to have shut down. One that did so in the background may take
    /// a task all the same, and drop it a little later.
    fn is_closed(self) -> bool {
        match self {
            On::Here => false,
            On::Runtime(_, scope) => scope.is_closed(),
        }
    }
}

/// Looks at a task that has just been spawned: if it has ended without a poll, its
/// runtime did not take it. tokio says so only to whoever awaits the handle.
#[inline]
pub(super) fn look(record: Option<&Arc<Record>>, is_finished: impl FnOnce() -> bool, on: On<'_>) {
    if let Some(record) = record
        && !record.has(Step::Polled)
        && (on.is_closed() || is_finished())
    {
        refused(record, on);
    }
}

#[cold]
fn refused(record: &Arc<Record>, on: On<'_>) {
    let here = Scope::current();
    let scope = match on {
        On::Here => &here,
        On::Runtime(_, scope) => scope,
    };
    let had_shut_down = if scope.is_ending() {
        scope.is_closed()
    } else {
        // tokio's own does not say. While it ends, what it drops still runs in it, and
        // may spawn there as it does at any other time.
        match on {
            On::Here => return never_polled::refused_here(record, scope),
            On::Runtime(handle, _) => {
                Handle::try_current().map_or(true, |current| current.id() != handle.id())
            }
        }
    };
    if had_shut_down {
        never_polled::refused(record, scope);
    }
}

#[cfg(tokio_unstable)]
thread_local! {
    /// The next task that is spawned on this thread is wrapped.
    static WRAPPED: Cell<bool> = const { Cell::new(false) };
}

/// A wrapped task is spawned on this thread till this is dropped. Without
/// `--cfg tokio_unstable` there is no hook that would see it, and this is nothing.
///
/// A guard and not a closure, in which tokio would not see who called.
#[must_use = "the spawn is over when this is dropped"]
pub(crate) struct Spawning(());

impl Spawning {
    #[inline]
    pub(crate) fn begin() -> Spawning {
        #[cfg(tokio_unstable)]
        let _ = WRAPPED.try_with(|wrapped| wrapped.set(true));
        Spawning(())
    }
}

#[cfg(tokio_unstable)]
impl Drop for Spawning {
    fn drop(&mut self) {
        // Not every spawn has a hook: a `LocalSet`'s has none.
        let _ = WRAPPED.try_with(|wrapped| wrapped.set(false));
    }
}

/// Whether the task that has just been spawned on this thread is wrapped. To be asked
/// before anything else may spawn.
#[cfg(tokio_unstable)]
pub(crate) fn was_wrapped() -> bool {
    WRAPPED.try_with(Cell::take).unwrap_or(false)
}
