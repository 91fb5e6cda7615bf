//! A stream with async cleanup.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;

use super::TrackedStream;
use super::cleanup::{Cleanup, Runner};
use super::handover::Within;
use super::nest::Gathers;
use crate::record::Flag;

pin_project! {
    /// A stream with async cleanup: made by [`TrackedStream::on_close`].
    ///
    /// The cleanup is run once,
    ///
    /// - when the stream in it ends, before this one gives its `None`,
    /// - or when [`close`](ClosingStream::close) is awaited; the stream gives no more
    ///   items then,
    /// - or at the end of [`aclosing`](super::aclosing()).
    ///
    /// If the stream is dropped before that, as asyncio does with a generator that nobody
    /// closed, its cleanup is handed to the runtime, which runs it in a task of its own.
    /// That comes late, and in no order with others, so in debug mode it is reported
    /// (`stream_not_closed`); unless the stream was given to `aclosing` which was
    /// cancelled, where there is no better way. A `close()` that is cancelled goes on in
    /// such a task too.
    ///
    /// The runtime is that in which the stream was first polled, or else made, or else
    /// dropped. If there is none, or none that runs there, `outside_runtime` says so.
    ///
    /// A stream with cleanup that is a part of this one is closed first, at each of these:
    /// one that this polls and that lies within it, also in an `async_stream` or an
    /// adapter. Behind a pointer (`&mut`, a `Box`) it might be somebody else's, who goes on
    /// with it; it is this one's if it is dropped with it. `aclosing` drops before it
    /// closes; so does `let closing = stream.close(); drop(stream); closing.await`.
    ///
    /// An `Err` that the cleanup gives and nobody takes by `close()`, a panic of one that
    /// was handed over, and one that was not done when its runtime ended, are
    /// `cleanup_failed`. These two are reported in production too. The cleanup itself is
    /// run whatever the mode.
    ///
    /// The stream itself is dropped when this is dropped: closing does not end its borrows.
    #[must_use = "streams do nothing unless polled"]
    pub struct ClosingStream<S, T>
    where
        T: Send,
        T: 'static,
    {
        #[pin]
        inner: TrackedStream<S>,
        // While `inner` is dropped.
        gathers: Option<Gathers<T>>,
        // After `inner`: what it cleans up after is gone then.
        runner: Runner<T>,
        polled: bool,
        ended: bool,
    }

    impl<S, T> PinnedDrop for ClosingStream<S, T>
    where
        T: Send,
        T: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let cleanup = this.runner.cleanup();
            cleanup.stream_goes();
            let within = if cleanup.has_begun() { Within::Closed } else { Within::Open };
            *this.gathers = Some(cleanup.gather(within));
        }
    }
}

impl<S, T: Send + 'static> ClosingStream<S, T> {
    pub(super) fn new(inner: TrackedStream<S>, cleanup: Arc<Cleanup<T>>) -> Self {
        ClosingStream {
            inner,
            gathers: None,
            runner: Runner::new(cleanup),
            polled: false,
            ended: false,
        }
    }

    pub(super) fn cleanup(&self) -> &Arc<Cleanup<T>> {
        self.runner.cleanup()
    }

    /// Runs the cleanup, if it has not been run, and gives what it returned. asyncio's
    /// `aclose()`.
    ///
    /// `None` if that has been taken before, or if the cleanup panicked: closing twice is
    /// fine. After the stream has ended by itself, it gives what the cleanup returned
    /// then.
    ///
    /// It does not borrow the stream, so that one that is pinned can be closed, and one
    /// with others behind pointers be dropped first.
    ///
    /// # Examples
    ///
    /// ```
    /// use debug_async::prelude::*;
    ///
    /// # async fn shut_down() -> std::io::Result<()> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let rows = tokio_stream::iter([1, 2]).tracked().on_close(shut_down());
    /// rows.close().await.transpose()?;
    /// assert!(rows.close().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) -> Close<T> {
        Close {
            runner: Runner::new(Arc::clone(self.cleanup())),
        }
    }

    /// Drops the stream, on purpose: it is not reported if it was not closed, or never
    /// polled. Its cleanup is handed to the runtime all the same.
    pub fn discard(self) {
        self.cleanup().silence();
        if let Some(record) = self.inner.watch().record() {
            record.set(Flag::DISCARDED);
        }
    }

    /// The stream in it.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    /// The stream in it. Polling it in this way goes unseen.
    pub fn get_mut(&mut self) -> &mut S {
        self.inner.get_mut()
    }

    /// The stream in it, pinned.
    pub fn get_pin_ref(self: Pin<&Self>) -> Pin<&S> {
        self.project_ref().inner.get_pin_ref()
    }

    /// The stream in it, pinned. Polling it in this way goes unseen.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().inner.get_pin_mut()
    }
}

impl<S: Stream, T: Send + 'static> Stream for ClosingStream<S, T> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let place = std::ptr::from_ref(&*self).addr();
        let place = place..place + size_of::<Self>();
        let this = self.project();
        let cleanup = this.runner.cleanup();
        if !*this.ended && !cleanup.has_begun() {
            if !std::mem::replace(this.polled, true) {
                cleanup.adopt();
                cleanup.first_polled(place.start, false);
            }
            let nesting = cleanup.nest(Some(place));
            let polled = this.inner.poll_next(cx);
            drop(nesting);
            if let Some(item) = ready!(polled) {
                return Poll::Ready(Some(item));
            }
            *this.ended = true;
        }
        this.runner.poll(cx).map(|()| None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended || self.cleanup().has_begun() {
            (0, Some(0))
        } else {
            self.inner.size_hint()
        }
    }
}

/// It gives `None` for ever once its cleanup has been run.
impl<S: Stream, T: Send + 'static> FusedStream for ClosingStream<S, T> {
    fn is_terminated(&self) -> bool {
        self.cleanup().is_over()
    }
}

/// Closing it as a sink closes the sink; the cleanup is the stream's.
impl<S: Sink<Item>, T: Send + 'static, Item> Sink<Item> for ClosingStream<S, T> {
    type Error = S::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.project().inner.poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, item: Item) -> Result<(), S::Error> {
        self.project().inner.start_send(item)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.project().inner.poll_close(cx)
    }
}

impl<S: fmt::Debug, T: Send + 'static> fmt::Debug for ClosingStream<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosingStream")
            .field("inner", self.get_ref())
            .field("closed", &self.cleanup().is_over())
            .finish()
    }
}

/// Closes a stream when it is awaited: see [`ClosingStream::close`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Close<T: Send + 'static> {
    runner: Runner<T>,
}

impl<T: Send + 'static> Future for Close<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.runner.poll(cx));
        Poll::Ready(self.runner.cleanup().take())
    }
}

impl<T: Send + 'static> fmt::Debug for Close<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close").finish_non_exhaustive()
    }
}
