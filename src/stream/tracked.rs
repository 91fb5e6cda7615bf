//! The wrapper of a stream.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;

use super::ClosingStream;
use super::cleanup::Cleanup;
use crate::observe::Watch;
use crate::record::{Flag, Object, Record};

pin_project! {
    /// A stream that is watched: made by [`TrackStream::tracked`](super::TrackStream::tracked).
    ///
    /// It behaves as the stream in it does, also as a [`FusedStream`] and as a [`Sink`].
    /// Findings about it are `never_polled`, and in debug mode `slow_poll`, `slow_drop`,
    /// `span_across_await`, and `polled_after_completion` if it panics because it was
    /// polled again after its `None`. Dropping it half-way is no finding, but see
    /// [`on_close`](TrackedStream::on_close).
    ///
    /// What is sent to it as a sink goes unseen.
    ///
    /// # Cost
    ///
    /// As that of a [`TrackedFuture`](crate::future::TrackedFuture), for each poll.
    #[must_use = "streams do nothing unless polled"]
    pub struct TrackedStream<S> {
        #[pin]
        inner: S,
        // After `inner`: see `TrackedFuture`.
        watch: Watch,
    }

    impl<S> PinnedDrop for TrackedStream<S> {
        fn drop(this: Pin<&mut Self>) {
            this.project().watch.begin_drop();
        }
    }
}

impl<S> TrackedStream<S> {
    #[inline]
    pub(super) fn new(inner: S, name: Option<String>, at: &'static Location<'static>) -> Self {
        let watch = Watch::new::<S>(Object::Stream, name, at, None);
        TrackedStream { inner, watch }
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Attaches async cleanup: see [`ClosingStream`] for when it runs.
    ///
    /// ```
    /// use debug_async::prelude::*;
    /// use tokio_stream::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut rows = tokio_stream::iter(1..9).tracked().on_close(async { "rolled back" });
    /// assert_eq!(rows.next().await, Some(1));
    /// assert_eq!(rows.close().await, Some("rolled back"));
    /// assert_eq!(rows.next().await, None);
    /// # }
    /// ```
    #[track_caller]
    pub fn on_close<C>(self, cleanup: C) -> ClosingStream<S, C::Output>
    where
        C: Future<Output: Send> + Send + 'static,
    {
        let at = Location::caller();
        // In production, one that has been polled has none any more.
        let record = self.watch.record().cloned();
        let record = record.or_else(|| Record::new::<S>(Object::Stream, None, at, None));
        ClosingStream::new(self, Cleanup::new(cleanup, record, at))
    }

    /// Drops the stream, on purpose: it is not reported if it was never polled.
    ///
    /// ```
    /// use debug_async::prelude::*;
    ///
    /// let updates = tokio_stream::iter([1, 2, 3]).tracked();
    /// let is_offline = true;
    /// if is_offline {
    ///     updates.discard();
    /// }
    /// ```
    pub fn discard(self) {
        if let Some(record) = self.watch.record() {
            record.set(Flag::DISCARDED);
        }
    }

    /// Lets a poll, and the drop, of this stream take as long as `threshold` before it
    /// is reported, as [`TrackedFuture::slow_ok`](crate::future::TrackedFuture::slow_ok)
    /// does.
    pub fn slow_ok(self, threshold: Duration) -> Self {
        if let Some(debug) = self.watch.record().and_then(|record| record.debug()) {
            debug.set_slow_ok(threshold);
        }
        self
    }

    /// The stream in it.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The stream in it. Polling it in this way goes unseen.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The stream in it, pinned.
    pub fn get_pin_ref(self: Pin<&Self>) -> Pin<&S> {
        self.project_ref().inner
    }

    /// The stream in it, pinned. Polling it in this way goes unseen.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().inner
    }
}

impl<S: Stream> Stream for TrackedStream<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        this.watch
            .poll_until(Option::is_none, cx, |cx| this.inner.poll_next(cx))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S: FusedStream> FusedStream for TrackedStream<S> {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

/// The two sides of what is both may be used by two tasks, so this one is not polled as
/// the stream is.
impl<S: Sink<Item>, Item> Sink<Item> for TrackedStream<S> {
    type Error = S::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let this = self.project();
        this.watch.mark_used();
        this.inner.poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, item: Item) -> Result<(), S::Error> {
        self.project().inner.start_send(item)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let this = self.project();
        this.watch.mark_used();
        this.inner.poll_close(cx)
    }
}

impl<S: fmt::Debug> fmt::Debug for TrackedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrackedStream").field(&self.inner).finish()
    }
}
