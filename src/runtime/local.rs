//! A runtime all of whose tasks stay on one thread.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::LocalOptions;

use super::handle::Root;
use super::owned::{Origin, Owned};
use super::time_limit::{TimedOut, Within};
use super::{Builder, EnterGuard, Handle, Snapshot};
use crate::mode::{self, Scope};
use crate::task::{ByType, JoinHandle, Spawning, local_task};

/// A runtime on one thread, as [`tokio::runtime::LocalRuntime`], with a switch of
/// its own. Made by [`Builder::build_local`].
pub struct LocalRuntime(Owned<tokio::runtime::LocalRuntime>);

impl UnwindSafe for LocalRuntime {}
impl RefUnwindSafe for LocalRuntime {}

impl LocalRuntime {
    /// See [`tokio::runtime::LocalRuntime::new`].
    ///
    /// # Errors
    ///
    /// As tokio's.
    pub fn new() -> io::Result<LocalRuntime> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    pub(super) fn new_in(inner: tokio::runtime::LocalRuntime, origin: Origin) -> LocalRuntime {
        let handle = inner.handle().clone();
        LocalRuntime(Owned::new(inner, handle, origin))
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        self.0.scope()
    }

    /// See [`tokio::runtime::LocalRuntime::handle`].
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// See [`tokio::runtime::LocalRuntime::spawn_local`]. The task is tracked.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let _entered = mode::enter(Some(Arc::clone(self.scope())));
        let (task, record) = local_task(future, Location::caller());
        let _spawning = Spawning::begin();
        JoinHandle::new::<ByType>(self.0.inner().spawn_local(task), record)
    }

    /// See [`tokio::runtime::LocalRuntime::spawn_blocking`]. The call is tracked.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle().spawn_blocking(func)
    }

    /// See [`tokio::runtime::LocalRuntime::block_on`]. In debug mode, the future is
    /// tracked.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.drive(Root::new(future, None, Location::caller(), self.scope()))
    }

    #[track_caller]
    pub(super) fn block_on_within<F: Future>(
        &self,
        limit: Option<Duration>,
        future: F,
        name: Option<String>,
        location: &'static Location<'static>,
    ) -> Result<F::Output, TimedOut> {
        let root = Root::new(future, name, location, self.scope());
        self.drive(Within::new(root, limit, self.scope()))
    }

    #[track_caller]
    fn drive<F: Future>(&self, future: F) -> F::Output {
        let _entered = mode::enter(Some(Arc::clone(self.scope())));
        let _driving = self.0.drive();
        self.0.inner().block_on(future)
    }

    /// See [`tokio::runtime::LocalRuntime::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }

    /// The figures of the runtime, now.
    pub fn snapshot(&self) -> Snapshot {
        self.handle().snapshot()
    }

    /// See [`tokio::runtime::LocalRuntime::shutdown_timeout`].
    pub fn shutdown_timeout(mut self, duration: Duration) {
        self.0.end_early(|inner| inner.shutdown_timeout(duration));
    }

    /// See [`tokio::runtime::LocalRuntime::shutdown_background`].
    pub fn shutdown_background(mut self) {
        self.0
            .end_early(tokio::runtime::LocalRuntime::shutdown_background);
    }
}

/// What is not tracked is tokio's own.
impl Deref for LocalRuntime {
    type Target = tokio::runtime::LocalRuntime;

    fn deref(&self) -> &tokio::runtime::LocalRuntime {
        self.0.inner()
    }
}

impl fmt::Debug for LocalRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.inner(), f)
    }
}
