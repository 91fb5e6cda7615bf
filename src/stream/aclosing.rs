//! A scope that closes its stream.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::ClosingStream;
use super::cleanup::Runner;
use super::handover::Within;

/// Gives the stream to `body`, and closes it when the body is done. Python's
/// `contextlib.aclosing`.
///
/// The body may end as it likes:
///
/// - It returns: the stream is closed, and then what the body returned is given. Of
///   scopes within one another, the innermost is closed first.
/// - It panics: the same, and then the panic goes on.
/// - It is cancelled (a `timeout`, an `abort`, a lost branch of a `select!`): Rust cannot
///   wait then. The cleanup is handed to the runtime; those of scopes within one another
///   run one after the other, the innermost first. That is no finding, also if it had not
///   begun.
///
/// The stream comes pinned, and is the body's own. What the cleanup returns can be taken
/// by `close()` in the body, which this then finds closed. If it is an `Err` and nobody
/// takes it, `cleanup_failed` says so.
///
/// # Examples
///
/// ```
/// use debug_async::prelude::*;
/// use debug_async::stream::aclosing;
/// use tokio_stream::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let rows = tokio_stream::iter(1..9).tracked().on_close(async { println!("closed") });
/// let found = aclosing(rows, async |mut rows| {
///     while let Some(row) = rows.next().await {
///         if row > 2 {
///             return Some(row); // half-way
///         }
///     }
///     None
/// });
/// assert_eq!(found.await, Some(3));
/// # }
/// ```
pub fn aclosing<S, T, F, B>(stream: ClosingStream<S, T>, body: F) -> Aclosing<B, T>
where
    T: Send + 'static,
    F: FnOnce(Pin<Box<ClosingStream<S, T>>>) -> B,
    B: Future,
{
    let runner = Runner::new(Arc::clone(stream.cleanup()));
    Aclosing {
        body: Some(body(Box::pin(stream))),
        ended: None,
        runner,
        polled: false,
    }
}

type Ended<R> = Result<R, Box<dyn Any + Send>>;

pin_project! {
    /// The future of [`aclosing`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Aclosing<B, T>
    where
        B: Future,
        T: Send,
        T: 'static,
    {
        // Till it is done.
        #[pin]
        body: Option<B>,
        // How it ended. A panic goes on when the stream is closed.
        ended: Option<Ended<B::Output>>,
        runner: Runner<T>,
        polled: bool,
    }

    impl<B, T> PinnedDrop for Aclosing<B, T>
    where
        B: Future,
        T: Send,
        T: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                let cleanup = this.runner.cleanup();
                cleanup.silence();
                let _gathers = cleanup.gather(Within::Body);
                this.body.set(None);
            }
        }
    }
}

impl<B: Future, T: Send + 'static> Future for Aclosing<B, T> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Output> {
        let at = std::ptr::from_ref(&*self).addr();
        let mut this = self.project();
        if !std::mem::replace(this.polled, true) {
            this.runner.cleanup().first_polled(at, true);
        }
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            let nesting = this.runner.cleanup().nest(None);
            let polled = catch_unwind(AssertUnwindSafe(|| body.poll(cx)));
            drop(nesting);
            *this.ended = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(output)) => Some(Ok(output)),
                Err(payload) => Some(Err(payload)),
            };
            this.body.set(None);
        }
        if let Some(Err(_)) = this.ended {
            // There is one panic to go on with; of another, std has told.
            let closed = catch_unwind(AssertUnwindSafe(|| this.runner.poll(cx)));
            ready!(closed.unwrap_or(Poll::Ready(())));
        } else {
            ready!(this.runner.poll(cx));
        }
        match this.ended.take() {
            Some(Ok(output)) => Poll::Ready(output),
            Some(Err(payload)) => resume_unwind(payload),
            None => panic!("`aclosing` polled after completion"),
        }
    }
}

impl<B: Future, T: Send + 'static> fmt::Debug for Aclosing<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aclosing").finish_non_exhaustive()
    }
}
