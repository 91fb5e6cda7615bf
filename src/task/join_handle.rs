//! The handle of a task.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::JoinError;

use super::AbortHandle;
use super::outcome::Probe;
use super::spawning::{self, On};
use crate::detect::{abandoned, unretrieved};
use crate::record::{Flag, Record, Step};

/// The handle of a task, as [`tokio::task::JoinHandle`].
///
/// Dropping it lets the task run on, as with tokio; if the task fails then, that
/// is reported. [`detach`](JoinHandle::detach) says that nobody will look.
pub struct JoinHandle<T> {
    /// Always there till `into_tokio`.
    inner: Option<tokio::task::JoinHandle<T>>,
    record: Option<Arc<Record>>,
    text: fn(&T) -> Option<String>,
}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Of a task that has just been spawned on the runtime of this thread.
    #[inline]
    pub(crate) fn new<P: Probe<T>>(
        inner: tokio::task::JoinHandle<T>,
        record: Option<Arc<Record>>,
    ) -> JoinHandle<T> {
        JoinHandle::on::<P>(On::Here, inner, record)
    }

    /// The same, on that runtime.
    #[inline]
    pub(crate) fn on<P: Probe<T>>(
        runtime: On<'_>,
        inner: tokio::task::JoinHandle<T>,
        record: Option<Arc<Record>>,
    ) -> JoinHandle<T> {
        spawning::look(record.as_ref(), || inner.is_finished(), runtime);
        JoinHandle {
            inner: Some(inner),
            record,
            text: P::text,
        }
    }

    fn inner(&self) -> &tokio::task::JoinHandle<T> {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("only `into_tokio` takes it, and takes `self`"),
        }
    }

    /// See [`tokio::task::JoinHandle::abort`]. The task's end is no news then,
    /// however it ends.
    pub fn abort(&self) {
        if let Some(record) = &self.record {
            record.set(Flag::ABORTED);
        }
        self.inner().abort();
    }

    /// See [`tokio::task::JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner().is_finished()
    }

    /// See [`tokio::task::JoinHandle::abort_handle`].
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.inner().abort_handle(), self.record.clone())
    }

    /// See [`tokio::task::JoinHandle::id`].
    pub fn id(&self) -> tokio::task::Id {
        self.inner().id()
    }

    /// Lets the task run on and says that its result is not wanted: neither an
    /// error nor a panic of it is reported as lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// debug_async::spawn!(async { Err::<(), _>("nobody cares") }).detach();
    /// # }
    /// ```
    pub fn detach(self) {
        self.mark_read();
    }

    /// tokio's own handle, for a function that wants one. What the task returns
    /// is then taken as looked at.
    pub fn into_tokio(mut self) -> tokio::task::JoinHandle<T> {
        self.mark_read();
        if let Some(record) = &self.record {
            // Whoever has it may abort it in ways that go unseen.
            record.set(Flag::DISCARDED);
        }
        match self.inner.take() {
            Some(inner) => inner,
            None => unreachable!("only `into_tokio` takes it, and takes `self`"),
        }
    }

    #[inline(never)]
    fn unheld(&mut self) {
        if let (Some(record), Some(inner)) = (&self.record, &mut self.inner) {
            abandoned::unheld(record);
            unretrieved::unheld(record, || lost_text(inner, self.text));
        }
    }

    fn mark_read(&self) {
        if let Some(record) = &self.record {
            unretrieved::read(record);
        }
    }
}

/// The error in the result of a task that has ended, which nobody will take.
fn lost_text<T>(
    handle: &mut tokio::task::JoinHandle<T>,
    text: fn(&T) -> Option<String>,
) -> Option<String> {
    let result = pin!(tokio::task::unconstrained(handle));
    let Poll::Ready(Ok(output)) = result.poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let text = text(&output);
    // A panic in the output's drop goes nowhere, as when tokio drops it.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(output)));
    text
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            unreachable!("only `into_tokio` takes it, and takes `self`")
        };
        let result = Pin::new(inner).poll(cx);
        if this.record.is_some() {
            polled(&mut this.record, result.is_ready());
        }
        result
    }
}

/// A handle has been polled. Apart, and for all types of output: what is inlined of
/// a poll or a drop without a record is one test.
fn polled(watched: &mut Option<Arc<Record>>, is_ready: bool) {
    let Some(record) = watched else { return };
    if is_ready {
        unretrieved::read(record);
        *watched = None;
    } else if !record.has(Step::Awaited) {
        record.take(Step::Awaited);
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if self.record.is_some() {
            self.unheld();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.inner(), f)
    }
}
