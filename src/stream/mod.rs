//! Streams that are tracked, and their async cleanup.
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
//!
//! # Async cleanup
//!
//! `Drop` cannot wait, so a stream that has something to end in an orderly way (a cursor,
//! a transaction, a subscription) has to be closed by somebody. asyncio has `finally` in
//! an asynchronous generator, `aclose()` and `aclosing()` for it; here it is
//! [`on_close`](TrackedStream::on_close), [`close`](ClosingStream::close) and
//! [`aclosing`](aclosing()):
//!
//! ```
//! use debug_async::prelude::*;
//! use debug_async::stream::{ClosingStream, aclosing};
//! use futures_core::Stream;
//! use tokio_stream::StreamExt;
//!
//! # struct Transaction;
//! # impl Transaction {
//! #     fn begin() -> Transaction { Transaction }
//! #     async fn roll_back(self) {}
//! # }
//! fn rows() -> ClosingStream<impl Stream<Item = u32>, ()> {
//!     let transaction = Transaction::begin();
//!     let rows = async_stream::stream! {
//!         for row in 0..9 {
//!             yield row;
//!         }
//!     };
//!     rows.tracked_as("rows").on_close(transaction.roll_back())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let first = aclosing(rows(), async |mut rows| rows.next().await).await;
//! assert_eq!(first, Some(0)); // and the transaction is rolled back
//! # }
//! ```
//!
//! What becomes of a stream that nobody closes is said at [`ClosingStream`];
//! [`shutdown_streams`] closes what is left at the end. The cleanup is run in every mode,
//! also with the mode off; only the reports depend on it.
//!
//! # Two tasks, one stream
//!
//! asyncio's advice not to iterate over one generator in two tasks is the compiler's
//! business here: `next` needs the stream for itself (E0499).
//!
//! ```compile_fail,E0499
//! use debug_async::prelude::*;
//! use tokio_stream::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let mut rows = tokio_stream::iter(0..9).tracked();
//! let (one, other) = tokio::join!(rows.next(), rows.next());
//! # }
//! ```
//!
//! Nor can two tasks each have it (E0382):
//!
//! ```compile_fail,E0382
//! use debug_async::prelude::*;
//! use tokio_stream::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let mut rows = tokio_stream::iter(0..9).tracked();
//! let one = tokio::spawn(async move { rows.next().await });
//! let other = tokio::spawn(async move { rows.next().await });
//! # }
//! ```
//!
//! The example `generators_concurrently` has what is written instead: a stream behind a
//! `tokio::sync::Mutex`, or a channel that has a receiver for each task.

mod aclosing;
mod cleanup;
mod closing;
mod handover;
mod nest;
mod open;
mod shutdown;
mod tracked;

pub use self::aclosing::{Aclosing, aclosing};
pub use self::closing::{Close, ClosingStream};
pub(crate) use self::shutdown::has_open;
pub use self::shutdown::shutdown_streams;
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
