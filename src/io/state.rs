//! What is known of a reader or writer besides its record.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;

use super::buffers;
use crate::clock::{self, Tick};
use crate::detect::{slow_io, unflushed_io};
use crate::observe::{self, Watch};
use crate::record::Record;

/// What a [`TrackedIo`](super::TrackedIo) has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// What an operation does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Read,
    Write,
    Flush,
    Shutdown,
    Seek,
}

impl Op {
    fn noun(self) -> &'static str {
        match self {
            Op::Read => "read",
            Op::Write => "write",
            Op::Flush => "flush",
            Op::Shutdown => "shutdown",
            Op::Seek => "seek",
        }
    }
}

/// Only whoever polls writes these, so a load and a store do; others may look.
#[derive(Default)]
struct Counts {
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

struct State {
    record: Arc<Record>,
    counts: Counts,
    /// Since when an operation of each sort waits.
    waits: [Option<Tick>; 5],
    /// A drop loses what was not flushed.
    loses: bool,
    /// From how many bytes on a write leaves nothing that was not flushed.
    straight_from: Option<usize>,
    /// The last operation gave an error.
    failed: bool,
    /// A seek has begun, which flushes first.
    seeks: bool,
}

/// What is dropped before the object itself. Empty outside debug mode.
pub(super) struct Outset(Option<Box<State>>);

impl Outset {
    pub(super) fn new(record: Option<&Arc<Record>>, type_name: &str) -> Outset {
        let record = record.filter(|record| record.debug().is_some());
        Outset(record.map(|record| {
            Box::new(State {
                record: Arc::clone(record),
                counts: Counts::default(),
                waits: [None; 5],
                loses: buffers::loses(type_name),
                straight_from: buffers::straight_from(type_name),
                failed: false,
                seeks: false,
            })
        }))
    }

    pub(super) fn set_loses(&mut self, loses: bool) {
        if let Some(state) = &mut self.0 {
            state.loses = loses;
        }
    }

    pub(super) fn counts(&self) -> Option<IoCounts> {
        let counts = &self.0.as_ref()?.counts;
        Some(IoCounts {
            reads: counts.reads.load(Relaxed),
            bytes_read: counts.bytes_read.load(Relaxed),
            writes: counts.writes.load(Relaxed),
            bytes_written: counts.bytes_written.load(Relaxed),
            flushes: counts.flushes.load(Relaxed),
            unflushed: counts.unflushed.load(Relaxed),
        })
    }

    /// Nothing is left that a drop would lose.
    pub(super) fn settle(&self) {
        if let Some(state) = &self.0 {
            state.counts.unflushed.store(0, Relaxed);
        }
    }

    /// The object goes on without us.
    pub(super) fn give_up(&mut self) {
        self.0 = None;
    }

    /// Polls an operation.
    #[inline]
    pub(super) fn operate<R>(
        &mut self,
        op: Op,
        watch: &Watch,
        poll: impl FnOnce() -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let Some(state) = &mut self.0 else {
            return poll();
        };
        let result = watch.operate(poll);
        match &result {
            Poll::Pending => state.waits(op),
            Poll::Ready(result) => state.ready(op, result.is_ok()),
        }
        result
    }

    pub(super) fn has_read(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            add(&state.counts.reads, 1);
            add(&state.counts.bytes_read, bytes as u64);
        }
    }

    pub(super) fn has_written(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            add(&state.counts.writes, 1);
            add(&state.counts.bytes_written, bytes as u64);
            match state.straight_from {
                Some(size) if bytes >= size => state.counts.unflushed.store(0, Relaxed),
                _ => add(&state.counts.unflushed, bytes as u64),
            }
        }
    }

    pub(super) fn seeks(&mut self) {
        if let Some(state) = &mut self.0 {
            state.seeks = true;
        }
    }
}

impl State {
    fn waits(&mut self, op: Op) {
        self.waits[op as usize].get_or_insert_with(clock::tick);
    }

    #[inline]
    fn ready(&mut self, op: Op, is_ok: bool) {
        self.failed = !is_ok;
        match op {
            Op::Flush | Op::Shutdown if is_ok => {
                add(&self.counts.flushes, 1);
                self.counts.unflushed.store(0, Relaxed);
            }
            Op::Seek if is_ok && std::mem::take(&mut self.seeks) => {
                self.counts.unflushed.store(0, Relaxed);
            }
            _ => {}
        }
        if let Some(since) = self.waits[op as usize].take() {
            slow_io::ended(&self.record, op.noun(), since.elapsed());
        }
    }
}

impl Drop for Outset {
    fn drop(&mut self) {
        let Some(state) = &self.0 else { return };
        let unflushed = state.counts.unflushed.load(Relaxed);
        if state.loses && !state.failed && unflushed > 0 {
            unflushed_io::dropped(&state.record, unflushed);
        }
        observe::begin_drop(&state.record);
    }
}

impl fmt::Debug for Outset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().fmt(f)
    }
}
