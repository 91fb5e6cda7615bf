//! The one poll body, and the one drop body, of everything that is tracked.
//!
//! Futures, tasks, and what is to come all hold a [`Watch`] and go through
//! [`Watch::poll`], so they cannot disagree on what a slow poll is.

mod frame;

#[cfg(feature = "rt-multi-thread")]
pub(crate) use self::frame::excuse;
pub(crate) use self::frame::{expect_failure, was_expected};

use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::span::Id;

use self::frame::{Blocking, Frame};
use crate::clock::{self, Tick};
use crate::detect::dropped_midway::Said;
use crate::detect::{
    abandoned, dropped_midway, living, never_polled, pending_at_shutdown, polled_after_completion,
    polled_by_two_tasks, slow_drop, slow_poll, span_across_await, wrong_runtime,
};
use crate::dump;
use crate::mode::Scope;
use crate::panics;
use crate::record::{Debugged, Flag, Object, Record, Step, Under};
use crate::registry;
use crate::watchdog::{self, Untold};

/// What a wrapper holds: the record of what it wraps, or nothing.
///
/// One word. Empty when the mode was off, and in production from the first poll
/// of a plain future on: nothing more can be found about it.
#[derive(Debug)]
pub(crate) struct Watch(Option<Arc<Record>>);

impl Watch {
    /// Begins to watch a new thing of type `T`, in a scope; `None`: this thread's.
    #[inline]
    pub(crate) fn new<T>(
        object: Object,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> Watch {
        let record = Record::new::<T>(object, name, location, scope);
        if let Some(record) = &record {
            began(record);
        }
        Watch(record)
    }

    pub(crate) fn nothing() -> Watch {
        Watch(None)
    }

    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        self.0.as_ref()
    }

    /// Polls through `poll`, in debug mode with a waker of ours. Always inlined: stacks
    /// have an end, and in a build without optimisation every tracked future would put
    /// one frame more on them.
    #[inline(always)]
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.poll_until(|_| true, cx, poll)
    }

    /// The same for what can be ready many times, as a stream is: `is_end` says of
    /// what it is ready with whether it is its end.
    #[inline(always)]
    pub(crate) fn poll_until<R>(
        &mut self,
        is_end: impl FnOnce(&R) -> bool,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let Some(record) = &self.0 else {
            return poll(cx);
        };
        if let Some(debug) = record.debug() {
            let mut polling = Polling::begin(&**record, debug);
            polling.begun(debug);
            if polling.frame.around() == 0 && record.object() == Object::Future {
                let waker = cx.waker().data().addr();
                if debug.waker.load(Relaxed) != waker {
                    polled_with_another(record, debug, waker);
                }
            }
            // The innermost: what a leaf's stack has around it is only what polls it.
            // SAFETY: what has a record polls through the one `Watch` over it, which is
            // borrowed mutably.
            #[allow(unsafe_code)]
            let result = unsafe { debug.tracker.poll(cx, poll) };
            match &result {
                // What it gives may be what the span is entered by.
                Poll::Ready(item) if !is_end(item) => {
                    debug.gives_item();
                    polling.end_ready();
                }
                Poll::Ready(_) => {
                    record.take(Step::Done);
                    polling.end();
                }
                Poll::Pending => polling.end(),
            }
            return result;
        }
        record.mark_polled();
        if !record.object().is_task() {
            self.0 = None;
        }
        poll(cx)
    }

    /// It is used in a way that is no poll: nobody misses one.
    #[cfg(feature = "stream")]
    pub(crate) fn mark_used(&mut self) {
        let Some(record) = &self.0 else { return };
        record.mark_polled();
        if record.debug().is_none() {
            self.0 = None;
        }
    }

    /// Polls one operation of a thing that has many.
    #[cfg(feature = "io")]
    #[inline]
    pub(crate) fn operate<R>(&self, poll: impl FnOnce() -> Poll<R>) -> Poll<R> {
        let debugged = self
            .0
            .as_ref()
            .and_then(|record| Some((record, record.debug()?)));
        let Some((record, debug)) = debugged else {
            return poll();
        };
        let mut polling = Polling::begin(&**record, debug);
        polling.begun(debug);
        let result = poll();
        polling.end_ready();
        result
    }

    /// The thing is about to be dropped. `self` must be dropped after it.
    #[inline]
    pub(crate) fn begin_drop(&self) {
        if let Some(record) = &self.0 {
            let said = record.debug().map_or(Said::Nothing, |debug| {
                dropped_midway::dropping(record, debug, frame::said_around)
            });
            frame::begin_drop(record, said);
        }
    }
}

