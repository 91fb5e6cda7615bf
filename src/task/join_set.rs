//! A set of tasks.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{Id, JoinError};

#[cfg(all(tokio_unstable, feature = "tracing"))]
#[cfg_attr(docsrs, doc(cfg(all(tokio_unstable, feature = "tracing"))))]
pub use super::join_set_builder::Builder;
use super::outcome::ByType;
use super::spawning::{self, On, Spawning};
use super::{AbortHandle, Call, TrackedTask, local_task};
use crate::detect::{unjoined_results, unretrieved};
use crate::mode::{Scope, scope_of};
use crate::record::{Flag, Object, Record, Results};

/// A set of tasks, as [`tokio::task::JoinSet`], each of them tracked.
///
/// A result that is joined has been looked at. Dropping the set aborts what still
/// runs, which is no news; what had failed by then and was not joined is reported.
///
/// # Examples
///
/// ```
/// use debug_async::task::JoinSet;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut set: JoinSet<u32> = (1..=10).map(|n| async move { n }).collect();
/// let mut sum = 0;
/// while let Some(result) = set.join_next().await {
///     sum += result.unwrap();
/// }
/// assert_eq!(sum, 55);
/// # }
/// ```
pub struct JoinSet<T> {
    pub(super) inner: tokio::task::JoinSet<T>,
    /// The records of those that were not joined; empty while the mode is off.
    records: HashMap<Id, Arc<Record>>,
    /// In debug mode, from the first task on.
    results: Option<Arc<Results>>,
}

impl<T> JoinSet<T> {
    /// See [`tokio::task::JoinSet::new`].
    pub fn new() -> JoinSet<T> {
        JoinSet {
            inner: tokio::task::JoinSet::new(),
            records: HashMap::new(),
            results: None,
        }
    }

    /// See [`tokio::task::JoinSet::len`].
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// See [`tokio::task::JoinSet::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    pub(super) fn entered(
        &mut self,
        handle: tokio::task::AbortHandle,
        record: Option<Arc<Record>>,
        on: On<'_>,
    ) -> AbortHandle {
        spawning::look(record.as_ref(), || handle.is_finished(), on);
        if let Some(record) = &record {
            self.records.insert(handle.id(), Arc::clone(record));
            if record.debug().is_some() {
                let results = self
                    .results
                    .get_or_insert_with(|| unjoined_results::watch(record));
                results.enter(record);
            }
        }
        AbortHandle::new(handle, record)
    }
}

impl<T: 'static> JoinSet<T> {
    /// See [`tokio::task::JoinSet::build_task`].
    #[cfg(all(tokio_unstable, feature = "tracing"))]
    #[cfg_attr(docsrs, doc(cfg(all(tokio_unstable, feature = "tracing"))))]
    pub fn build_task(&mut self) -> Builder<'_, T> {
        Builder::new(self)
    }

    /// See [`tokio::task::JoinSet::spawn`].
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let (task, record) = wrap(task, Location::caller(), None);
        let _spawning = Spawning::begin();
        let handle = self.inner.spawn(task);
        self.entered(handle, record, On::Here)
    }

    /// See [`tokio::task::JoinSet::spawn_on`].
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let (runtime, scope) = (handle, scope_of(handle));
        let (task, record) = wrap(task, Location::caller(), Some(&scope));
        let _spawning = Spawning::begin();
        let handle = self.inner.spawn_on(task, runtime);
        self.entered(handle, record, On::Runtime(runtime, &scope))
    }

    /// See [`tokio::task::JoinSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let (task, record) = local_task(task, Location::caller());
        let _spawning = Spawning::begin();
        let handle = self.inner.spawn_local(task);
        self.entered(handle, record, On::Here)
    }

    /// See [`tokio::task::JoinSet::spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &tokio::task::LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let (task, record) = local_task(task, Location::caller());
        let handle = self.inner.spawn_local_on(task, local_set);
        self.entered(handle, record, On::Here)
    }

    /// See [`tokio::task::JoinSet::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let (call, record) = Call::new(f, None, Location::caller(), None);
        let handle = self.inner.spawn_blocking(move || call.run());
        self.entered(handle, record, On::Here)
    }

    /// See [`tokio::task::JoinSet::spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let (runtime, scope) = (handle, scope_of(handle));
        let (call, record) = Call::new(f, None, Location::caller(), Some(&scope));
        let handle = self.inner.spawn_blocking_on(move || call.run(), runtime);
        self.entered(handle, record, On::Runtime(runtime, &scope))
    }

    /// See [`tokio::task::JoinSet::join_next`]. Cancel safe.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// See [`tokio::task::JoinSet::join_next_with_id`]. Cancel safe.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// See [`tokio::task::JoinSet::try_join_next`].
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        Some(self.try_join_next_with_id()?.map(|(_, output)| output))
    }

    /// See [`tokio::task::JoinSet::try_join_next_with_id`].
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let result = self.inner.try_join_next_with_id()?;
        self.joined(&result);
        Some(result)
    }

    /// See [`tokio::task::JoinSet::poll_join_next`].
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let joined = self.poll_join_next_with_id(cx);
        joined.map(|next| next.map(|result| result.map(|(_, output)| output)))
    }

    /// See [`tokio::task::JoinSet::poll_join_next_with_id`].
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let next = self.inner.poll_join_next_with_id(cx);
        if let Poll::Ready(Some(result)) = &next {
            self.joined(result);
        }
        next
    }

    fn joined(&mut self, result: &Result<(Id, T), JoinError>) {
        let id = match result {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        if let Some(record) = self.records.remove(&id) {
            unretrieved::read(&record);
            if let (Some(results), Some(_)) = (&self.results, record.debug()) {
                results.joined();
            }
        }
    }

    /// See [`tokio::task::JoinSet::shutdown`].
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// See [`tokio::task::JoinSet::join_all`].
    ///
    /// # Panics
    ///
    /// As tokio's: if a task panicked or was aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        // Whether it comes to each of them or not: somebody asked for all.
        for record in self.records.values() {
            unretrieved::read(record);
        }
        std::mem::take(&mut self.inner).join_all().await
    }

    /// See [`tokio::task::JoinSet::abort_all`].
    pub fn abort_all(&mut self) {
        for record in self.records.values() {
            record.set(Flag::ABORTED);
        }
        self.inner.abort_all();
    }

    /// See [`tokio::task::JoinSet::detach_all`]. As with a handle that is dropped,
    /// a task that fails afterwards is reported.
    pub fn detach_all(&mut self) {
        if let Some(results) = self.results.take() {
            results.close();
        }
        for (_, record) in self.records.drain() {
            unretrieved::unheld(&record, || None);
        }
        self.inner.detach_all();
    }
}

fn wrap<F: Future>(
    task: F,
    location: &'static Location<'static>,
    scope: Option<&Arc<Scope>>,
) -> (TrackedTask<F, ByType>, Option<Arc<Record>>) {
    TrackedTask::new(task, Object::Task, None, location, scope)
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        if let Some(results) = &self.results {
            results.close();
        }
        // What has failed is lost; what has not is aborted with the set.
        for (_, record) in self.records.drain() {
            if !record.is(Flag::FAILED) {
                record.set(Flag::ABORTED);
            }
            unretrieved::unheld(&record, || None);
        }
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

/// `collect` does not say where it was called: the site of these tasks is in the
/// standard library, and only their stack names your line. `extend` does better.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(iter: I) -> Self {
        let mut set = Self::new();
        for task in iter {
            set.spawn(task);
        }
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, iter: I) {
        for task in iter {
            self.spawn(task);
        }
    }
}
