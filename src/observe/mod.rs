//! The one poll body, and the one drop body, of everything that is tracked.
//!
//! Futures, tasks, and what is to come all hold a [`Watch`] and go through
//! [`Watch::poll`], so they cannot disagree on what a slow poll is.
//!
//! ```text
//! polling  a poll: what is noted as it begins, and judged as it ends
//! ending   what is judged when a thing is gone
//! frame    what the polls and drops on one thread know of each other
//! ```

mod ending;
mod frame;
mod polling;

#[cfg(feature = "rt-multi-thread")]
pub(crate) use self::frame::excuse;
pub(crate) use self::frame::{expect_failure, was_expected};
pub(crate) use self::polling::Polling;

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use self::frame::Blocking;
use crate::clock;
use crate::detect::dropped_midway::Said;
use crate::detect::{dropped_midway, living, wrong_runtime};
use crate::dump;
use crate::mode::Scope;
use crate::panics;
use crate::record::{Debugged, Object, Record, Step};
use crate::registry;

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
            if polling.around() == 0 && record.object() == Object::Future {
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

    /// The thing is about to be dropped. `self` must be dropped after it. Always inlined,
    /// as the drop itself: of what is not watched a test is left.
    #[inline(always)]
    pub(crate) fn begin_drop(&self) {
        if let Some(record) = &self.0 {
            dropping(record);
        }
    }
}

impl Drop for Watch {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(record) = self.0.take() {
            ending::ended(&record);
        }
    }
}

#[inline(never)]
fn dropping(record: &Arc<Record>) {
    let said = record.debug().map_or(Said::Nothing, |debug| {
        dropped_midway::dropping(record, debug, frame::said_around)
    });
    frame::begin_drop(record, said);
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

/// The same, where no task is tracked: nothing but the waker tells of it.
#[cold]
fn polled_with_another(record: &Record, debug: &Debugged, waker: usize) {
    debug.waker.store(waker, Relaxed);
    wrong_runtime::moved(record, debug);
}