impl Drop for Watch {
    #[inline]
    fn drop(&mut self) {
        if let Some(record) = self.0.take() {
            ended(&record);
        }
    }
}

/// The thing of a record is about to be dropped, and then the [`Watch`] over it.
#[cfg(feature = "io")]
pub(crate) fn begin_drop(record: &Arc<Record>) {
    frame::begin_drop(record, Said::Nothing);
}

/// Runs the closure of a blocking task.
pub(crate) fn call<R>(record: &Record, call: impl FnOnce() -> R) -> R {
    record.mark_polled();
    let debug = record.debug();
    if let (Some(debug), Some(id)) = (debug, tokio::task::try_id()) {
        let _ = debug.task_id.set(id);
    }
    let _frame = debug.map(|debug| Blocking::enter(debug.number));
    call()
}

fn began(record: &Arc<Record>) {
    // Of a task that is not wrapped nobody here sees what it ends with, but that its poll
    // was long because a panic was being printed.
    if record.object().is_task() {
        panics::watch();
    }
    if let Some(debug) = record.debug() {
        debug.created_in.store(frame::current(), Relaxed);
        registry::enter(record);
        living::watch();
        dump::listen(debug.scope.settings());
        clock::prepare();
        // Taking a stack is our doing: the poll that creates is not blamed for it.
        frame::allow(debug.created);
    }
}

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
    fn end_ready(&mut self) {
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
    if !frame.may_block()
        && let Untold::Seen(live) = frame.take_over()
    {
        let own = own.saturating_sub(not_its_own(frame.start()));
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

/// The same, where no task is tracked: nothing but the waker tells of it.
#[cold]
fn polled_with_another(record: &Record, debug: &Debugged, waker: usize) {
    debug.waker.store(waker, Relaxed);
    wrong_runtime::moved(record, debug);
}

/// Time since `start` that is the fault of nothing that ran: the process stood still,
/// a panic was being printed, a dump taken, or there was no processor.
#[cold]
fn not_its_own(start: Tick) -> Duration {
    let printed = panics::printed_since(start);
    let dumped = dump::taken_since(start);
    watchdog::stalled_since(start) + printed + dumped + watchdog::queued_since(start)
}

/// Something may have been dropped before its time.
fn judge_unfinished(record: &Arc<Record>, within: Option<Arc<Record>>, within_another: bool) {
    let unfinished_task = record.object().is_task() && !record.has(Step::Done);
    if record.has(Step::Polled) && !unfinished_task {
        return;
    }
    let scope = record.scope();
    // A future that goes down with the runtime is judged as ever: it may have been
    // kept in something that only then comes to its end.
    if scope.is_ending() && !record.object().is_part() {
        if unfinished_task && record.debug().is_none() {
            pending_at_shutdown::dropped(record, &scope);
        }
    } else if !record.has(Step::Polled) && !never_polled::is_silenced(record) {
        // One report for what is nested: the innermost, unless a task is around
        // it, which is more than a wrapper.
        let blamed = within.filter(|_| record.object().is_part());
        let blamed = blamed.unwrap_or_else(|| Arc::clone(record));
        if within_another {
            frame::leave_to_outer(blamed);
        } else {
            // As with the creation: what it takes is not the doing of the poll
            // that drops.
            let start = clock::tick();
            never_polled::dropped(&blamed);
            frame::allow(start);
        }
    }
}

/// The thing is gone.
fn ended(record: &Arc<Record>) {
    if record.debug().is_none() && record.has(Step::Polled) && record.has(Step::Done) {
        return;
    }
    if let Some(debug) = record.debug() {
        registry::leave(record);
        record.site().delays().add(&debug.delays);
        if record.object().is_task() {
            abandoned::ended(record);
            record.has_result();
        }
    }
    let dropped = frame::end_drop(record);
    judge_unfinished(record, dropped.unpolled, dropped.within_another);
    let (Some(debug), Some((start, elapsed))) = (record.debug(), dropped.timed) else {
        return;
    };
    let own = slow_poll::judge(elapsed, dropped.told, debug.slow_poll_nanos());
    if let Some(own) = own
        && !frame::may_block()
        && watchdog::tells_itself(start)
    {
        let own = own.saturating_sub(not_its_own(start));
        slow_drop::report(record, own, watchdog::taken_since(start));
    }
    // As with polls.
    if own.is_some() || debug.has_own_threshold() {
        frame::excuse(Duration::from_nanos(
            start.nanos().saturating_sub(dropped.told),
        ));
    }
}
