//! Futures that are tracked.
//!
//! ```
//! use debug_async::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let answer = async { 42 }.tracked().await;
//! assert_eq!(answer, 42);
//! # }
//! ```

mod expected;

pub use self::expected::Expected;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::observe::Watch;
use crate::record::{Flag, Object};

pin_project! {
    /// A future that is watched: made by [`TrackFuture::tracked`] or
    /// [`#[debug_async::tracked]`](macro@crate::tracked).
    ///
    /// It behaves as the future in it does. Findings about it are `never_polled`,
    /// and in debug mode `slow_poll`, `slow_drop`, `polled_after_completion` and
    /// `span_across_await`.
    ///
    /// # Cost
    ///
    /// One word of memory. With the mode off, a poll costs one comparison. In
    /// production there is one small allocation, which the first poll frees. In
    /// debug mode a poll reads the clock twice and the creation takes a stack.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct TrackedFuture<F> {
        #[pin]
        inner: F,
        // After `inner`: a field is dropped after those before it, and this one's
        // drop looks at what theirs did.
        watch: Watch,
    }

    impl<F> PinnedDrop for TrackedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().watch.begin_drop();
        }
    }
}

impl<F> TrackedFuture<F> {
    #[inline]
    pub(crate) fn new(inner: F, name: Option<String>, at: &'static Location<'static>) -> Self {
        let watch = Watch::new::<F>(Object::Future, name, at, None);
        TrackedFuture { inner, watch }
    }

    /// Drops the future, on purpose: it is not reported if it was never polled.
    ///
    /// ```
    /// use debug_async::prelude::*;
    ///
    /// async fn refresh() {}
    /// let refresh = refresh().tracked();
    /// let is_fresh = true;
    /// if is_fresh {
    ///     refresh.discard();
    /// }
    /// ```
    pub fn discard(self) {
        if let Some(record) = self.watch.record() {
            record.set(Flag::DISCARDED);
        }
    }

    /// It is run by this crate, and nobody is at fault if it is not.
    #[cfg(feature = "stream")]
    pub(crate) fn not_missed(self) -> Self {
        if let Some(record) = self.watch.record() {
            record.set(Flag::DISCARDED);
        }
        self
    }

    /// Lets a poll, and the drop, of this future take as long as `threshold`
    /// before it is reported. The futures and the task around it are not blamed
    /// for what is allowed here.
    ///
    /// ```
    /// use std::time::Duration;
    /// use debug_async::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// async { /* hashes a password */ }
    ///     .tracked()
    ///     .slow_ok(Duration::from_millis(400))
    ///     .await;
    /// # }
    /// ```
    pub fn slow_ok(self, threshold: Duration) -> Self {
        if let Some(debug) = self.watch.record().and_then(|record| record.debug()) {
            debug.set_slow_ok(threshold);
        }
        self
    }

    /// Says that this future waits for nothing, on purpose, as
    /// [`pending`](std::future::pending) does: a task that is there to be aborted, or to
    /// keep something alive, is not reported as `lost_waker` while it awaits this.
    ///
    /// And that it may rest: kept for later, it is not reported as `starved` although it
    /// was woken and is not polled, nor as `never_polled` if its turn never comes. (What is
    /// in it is polled with it, or not at all, and needs no word of its own.)
    ///
    /// ```
    /// use std::future::pending;
    /// use debug_async::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let guard = String::from("kept for as long as the runtime runs");
    /// debug_async::spawn!(async move {
    ///     let _guard = guard;
    ///     pending::<()>().tracked().parked().await
    /// });
    /// # }
    /// ```
    pub fn parked(self) -> Self {
        if let Some(record) = self.watch.record() {
            record.set(Flag::PARKED);
        }
        self
    }

    /// Says that this future must not be dropped between two polls: what it has begun
    /// would be half done. In debug mode that is reported as `dropped_midway`, with where
    /// it waited, and who dropped it. Other futures that are dropped so are told as
    /// `cancelled`, at level `DEBUG`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use debug_async::prelude::*;
    ///
    /// # async fn take_from_one() {}
    /// # async fn give_to_another() {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let transfer = async {
    ///     take_from_one().await;
    ///     give_to_another().await;
    /// };
    /// let transfer = transfer.tracked().must_complete();
    /// let _ = tokio::time::timeout(Duration::from_secs(1), transfer).await;
    /// # }
    /// ```
    pub fn must_complete(self) -> Self {
        if let Some(record) = self.watch.record() {
            record.set(Flag::MUST_COMPLETE);
        }
        self
    }

    /// The future in it.
    pub fn get_ref(&self) -> &F {
        &self.inner
    }

    /// The future in it. Polling it in this way goes unseen.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.inner
    }

    /// The future in it, pinned.
    pub fn get_pin_ref(self: Pin<&Self>) -> Pin<&F> {
        self.project_ref().inner
    }

    /// The future in it, pinned. Polling it in this way goes unseen.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().inner
    }
}

impl<F: Future> Future for TrackedFuture<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.watch.poll(cx, |cx| this.inner.poll(cx))
    }
}

impl<F: fmt::Debug> fmt::Debug for TrackedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrackedFuture").field(&self.inner).finish()
    }
}

/// `.tracked()` on every future.
pub trait TrackFuture: Future + Sized {
    /// Watches this future. Its site is the line of this call, its name that of
    /// the function that made it.
    #[track_caller]
    #[inline]
    fn tracked(self) -> TrackedFuture<Self> {
        TrackedFuture::new(self, None, Location::caller())
    }

    /// Watches this future under a name.
    ///
    /// ```
    /// use debug_async::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// async {}.tracked_as("warm-up").await;
    /// # }
    /// ```
    #[track_caller]
    fn tracked_as(self, name: impl Into<String>) -> TrackedFuture<Self> {
        TrackedFuture::new(self, Some(name.into()), Location::caller())
    }

    /// Says that some errors of this future are no news: if it is what a task
    /// runs, and it returns an `Err` for which `predicate` is true, nobody has to
    /// look at it.
    ///
    /// Other errors, and panics, are reported as ever. It must be the very future
    /// that is spawned: within another, or wrapped once more, it says nothing.
    ///
    /// ```
    /// use std::io;
    /// use debug_async::prelude::*;
    ///
    /// async fn serve() -> io::Result<()> { Err(io::ErrorKind::ConnectionReset.into()) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// debug_async::spawn!(serve().expected(|error| error.kind() == io::ErrorKind::ConnectionReset));
    /// # }
    /// ```
    fn expected<T, E, P>(self, predicate: P) -> Expected<Self, P>
    where
        Self: Future<Output = Result<T, E>>,
        P: FnMut(&E) -> bool,
    {
        Expected::new(self, predicate)
    }
}

impl<F: Future> TrackFuture for F {}
