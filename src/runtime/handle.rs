//! A handle to a runtime, and what runs on it from outside.

use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::TryCurrentError;

use super::Snapshot;
use crate::mode::{self, Entered, Mode, Scope};
use crate::observe::Watch;
use crate::record::Object;
use crate::task::{ByType, Call, JoinHandle, On, Spawning, TrackedTask};

/// A handle to a runtime, as [`tokio::runtime::Handle`], to which it dereferences.
///
/// What is spawned through it is tracked, with the switch of that runtime if it
/// is one of ours, and with the process's if not:
///
/// ```
/// use debug_async::runtime::Handle;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let handle = Handle::from(tokio::runtime::Handle::current());
/// assert_eq!(handle.spawn(async { 42 }).await.unwrap(), 42);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    inner: tokio::runtime::Handle,
    scope: Arc<Scope>,
}

impl std::panic::UnwindSafe for Handle {}
impl std::panic::RefUnwindSafe for Handle {}

/// The context of a runtime on this thread; left when dropped. See
/// [`Handle::enter`].
#[must_use = "the context is left when this is dropped"]
pub struct EnterGuard<'a> {
    _entered: Entered,
    _inner: tokio::runtime::EnterGuard<'a>,
}

impl std::fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(inner: tokio::runtime::Handle, scope: Arc<Scope>) -> Handle {
        Handle { inner, scope }
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    fn on(&self) -> On<'_> {
        On::Runtime(&self.inner, &self.scope)
    }

    /// See [`tokio::runtime::Handle::current`].
    ///
    /// # Panics
    ///
    /// As tokio's: outside a runtime.
    #[track_caller]
    pub fn current() -> Handle {
        Handle::from(tokio::runtime::Handle::current())
    }

    /// See [`tokio::runtime::Handle::try_current`].
    ///
    /// # Errors
    ///
    /// As tokio's: outside a runtime.
    pub fn try_current() -> Result<Handle, TryCurrentError> {
        tokio::runtime::Handle::try_current().map(Handle::from)
    }

    /// See [`tokio::runtime::Handle::spawn`]. The task is tracked.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, record) = TrackedTask::<F, ByType>::new(
            future,
            Object::Task,
            None,
            Location::caller(),
            Some(&self.scope),
        );
        let _spawning = Spawning::begin();
        JoinHandle::on::<ByType>(self.on(), self.inner.spawn(task), record)
    }

    /// See [`tokio::runtime::Handle::spawn_blocking`]. The call is tracked.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (call, record) = Call::new(func, None, Location::caller(), Some(&self.scope));
        JoinHandle::on::<ByType>(
            self.on(),
            self.inner.spawn_blocking(move || call.run()),
            record,
        )
    }

    /// See [`tokio::runtime::Handle::block_on`]. In debug mode, the future is
    /// tracked.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = mode::enter(Some(Arc::clone(&self.scope)));
        self.inner
            .block_on(Root::new(future, None, Location::caller(), &self.scope))
    }

    /// See [`tokio::runtime::Handle::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        let _entered = mode::enter(Some(Arc::clone(&self.scope)));
        EnterGuard {
            _entered,
            _inner: self.inner.enter(),
        }
    }

    /// The figures of the runtime, now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.inner, &self.scope)
    }
}

impl From<tokio::runtime::Handle> for Handle {
    fn from(inner: tokio::runtime::Handle) -> Handle {
        let scope = mode::scope_of(&inner);
        Handle { inner, scope }
    }
}

/// What is not tracked is tokio's own.
impl Deref for Handle {
    type Target = tokio::runtime::Handle;

    fn deref(&self) -> &tokio::runtime::Handle {
        &self.inner
    }
}

pin_project! {
    /// The future that `block_on` runs.
    pub(super) struct Root<F> {
        #[pin]
        inner: F,
        // After `inner`: see `TrackedFuture`.
        watch: Watch,
    }

    impl<F> PinnedDrop for Root<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().watch.begin_drop();
        }
    }
}

impl<F: Future> Root<F> {
    pub(super) fn new(
        inner: F,
        name: Option<String>,
        at: &'static Location<'static>,
        scope: &Arc<Scope>,
    ) -> Root<F> {
        // It is always polled, so there is nothing to find in production.
        let watch = match scope.mode() {
            Mode::Debug => Watch::new::<F>(Object::Root, name, at, Some(scope)),
            Mode::Off | Mode::Production => Watch::nothing(),
        };
        Root { inner, watch }
    }
}

impl<F: Future> Future for Root<F> {
    type Output = F::Output;

    /// Short, as that of a task is.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.watch.record().is_some() {
            self.poll_watched(cx)
        } else {
            self.project().inner.poll(cx)
        }
    }
}

impl<F: Future> Root<F> {
    /// By this name it is known as the end of an await stack.
    #[inline(never)]
    fn poll_watched(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.watch.poll(cx, |cx| this.inner.poll(cx))
    }
}
