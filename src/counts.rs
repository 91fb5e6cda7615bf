//! What a reader or writer has done, counted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a [`TrackedIo`](crate::io::TrackedIo) has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IoCounts {
    /// How many reads gave something, or the end.
    pub reads: u64,
    /// How many bytes were read.
    pub bytes_read: u64,
    /// How many writes took something.
    pub writes: u64,
    /// How many bytes were written.
    pub bytes_written: u64,
    /// How many flushes were done, shutdowns included.
    pub flushes: u64,
    /// How many bytes were written since.
    pub unflushed: u64,
}

/// `read 4096 B in 3, wrote 17 B in 1, flushed 1`
impl fmt::Display for IoCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {} B in {}", self.bytes_read, self.reads)?;
        write!(f, ", wrote {} B in {}", self.bytes_written, self.writes)?;
        write!(f, ", flushed {}", self.flushes)
    }
}

/// Only whoever polls writes these, so a load and a store do; others may look.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    reads: AtomicU64,
    bytes_read: AtomicU64,
    writes: AtomicU64,
    bytes_written: AtomicU64,
    flushes: AtomicU64,
    unflushed: AtomicU64,
}

fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed) + more, Relaxed);
}

impl Counts {
    #[inline]
    pub(crate) fn has_read(&self, bytes: usize) {
        add(&self.reads, 1);
        add(&self.bytes_read, bytes as u64);
    }

    /// `flushes`: nothing is left of it that could be flushed.
    #[inline]
    pub(crate) fn has_written(&self, bytes: usize, flushes: bool) {
        add(&self.writes, 1);
        add(&self.bytes_written, bytes as u64);
        if flushes {
            self.settle();
        } else {
            add(&self.unflushed, bytes as u64);
        }
    }

    pub(crate) fn has_flushed(&self) {
        add(&self.flushes, 1);
        self.settle();
    }

    /// Nothing is left that a drop would lose.
    pub(crate) fn settle(&self) {
        self.unflushed.store(0, Relaxed);
    }

    pub(crate) fn unflushed(&self) -> u64 {
        self.unflushed.load(Relaxed)
    }

    pub(crate) fn get(&self) -> IoCounts {
        IoCounts {
            reads: self.reads.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed),
            writes: self.writes.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            flushes: self.flushes.load(Relaxed),
            unflushed: self.unflushed(),
        }
    }
}
