//! Futures handed to a runtime from other threads.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, unconstrained};

use super::Handle;
use crate::detect::excuse;
use crate::task::JoinHandle;

/// Hands a future to a runtime, from any thread. asyncio's `run_coroutine_threadsafe`.
///
/// The future is a tracked task of that runtime. What is returned waits for its output
/// where no runtime is ([`result`](RemoteHandle::result)), or in another future
/// (`.await`). Dropping it lets the task run on; if it fails then, that is reported.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use debug_async::runtime::{Builder, run_threadsafe};
///
/// let runtime = Builder::new_multi_thread().enable_all().build()?;
/// let handle = runtime.handle().clone();
/// let thread = std::thread::spawn(move || {
///     let future = async {
///         tokio::time::sleep(Duration::from_millis(1)).await;
///         42
///     };
///     run_threadsafe(&handle, future).result()
/// });
/// assert_eq!(thread.join().unwrap()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn run_threadsafe<F>(handle: &Handle, future: F) -> RemoteHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    RemoteHandle {
        inner: handle.spawn(future),
        is_cancelled: false,
        is_taken: false,
    }
}

/// A task of a runtime, seen from another thread. asyncio's `concurrent.futures.Future`.
/// Made by [`run_threadsafe`].
pub struct RemoteHandle<T> {
    inner: JoinHandle<T>,
    is_cancelled: bool,
    is_taken: bool,
}

impl<T> UnwindSafe for RemoteHandle<T> {}
impl<T> RefUnwindSafe for RemoteHandle<T> {}
impl<T> Unpin for RemoteHandle<T> {}

impl<T> RemoteHandle<T> {
    /// Waits for the output, and blocks this thread till then.
    ///
    /// # Errors
    ///
    /// [`RemoteError::WouldDeadlock`] on a thread that polls for a runtime of tokio, if
    /// the task has not ended: it would block that runtime, and wait for ever if it is
    /// the one that runs the task. There, `.await` it. The task runs on.
    ///
    /// The others if the task has no output to give.
    pub fn result(&mut self) -> Result<T, RemoteError> {
        self.wait(None)
    }

    /// Waits for the output for so long at most, and blocks this thread till then.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Timeout`] if that did not suffice: the task runs on, and this can
    /// be called again. The others as those of [`result`](RemoteHandle::result).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use debug_async::runtime::{Builder, RemoteError, run_threadsafe};
    ///
    /// let runtime = Builder::new_multi_thread().build()?;
    /// let mut remote = run_threadsafe(runtime.handle(), std::future::pending::<()>());
    /// let result = remote.result_timeout(Duration::from_millis(1));
    /// assert!(matches!(result, Err(RemoteError::Timeout)));
    /// remote.cancel();
    /// assert!(matches!(remote.result(), Err(RemoteError::Cancelled)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn result_timeout(&mut self, timeout: Duration) -> Result<T, RemoteError> {
        self.wait(Some(timeout))
    }

    /// Aborts the task. False if it has ended already.
    pub fn cancel(&mut self) -> bool {
        if self.inner.is_finished() {
            return false;
        }
        self.is_cancelled = true;
        self.inner.abort();
        true
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Lets the task run on and says that its result is not wanted: neither an error
    /// nor a panic of it is reported as lost.
    pub fn detach(self) {
        self.inner.detach();
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<T, RemoteError> {
        // One that would never come is no limit.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // What has ended is had without waiting, wherever this is.
        if let Poll::Ready(result) = self.poll_once(Waker::noop()) {
            return result;
        }
        if excuse::is_in_poll() {
            return Err(RemoteError::WouldDeadlock);
        }
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            if let Poll::Ready(result) = self.poll_once(&waker) {
                return result;
            }
            if !signal.wait(until) {
                return Err(RemoteError::Timeout);
            }
        }
    }

    /// Whatever the budget of the task around it.
    fn poll_once(&mut self, waker: &Waker) -> Poll<Result<T, RemoteError>> {
        let poll = pin!(unconstrained(self));
        poll.poll(&mut Context::from_waker(waker))
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, RemoteError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.is_taken {
            return Poll::Ready(Err(RemoteError::Taken));
        }
        let result = ready!(Pin::new(&mut this.inner).poll(cx));
        this.is_taken = true;
        Poll::Ready(result.map_err(|error| match error {
            error if error.is_panic() => RemoteError::Panicked(Panic(error)),
            _ if this.is_cancelled => RemoteError::Cancelled,
            _ => RemoteError::ShutDown,
        }))
    }
}

impl<T: fmt::Debug> fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle")
            .field("id", &self.inner.id())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Wakes a thread that waits here. Not by `unpark`, which may be the user's.
#[derive(Default)]
struct Signal {
    is_given: Mutex<bool>,
    given: Condvar,
}

impl Signal {
    /// Waits till it is given; false if that is not before `until`.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut is_given = self.is_given.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *is_given) {
            is_given = match until {
                None => (self.given.wait(is_given)).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.given.wait_timeout(is_given, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.given.notify_one();
    }
}

/// Why a [`RemoteHandle`] has no output to give.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// The task was [cancelled](RemoteHandle::cancel).
    Cancelled,
    /// The task panicked.
    Panicked(Panic),
    /// The runtime shut down before the task had ended, or before it was spawned.
    ShutDown,
    /// The task has not ended in the time that was given to it. It runs on.
    Timeout,
    /// This thread polls for a runtime, which waiting would block: for ever, if the task
    /// is to run there.
    WouldDeadlock,
    /// The output was given before.
    Taken,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteError::Cancelled => f.write_str("the task was cancelled"),
            RemoteError::Panicked(panic) => fmt::Display::fmt(panic, f),
            RemoteError::ShutDown => f.write_str("the runtime shut down before the task had ended"),
            RemoteError::Timeout => f.write_str("the task has not ended in time"),
            RemoteError::WouldDeadlock => f.write_str(
                "waiting for the task would block the runtime that this thread runs: `.await` it, \
                 or wait on another thread, such as one of `spawn_blocking`",
            ),
            RemoteError::Taken => f.write_str("the output of the task was taken before"),
        }
    }
}

impl std::error::Error for RemoteError {}

/// The panic of a task.
#[derive(Debug)]
pub struct Panic(JoinError);

impl Panic {
    /// What it panicked with, for [`std::panic::resume_unwind`].
    pub fn into_payload(self) -> Box<dyn Any + Send + 'static> {
        self.0.into_panic()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
