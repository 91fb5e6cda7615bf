//! A poll: what is noted as it begins, and judged as it ends.

use std::ops::Deref;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::span::Id;

use super::frame::{self, Frame};
use crate::clock::Tick;
use crate::detect::{
    polled_after_completion, polled_by_two_tasks, slow_poll, span_across_await, wrong_runtime,
};
use crate::dump;
use crate::panics;
use crate::record::{Debugged, Flag, Object, Record, Step, Under};
use crate::registry;
use crate::watchdog::{self, Untold};

/// A poll in progress, of a thing of debug mode. Dropped by a panic, it says what it
/// can.
pub(crate) struct Polling<R: Deref<Target = Record>> {
    record: R,
    span: Option<Id>,
    frame: Frame,
    returned: bool,
}

impl<R: Deref<Target = Record>> Polling<R> {
    /// A poll begins. [`begun`](Polling::begun) is to be called next: in one the two would
    /// move what is made, for which the processor waits till it is written.
    #[inline(never)]
    pub(crate) fn begin(record: R, debug: &Debugged) -> Polling<R> {
        if record.has(Step::Done) {
            polled_after_completion::polled_again(&record);
        }
        if !record.has(Step::Polled) {
            first(&record, debug);
        }
        // An operation is a part of whoever waits for it, who is asked. There are many.
        let span = match record.object() {
            Object::Io => None,
            _ => span_across_await::current_span(),
        };
        debug.poll_begins();
        let (itself, is_task) = (itself(debug), is_task(&record));
        // From here on it is ended, whatever happens.
        Polling {
            record,
            span,
            frame: Frame::enter(itself, is_task, debug.has_own_threshold()),
            returned: false,
        }
    }

    /// The number of the thing in whose poll this one is; zero: none.
    #[inline]
    pub(super) fn around(&self) -> u64 {
        self.frame.around()
    }

    /// It has begun.
    #[inline(never)]
    pub(crate) fn begun(&self, debug: &Debugged) {
        let Polling { record, frame, .. } = self;
        let is_task = is_task(record);
        let (under, around) = (frame.under(itself(debug), is_task), frame.around());
        if debug.under.number() != under.number {
            moved(record, debug, under, around);
        }
        if is_task
            && let Some(owner) = debug.tracker.owner()
            && let Some(woken) = owner.woken_exactly()
        {
            debug.delays.polled(frame.start(), woken);
        }
        debug.polled_in.store(around, Relaxed);
        debug.last_polled.store(frame.start());
    }

    /// It has ended with what was asked for, which may be what a span is entered by.
    #[inline]
    pub(super) fn end_ready(&mut self) {
        self.returned = true;
    }

    /// It has ended, and is to be dropped. What is not done by now gave way to others.
    #[inline(always)]
    pub(crate) fn end(&mut self) {
        self.returned = true;
        if let Some(now) = span_across_await::current_span() {
            self.end_in(now);
        }
    }

    /// The same, in a span.
    #[inline(never)]
    fn end_in(&self, now: Id) {
        let now = Some(now);
        if !self.record.has(Step::Done)
            && now != self.span
            && !frame::span_was_told()
            && span_across_await::judge(self.span.as_ref(), now.as_ref())
        {
            span_across_await::report(&self.record);
            frame::tell_span();
        }
    }
}

impl<R: Deref<Target = Record>> Drop for Polling<R> {
    #[inline]
    fn drop(&mut self) {
        let Polling {
            record,
            frame,
            returned,
            ..
        } = self;
        if !*returned {
            record.set(Flag::PANICKED);
        }
        let Some(debug) = record.debug() else { return };
        if record.has(Step::Done) && record.object() == Object::Stream {
            polled_after_completion::stream_polled(record);
        }
        frame.leave(|frame, elapsed, within| {
            debug.polled_for(elapsed);
            if let Some(own) = slow_poll::judge(elapsed, within.told, debug.slow_poll_nanos()) {
                slow(record, frame, own);
                // Told or excused: those around it have nothing to add. Nor is it their
                // doing what it took to tell, and to wait for the watchdog.
                frame.start().nanos()
            } else if debug.has_own_threshold() {
                // What is allowed here is not the fault of those around it either.
                elapsed
            } else {
                within.told
            }
        });
    }
}

#[inline]
fn itself(debug: &Debugged) -> Under {
    Under {
        number: debug.number,
        place: registry::place(debug),
    }
}

#[inline]
fn is_task(record: &Record) -> bool {
    !(record.object().is_part() || record.object() == Object::Io)
}

/// Its first poll begins.
#[inline(never)]
fn first(record: &Record, debug: &Debugged) {
    record.mark_polled();
    if let (true, Some(id)) = (record.object().is_task(), tokio::task::try_id()) {
        let _ = debug.task_id.set(id);
    }
}

/// A poll took so long, for what it did itself.
#[cold]
fn slow(record: &Record, frame: &Frame, own: Duration) {
    if frame.may_block() {
        return;
    }
    // First, since the next may have to wait for the watchdog.
    let queued = watchdog::queued_since(frame.start());
    if let Untold::Seen(live) = frame.take_over() {
        let own = own.saturating_sub(queued + stood_still(frame.start()));
        slow_poll::report(record, own, live);
    }
}

/// A poll begins under another task than the last one was, or the first one.
#[cold]
fn moved(record: &Record, debug: &Debugged, under: Under, around: u64) {
    if record.object() == Object::Future {
        if debug.under.number() == 0 {
            wrong_runtime::first_polled(debug);
        } else if debug.polled_in.load(Relaxed) != around {
            // What is within another goes where that goes.
            wrong_runtime::moved(record, debug);
        }
    }
    if record.object().is_part() {
        polled_by_two_tasks::moved(record, debug, under);
    }
    debug.under.store(under);
}

/// Time since `start` that is the fault of nothing that ran: there was no processor, the
/// process stood still, a panic was being printed, or a dump taken.
#[cold]
pub(super) fn not_its_own(start: Tick) -> Duration {
    watchdog::queued_since(start) + stood_still(start)
}

/// The same, but for the wait for a processor.
fn stood_still(start: Tick) -> Duration {
    let printed = panics::printed_since(start);
    let dumped = dump::taken_since(start);
    watchdog::stalled_since(start) + printed + dumped
}
