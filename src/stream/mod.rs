//! Streams that are tracked.
//!
//! ```
//! use debug_async::prelude::*;
//! use tokio_stream::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let mut rows = tokio_stream::iter(["a", "b"]).tracked();
//! while let Some(row) = rows.next().await {
//!     println!("{row}");
//! }
//! # }
//! ```

mod tracked;

pub use self::tracked::TrackedStream;

use std::panic::Location;

use futures_core::Stream;

/// `.tracked()` on every stream.
///
/// A type that is both a future and a stream has two methods of that name. Of those
/// the compiler wants to know which is meant:
///
/// ```
/// use debug_async::{future::TrackFuture, stream::TrackStream};
/// # use std::{future::Future, pin::Pin, task::{Context, Poll}};
/// # struct Both;
/// # impl Future for Both {
/// #     type Output = ();
/// #     fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> { Poll::Ready(()) }
/// # }
/// # impl futures_core::Stream for Both {
/// #     type Item = ();
/// #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> { Poll::Ready(None) }
/// # }
/// let as_stream = TrackStream::tracked(Both);
/// let as_future = TrackFuture::tracked(Both);
/// # as_stream.discard();
/// # as_future.discard();
/// ```
pub trait TrackStream: Stream + Sized {
    /// Watches this stream. Its site is the line of this call, its name that of the
    /// function that made it, or of its type.
    #[track_caller]
    #[inline]
    fn tracked(self) -> TrackedStream<Self> {
        TrackedStream::new(self, None, Location::caller())
    }

    /// Watches this stream under a name.
    ///
    /// ```
    /// use debug_async::prelude::*;
    /// use tokio_stream::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut ticks = tokio_stream::iter(0..3).tracked_as("ticks");
    /// assert_eq!(ticks.next().await, Some(0));
    /// # }
    /// ```
    #[track_caller]
    fn tracked_as(self, name: impl Into<String>) -> TrackedStream<Self> {
        TrackedStream::new(self, Some(name.into()), Location::caller())
    }
}

impl<S: Stream> TrackStream for S {}
