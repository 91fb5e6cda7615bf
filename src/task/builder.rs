//! A task with a name, by tokio's unstable builder.

use std::future::Future;
use std::io;
use std::panic::Location;

use tokio::runtime::Handle;

use super::outcome::ByType;
use super::spawning::{On, Spawning};
use super::tracked::TrackedTask;
use super::{Call, JoinHandle};
use crate::mode::scope_of;
use crate::record::Object;

/// Spawns tasks that have a name, as [`tokio::task::Builder`]: reports use it too.
///
/// [`spawn!`](crate::spawn!) takes a name without `--cfg tokio_unstable`.
#[derive(Debug, Default)]
pub struct Builder<'a> {
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// See [`tokio::task::Builder::new`].
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`tokio::task::Builder::name`].
    pub fn name(&self, name: &'a str) -> Self {
        Self { name: Some(name) }
    }

    /// See [`tokio::task::Builder::spawn`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let at = Location::caller();
        let (task, record) =
            TrackedTask::<Fut, ByType>::new(future, Object::Task, self.given(), at, None);
        let _spawning = Spawning::begin();
        Ok(JoinHandle::new::<ByType>(self.tokio().spawn(task)?, record))
    }

    /// See [`tokio::task::Builder::spawn_on`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_on<Fut>(self, future: Fut, handle: &Handle) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let (at, scope) = (Location::caller(), scope_of(handle));
        let (task, record) =
            TrackedTask::<Fut, ByType>::new(future, Object::Task, self.given(), at, Some(&scope));
        let _spawning = Spawning::begin();
        Ok(JoinHandle::on::<ByType>(
            On::Runtime(handle, &scope),
            self.tokio().spawn_on(task, handle)?,
            record,
        ))
    }

    /// See [`tokio::task::Builder::spawn_local`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_local<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        let at = Location::caller();
        let (task, record) =
            TrackedTask::<Fut, ByType>::new(future, Object::LocalTask, self.given(), at, None);
        let _spawning = Spawning::begin();
        Ok(JoinHandle::new::<ByType>(
            self.tokio().spawn_local(task)?,
            record,
        ))
    }

    /// See [`tokio::task::Builder::spawn_local_on`]. The task is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_local_on<Fut>(
        self,
        future: Fut,
        local_set: &tokio::task::LocalSet,
    ) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        let at = Location::caller();
        let (task, record) =
            TrackedTask::<Fut, ByType>::new(future, Object::LocalTask, self.given(), at, None);
        Ok(JoinHandle::new::<ByType>(
            self.tokio().spawn_local_on(task, local_set)?,
            record,
        ))
    }

    /// See [`tokio::task::Builder::spawn_blocking`]. The call is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_blocking<Function, Output>(
        self,
        function: Function,
    ) -> io::Result<JoinHandle<Output>>
    where
        Function: FnOnce() -> Output + Send + 'static,
        Output: Send + 'static,
    {
        let (call, record) = Call::new(function, self.given(), Location::caller(), None);
        Ok(JoinHandle::new::<ByType>(
            self.tokio().spawn_blocking(move || call.run())?,
            record,
        ))
    }

    /// See [`tokio::task::Builder::spawn_blocking_on`]. The call is tracked.
    ///
    /// # Errors
    ///
    /// As tokio's.
    #[track_caller]
    pub fn spawn_blocking_on<Function, Output>(
        self,
        function: Function,
        handle: &Handle,
    ) -> io::Result<JoinHandle<Output>>
    where
        Function: FnOnce() -> Output + Send + 'static,
        Output: Send + 'static,
    {
        let (at, scope) = (Location::caller(), scope_of(handle));
        let (call, record) = Call::new(function, self.given(), at, Some(&scope));
        Ok(JoinHandle::on::<ByType>(
            On::Runtime(handle, &scope),
            self.tokio().spawn_blocking_on(move || call.run(), handle)?,
            record,
        ))
    }

    pub(super) fn given(&self) -> Option<String> {
        self.name.map(str::to_owned)
    }

    fn tokio(&self) -> tokio::task::Builder<'a> {
        let builder = tokio::task::Builder::new();
        match self.name {
            Some(name) => builder.name(name),
            None => builder,
        }
    }

    /// Passes the name on.
    pub(super) fn named<T: 'static>(
        &self,
        builder: tokio::task::join_set::Builder<'a, T>,
    ) -> tokio::task::join_set::Builder<'a, T> {
        match self.name {
            Some(name) => builder.name(name),
            None => builder,
        }
    }
}
