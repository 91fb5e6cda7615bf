//! A runtime.

use std::fmt;
use std::future::Future;
#[cfg(feature = "rt-multi-thread")]
use std::io;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "rt-multi-thread")]
use super::Builder;
use super::handle::Root;
use super::owned::{Origin, Owned};
use super::time_limit::{TimedOut, Within};
use super::{EnterGuard, Handle, Snapshot};
use crate::mode::{self, Scope};
use crate::task::JoinHandle;

/// A runtime, as [`tokio::runtime::Runtime`], with a switch of its own. Made by
/// [`Builder::build`].
///
/// When it is dropped, the tasks that it leaves are reported in one summary.
pub struct Runtime(Owned<tokio::runtime::Runtime>);

impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}

impl Runtime {
    /// See [`tokio::runtime::Runtime::new`]. The environment decides on the mode.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[cfg(feature = "rt-multi-thread")]
    pub fn new() -> io::Result<Runtime> {
        Builder::new_multi_thread().enable_all().build()
    }

    pub(super) fn new_in(inner: tokio::runtime::Runtime, origin: Origin) -> Runtime {
        let handle = inner.handle().clone();
        Runtime(Owned::new(inner, handle, origin))
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        self.0.scope()
    }

    /// See [`tokio::runtime::Runtime::handle`].
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// See [`tokio::runtime::Runtime::spawn`]. The task is tracked.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle().spawn(future)
    }

    /// See [`tokio::runtime::Runtime::spawn_blocking`]. The call is tracked.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle().spawn_blocking(func)
    }

    /// See [`tokio::runtime::Runtime::block_on`]. In debug mode, the future is
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

    /// See [`tokio::runtime::Runtime::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }

    /// The figures of the runtime, now.
    pub fn snapshot(&self) -> Snapshot {
        self.handle().snapshot()
    }

    /// See [`tokio::runtime::Runtime::shutdown_timeout`]. If the time does not suffice,
    /// what is said of [`shutdown_background`](Runtime::shutdown_background) holds.
    pub fn shutdown_timeout(mut self, duration: Duration) {
        self.0.end_early(|inner| inner.shutdown_timeout(duration));
    }

    /// See [`tokio::runtime::Runtime::shutdown_background`].
    ///
    /// In production mode it is their drops that tell of the tasks that were left, and
    /// workers go on dropping after this has returned. So the summary has only those
    /// that were dropped by then, and says `at least`; on several workers that may be
    /// none, and there is no summary. In debug mode it has them all.
    pub fn shutdown_background(mut self) {
        self.0
            .end_early(tokio::runtime::Runtime::shutdown_background);
    }
}

/// What is not tracked is tokio's own.
impl Deref for Runtime {
    type Target = tokio::runtime::Runtime;

    fn deref(&self) -> &tokio::runtime::Runtime {
        self.0.inner()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.inner(), f)
    }
}
