//! The spawns of this crate, which tokio's hook sees as it sees those of others.

#[cfg(tokio_unstable)]
use std::cell::Cell;

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
