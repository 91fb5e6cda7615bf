//! The builder of a [`JoinSet`]'s tasks.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::outcome::ByType;
use super::spawning::{On, Spawning};
use super::tracked::TrackedTask;
use super::{AbortHandle, Call, JoinSet};
use crate::mode::{Scope, scope_of};
use crate::record::{Object, Record};

/// Spawns tasks that have a name into a [`JoinSet`], as
/// [`tokio::task::join_set::Builder`]: reports use the name too.
#[must_use = "builders do nothing unless used to spawn a task"]
pub struct Builder<'a, T> {
    join_set: &'a mut JoinSet<T>,
    builder: super::Builder<'a>,
}

type Wrapped<F> = (TrackedTask<F, ByType>, Option<Arc<Record>>);

impl<'a, T: 'static> Builder<'a, T> {
    pub(super) fn new(join_set: &'a mut JoinSet<T>) -> Builder<'a, T> {
        Builder {
            join_set,
            builder: super::Builder::new(),
        }
    }

    /// See [`tokio::task::join_set::Builder::name`].
    pub fn name(self, name: &'a str) -> Self {
        let builder = self.builder.name(name);
        Self { builder, ..self }
    }

    fn wrap<F: Future>(
        &self,
        future: F,
        object: Object,
        at: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> Wrapped<F> {
        TrackedTask::new(future, object, self.builder.given(), at, scope)
    }

    /// See [`tokio::task::join_set::Builder::spawn`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let (task, record) = self.wrap(future, Object::Task, Location::caller(), None);
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let _spawning = Spawning::begin();
        let handle = inner.spawn(task)?;
        Ok(join_set.entered(handle, record, On::Here))
    }

    /// See [`tokio::task::join_set::Builder::spawn_on`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let (runtime, scope) = (handle, scope_of(handle));
        let (task, record) = self.wrap(future, Object::Task, Location::caller(), Some(&scope));
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let _spawning = Spawning::begin();
        let handle = inner.spawn_on(task, runtime)?;
        Ok(join_set.entered(handle, record, On::Runtime(runtime, &scope)))
    }

    /// See [`tokio::task::join_set::Builder::spawn_blocking`]. The call is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_blocking<F>(self, f: F) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let (at, name) = (Location::caller(), self.builder.given());
        let (call, record) = Call::new(f, name, at, None);
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let handle = inner.spawn_blocking(move || call.run())?;
        Ok(join_set.entered(handle, record, On::Here))
    }

    /// See [`tokio::task::join_set::Builder::spawn_blocking_on`]. The call is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, f: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let (runtime, scope) = (handle, scope_of(handle));
        let (at, name) = (Location::caller(), self.builder.given());
        let (call, record) = Call::new(f, name, at, Some(&scope));
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let handle = inner.spawn_blocking_on(move || call.run(), runtime)?;
        Ok(join_set.entered(handle, record, On::Runtime(runtime, &scope)))
    }

    /// See [`tokio::task::join_set::Builder::spawn_local`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
    {
        let (task, record) = self.wrap(future, Object::LocalTask, Location::caller(), None);
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let _spawning = Spawning::begin();
        let handle = inner.spawn_local(task)?;
        Ok(join_set.entered(handle, record, On::Here))
    }

    /// See [`tokio::task::join_set::Builder::spawn_local_on`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_local_on<F>(
        self,
        future: F,
        local_set: &tokio::task::LocalSet,
    ) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
    {
        let (task, record) = self.wrap(future, Object::LocalTask, Location::caller(), None);
        let Builder { join_set, builder } = self;
        let inner = builder.named(join_set.inner.build_task());
        let _spawning = Spawning::begin();
        let handle = inner.spawn_local_on(task, local_set)?;
        Ok(join_set.entered(handle, record, On::Here))
    }
}

impl<T> fmt::Debug for Builder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("join_set::Builder")
            .field("join_set", &self.join_set)
            .field("builder", &self.builder)
            .finish()
    }
}
