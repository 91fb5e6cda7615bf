//! Readers and writers that are tracked.
//!
//! ```
//! use debug_async::prelude::*;
//! use tokio::io::{AsyncWriteExt, BufWriter};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! # let (socket, _client) = tokio::io::duplex(64);
//! let mut writer = BufWriter::new(socket).tracked();
//! writer.write_all(b"hello").await?;
//! writer.flush().await?; // without this, `unflushed_io`
//! # Ok(())
//! # }
//! ```
//!
//! `.tracked()` is on everything that is [`AsyncWrite`]: sockets, files, pipes, buffers
//! over them. It is a method of futures too, so what only reads has another name for
//! it, [`.tracked_reader()`](TrackRead::tracked_reader): with one name for both, it
//! would be ambiguous on what reads and writes. A type of yours that is a future or a
//! stream as well as a writer is tracked as this by `TrackIo::tracked(writer)`.
//!
//! [`AsyncWrite`]: tokio::io::AsyncWrite

mod buffers;
mod forward;
mod state;

pub use crate::counts::IoCounts;

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};

use self::state::Outset;
use crate::mode::{self, Mode};
use crate::observe::Watch;
use crate::record::{Object, Step};

pin_project! {
    /// A reader or writer that is watched: made by [`TrackIo::tracked`] or
    /// [`TrackRead::tracked_reader`].
    ///
    /// It reads, writes, flushes and seeks as what is in it does, and has the same
    /// `Send`, `Sync` and `Unpin`. In debug mode reported are
    ///
    /// - `unflushed_io`: it was dropped with bytes written after its last flush, and
    ///   what is in it is of a type that then loses some: tokio's `BufWriter`,
    ///   `BufStream` and `File`, an encoder of `async-compression`, alone or in a `Box`
    ///   or the like. A socket, a pipe or a `Vec` is not. [`buffered`](Self::buffered)
    ///   says it for a type of yours, or takes it back. A writer that goes down with a
    ///   panic, with a future that is cancelled, or after an error is left alone;
    /// - `slow_poll` and `slow_drop`: it blocks its thread;
    /// - `slow_io`, at level `DEBUG`: an operation took as long as a slow poll, from when
    ///   it first had to wait to its end. One that is given up counts on to the next of
    ///   its sort, as nobody tells.
    ///
    /// # Cost
    ///
    /// Two words of memory. In production and with the mode off, an operation costs one
    /// comparison. In debug mode it reads the clock twice.
    pub struct TrackedIo<T> {
        // Dropped before `inner`, and `watch` after it: the one begins what the other
        // ends.
        outset: Outset,
        #[pin]
        inner: T,
        watch: Watch,
    }
}

impl<T> TrackedIo<T> {
    fn new(inner: T, name: Option<String>, at: &'static Location<'static>) -> Self {
        let watch = match mode::current() {
            Mode::Debug => Watch::new::<T>(Object::Io, name, at, None),
            Mode::Off | Mode::Production => Watch::nothing(),
        };
        if let Some(record) = watch.record() {
            // Nothing is lost by one that is not used.
            record.take(Step::Polled);
        }
        TrackedIo {
            outset: Outset::new(watch.record(), std::any::type_name::<T>()),
            inner,
            watch,
        }
    }

    /// Says whether a drop of this writer loses what was written to it since its last
    /// flush, where its type does not tell. `buffered(false)` silences `unflushed_io`.
    ///
    /// ```
    /// use debug_async::prelude::*;
    /// use tokio::io::{AsyncWriteExt, BufWriter};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (socket, _client) = tokio::io::duplex(64);
    /// // Best effort: the last line may get lost.
    /// let mut log = BufWriter::new(socket).tracked().buffered(false);
    /// log.write_all(b"bye\n").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn buffered(mut self, buffered: bool) -> Self {
        self.outset.set_loses(buffered);
        self
    }

    /// Lets an operation, a poll and the drop take as long as `threshold` before it is
    /// reported.
    pub fn slow_ok(self, threshold: Duration) -> Self {
        if let Some(debug) = self.watch.record().and_then(|record| record.debug()) {
            debug.set_slow_ok(threshold);
        }
        self
    }

    /// How much was read and written so far. Known in debug mode.
    pub fn counts(&self) -> Option<IoCounts> {
        self.outset.counts()
    }

    /// What is in it. It may be flushed there (as by `File::sync_all`), which goes
    /// unseen, so it is taken to have been.
    pub fn get_ref(&self) -> &T {
        self.outset.settle();
        &self.inner
    }

    /// What is in it. What is done there goes unseen, as with
    /// [`get_ref`](TrackedIo::get_ref).
    pub fn get_mut(&mut self) -> &mut T {
        self.outset.settle();
        &mut self.inner
    }

    /// What is in it, pinned. See [`get_ref`](TrackedIo::get_ref).
    pub fn get_pin_ref(self: Pin<&Self>) -> Pin<&T> {
        let this = self.project_ref();
        this.outset.settle();
        this.inner
    }

    /// What is in it, pinned. See [`get_ref`](TrackedIo::get_ref).
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut T> {
        let this = self.project();
        this.outset.settle();
        this.inner
    }

    /// Takes out what is in it, which nobody watches then.
    pub fn into_inner(self) -> T {
        let TrackedIo {
            mut outset,
            inner,
            watch: _,
        } = self;
        outset.give_up();
        inner
    }
}

impl<T: fmt::Debug> fmt::Debug for TrackedIo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrackedIo").field(&self.inner).finish()
    }
}

/// `.tracked()` on everything that can be written to.
pub trait TrackIo: AsyncWrite + Sized {
    /// Watches this writer. Its site is the line of this call, its name that of its
    /// type.
    #[track_caller]
    fn tracked(self) -> TrackedIo<Self> {
        TrackedIo::new(self, None, Location::caller())
    }

    /// Watches this writer under a name.
    #[track_caller]
    fn tracked_as(self, name: impl Into<String>) -> TrackedIo<Self> {
        TrackedIo::new(self, Some(name.into()), Location::caller())
    }
}

impl<T: AsyncWrite> TrackIo for T {}

/// `.tracked_reader()` on everything that can be read from.
pub trait TrackRead: AsyncRead + Sized {
    /// Watches this reader. Its site is the line of this call, its name that of its
    /// type.
    ///
    /// ```
    /// use debug_async::prelude::*;
    /// use tokio::io::AsyncReadExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let mut reader = (&b"hello"[..]).tracked_reader();
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    fn tracked_reader(self) -> TrackedIo<Self> {
        TrackedIo::new(self, None, Location::caller())
    }

    /// Watches this reader under a name.
    #[track_caller]
    fn tracked_reader_as(self, name: impl Into<String>) -> TrackedIo<Self> {
        TrackedIo::new(self, Some(name.into()), Location::caller())
    }
}

impl<T: AsyncRead> TrackRead for T {}
