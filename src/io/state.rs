//! What is known of a reader or writer besides its record.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use super::buffers;
use crate::clock::{self, Tick};
use crate::counts::{Counts, IoCounts};
use crate::detect::{slow_io, unflushed_io};
use crate::observe::{self, Watch};
use crate::record::Record;

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

struct State {
    record: Arc<Record>,
    counts: Arc<Counts>,
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
        let debugged = record.and_then(|record| Some((record, record.debug()?)));
        Outset(debugged.map(|(record, debug)| {
            let counts: Arc<Counts> = Arc::default();
            let _ = debug.seldom_or_new().io.set(Arc::clone(&counts));
            Box::new(State {
                record: Arc::clone(record),
                counts,
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
        Some(self.0.as_ref()?.counts.get())
    }

    /// Nothing is left that a drop would lose.
    pub(super) fn settle(&self) {
        if let Some(state) = &self.0 {
            state.counts.settle();
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
            state.counts.has_read(bytes);
        }
    }

    pub(super) fn has_written(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            let is_straight = state.straight_from.is_some_and(|size| bytes >= size);
            state.counts.has_written(bytes, is_straight);
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
            Op::Flush | Op::Shutdown if is_ok => self.counts.has_flushed(),
            Op::Seek if is_ok && std::mem::take(&mut self.seeks) => self.counts.settle(),
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
        let unflushed = state.counts.unflushed();
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
