//! Tasks that stay on their thread.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::JoinHandle;
use super::outcome::ByType;
use super::spawning::Spawning;
use super::tracked::TrackedTask;
use crate::mode;
use crate::record::{Object, Record};

/// Spawns a task on the current [`LocalSet`] or local runtime, as
/// [`tokio::task::spawn_local`] does, and watches it.
///
/// # Panics
///
/// As [`tokio::task::spawn_local`]: outside a `LocalSet` and a local runtime.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use debug_async::task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let set = task::LocalSet::new();
/// let shared = Rc::new(42);
/// let seen = set.run_until(async move { task::spawn_local(async move { *shared }).await });
/// assert_eq!(seen.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (task, record) = local_task(future, Location::caller());
    let _spawning = Spawning::begin();
    JoinHandle::new::<ByType>(tokio::task::spawn_local(task), record)
}

type Local<F> = (TrackedTask<F, ByType>, Option<Arc<Record>>);

/// Wraps a future that is about to be spawned on this thread.
pub(crate) fn local_task<F: Future>(future: F, at: &'static Location<'static>) -> Local<F> {
    TrackedTask::new(future, Object::LocalTask, None, at, None)
}

/// A set of tasks on one thread, as [`tokio::task::LocalSet`]. What it does not
/// track itself it has from tokio's, to which it dereferences.
#[derive(Default)]
pub struct LocalSet {
    inner: tokio::task::LocalSet,
}

impl LocalSet {
    /// See [`tokio::task::LocalSet::new`].
    pub fn new() -> LocalSet {
        LocalSet::default()
    }

    /// See [`tokio::task::LocalSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (task, record) = local_task(future, Location::caller());
        JoinHandle::new::<ByType>(self.inner.spawn_local(task), record)
    }

    /// See [`tokio::task::LocalSet::enter`].
    pub fn enter(&self) -> tokio::task::LocalEnterGuard {
        self.inner.enter()
    }

    /// See [`tokio::task::LocalSet::id`].
    pub fn id(&self) -> tokio::runtime::Id {
        self.inner.id()
    }

    /// See [`tokio::task::LocalSet::run_until`].
    pub async fn run_until<F>(&self, future: F) -> F::Output
    where
        F: Future,
    {
        self.inner.run_until(future).await
    }

    /// See [`tokio::task::LocalSet::block_on`]. What it runs obeys the switch of
    /// that runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, rt: &tokio::runtime::Runtime, future: F) -> F::Output {
        let _entered = mode::enter(Some(mode::scope_of(rt.handle())));
        self.inner.block_on(rt, future)
    }

    /// See [`tokio::task::LocalSet::unhandled_panic`].
    #[cfg(tokio_unstable)]
    #[cfg_attr(docsrs, doc(cfg(tokio_unstable)))]
    pub fn unhandled_panic(&mut self, behavior: tokio::runtime::UnhandledPanic) -> &mut Self {
        self.inner.unhandled_panic(behavior);
        self
    }
}

impl Deref for LocalSet {
    type Target = tokio::task::LocalSet;

    fn deref(&self) -> &tokio::task::LocalSet {
        &self.inner
    }
}

impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.get_mut().inner).poll(cx)
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}
