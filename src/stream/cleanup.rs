//! The cleanup of a stream: who runs it, and what it gave.
//!
//! Whoever closes the stream runs it within its own poll: the stream at its end, a
//! [`Close`](super::Close), an `aclosing`, or a task that it was handed to. Several may
//! want to at a time. The future is then taken out for the poll and put back, with no
//! lock held meanwhile; when one of them gives up, the others are woken to go on.

use std::any::type_name;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

use super::handover::{self, Errand, Errands, Outcome, Within};
use super::open::{self, Open, Registration};
use crate::detect::{cleanup_failed, outside_runtime, stream_not_closed};
use crate::future::TrackedFuture;
use crate::name;
use crate::record::{Flag, Record, Step};
use crate::task::{ByType, Probe};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The cleanup of one stream, shared by those who may run it. The last of them to go
/// hands what is left to do to the runtime.
pub(super) struct Cleanup<T: Send + 'static> {
    state: Mutex<State<T>>,
    /// It has begun: the stream gives no more items.
    begun: AtomicBool,
    over: AtomicBool,
    /// That it is not closed is no news.
    quiet: AtomicBool,
    /// The shutdown has it run, and says what becomes of it.
    shut: AtomicBool,
    /// That of the stream; none if the mode was off.
    record: Option<Arc<Record>>,
    /// Where it was attached.
    at: &'static Location<'static>,
}

struct State<T> {
    /// Not there while it is polled, and when it is over.
    future: Option<Boxed<T>>,
    /// What it gave, till somebody takes it.
    output: Option<T>,
    /// Those who wait for its end, by ticket.
    waiting: Vec<(u64, Waker)>,
    tickets: u64,
    /// The runtime that it belongs to, which knows of it till it is over.
    home: Option<Handle>,
    registration: Option<Registration>,
    /// Cleanups that come before this one: of what was dropped with the body of an
    /// `aclosing`, or with the stream.
    before: Vec<Errand>,
    /// Streams that are a part of this one: they are closed first.
    parts: Vec<Weak<dyn Open>>,
    /// Those of the `aclosing`s in the body of this one's, which closes them by itself,
    /// but for the shutdown.
    inner: Vec<Weak<dyn Open>>,
}

impl<T: Send + 'static> Cleanup<T> {
    pub(super) fn new<F>(
        future: F,
        record: Option<Arc<Record>>,
        at: &'static Location<'static>,
    ) -> Arc<Cleanup<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let future = TrackedFuture::new(future, None, at).not_missed();
        let cleanup = Arc::new(Cleanup {
            state: Mutex::new(State {
                future: Some(Box::pin(future)),
                output: None,
                waiting: Vec::new(),
                tickets: 0,
                home: None,
                registration: None,
                before: Vec::new(),
                parts: Vec::new(),
                inner: Vec::new(),
            }),
            begun: AtomicBool::new(false),
            over: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            record,
            at,
        });
        cleanup.adopt();
        cleanup
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It belongs to the runtime that this is called in, if it is called in one.
    pub(super) fn adopt(self: &Arc<Self>) {
        let Ok(handle) = Handle::try_current() else {
            return;
        };
        if self.runtime() == Some(handle.id()) {
            return;
        }
        let this = Arc::downgrade(self);
        let registration = open::register(handle.id(), this);
        let mut state = self.state();
        let before = (
            state.home.replace(handle),
            state.registration.replace(registration),
        );
        drop(state);
        drop(before);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Nobody need be told that the stream is not closed.
    pub(super) fn silence(&self) {
        self.quiet.store(true, Relaxed);
    }

    /// What it gave, if nobody has taken it.
    pub(super) fn take(&self) -> Option<T> {
        self.state().output.take()
    }

    /// The stream is about to be dropped. That it was not closed says more than that it
    /// was not polled.
    pub(super) fn stream_goes(&self) {
        let Some(record) = &self.record else { return };
        if self.has_begun() || record.debug().is_some() || self.quiet.load(Relaxed) {
            record.set(Flag::DISCARDED);
        }
    }

    pub(super) fn runtime(&self) -> Option<Id> {
        self.state().home.as_ref().map(Handle::id)
    }

    /// These come first.
    pub(super) fn add_before(&self, errands: Vec<Errand>) {
        self.state().before.extend(errands);
    }

    /// These are a part of its stream, or `inner`.
    pub(super) fn add_parts(&self, parts: Vec<Weak<dyn Open>>, inner: bool) {
        let mut state = self.state();
        let known = match inner {
            true => &mut state.inner,
            false => &mut state.parts,
        };
        known.retain(|part| part.strong_count() > 0);
        known.extend(parts);
    }

    /// Tells those who wait that it is over.
    fn end(&self, output: Option<T>) {
        let mut state = self.state();
        state.output = output;
        let waiting = std::mem::take(&mut state.waiting);
        let registration = state.registration.take();
        self.over.store(true, Relaxed);
        drop(state);
        drop(registration);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// One of those who run a cleanup, or wait till it has been run.
pub(super) struct Runner<T: Send + 'static> {
    cleanup: Arc<Cleanup<T>>,
    ticket: Option<u64>,
}

impl<T: Send + 'static> Runner<T> {
    pub(super) fn new(cleanup: Arc<Cleanup<T>>) -> Runner<T> {
        Runner {
            cleanup,
            ticket: None,
        }
    }

    pub(super) fn cleanup(&self) -> &Arc<Cleanup<T>> {
        &self.cleanup
    }

    /// Runs it on. Ready when it is over, whoever ran it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Runner { cleanup, ticket } = self;
        cleanup.begun.store(true, Relaxed);
        // A waker's code is not ours, nor is that of the one which is replaced.
        let waker = cx.waker().clone();
        let mut state = cleanup.state();
        if cleanup.is_over() {
            *ticket = None;
            return Poll::Ready(());
        }
        let ticket = *ticket.get_or_insert_with(|| {
            state.tickets += 1;
            state.tickets
        });
        let replaced = state.wait(ticket, waker);
        // Without it, another thread is polling it.
        let taken = state.future.take().map(|future| {
            let parts = std::mem::take(&mut state.parts);
            (future, parts, std::mem::take(&mut state.before))
        });
        drop(state);
        drop(replaced);
        let Some((mut future, parts, before)) = taken else {
            return Poll::Pending;
        };
        if !(parts.is_empty() && before.is_empty()) {
            future = after(parts, before, future);
        }
        let ending = EndsIfItPanics(cleanup);
        let polled = future.as_mut().poll(cx);
        match polled {
            Poll::Pending => {
                cleanup.state().future = Some(future);
                std::mem::forget(ending);
                Poll::Pending
            }
            Poll::Ready(output) => {
                drop(future);
                std::mem::forget(ending);
                cleanup.end(Some(output));
                Poll::Ready(())
            }
        }
    }
}

/// The cleanup, and before it those that come first: what came last, first.
fn after<T: Send + 'static>(
    parts: Vec<Weak<dyn Open>>,
    before: Vec<Errand>,
    future: Boxed<T>,
) -> Boxed<T> {
    let parts = parts.iter().rev().filter_map(Weak::upgrade);
    let errands = before.into_iter().chain(parts.filter_map(Open::close));
    let mut errands = Errands::new(errands.collect());
    Box::pin(async move {
        poll_fn(|cx| errands.poll(cx)).await;
        future.await
    })
}

impl<T> State<T> {
    /// Notes who waits. Gives what is to be dropped with no lock held.
    fn wait(&mut self, ticket: u64, waker: Waker) -> Option<Waker> {
        match self.waiting.iter_mut().find(|(known, _)| *known == ticket) {
            Some((_, known)) => Some(std::mem::replace(known, waker)),
            None => {
                self.waiting.push((ticket, waker));
                None
            }
        }
    }
}

struct EndsIfItPanics<'a, T: Send + 'static>(&'a Cleanup<T>);

impl<T: Send + 'static> Drop for EndsIfItPanics<'_, T> {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl<T: Send + 'static> Drop for Runner<T> {
    /// Leaves it to the others, if it was this one that ran it.
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.filter(|_| !self.cleanup.is_over()) else {
            return;
        };
        let mut state = self.cleanup.state();
        // They note themselves again when they come.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        let others = waiting.into_iter().filter(|(known, _)| *known != ticket);
        others.for_each(|(_, waker)| waker.wake());
    }
}

impl<T: Send + 'static> Open for Cleanup<T> {
    fn close(self: Arc<Self>) -> Option<Errand> {
        // What it gives is left to whoever may still take it.
        self.errand(|_| Outcome::Fine)
    }

    fn shut(self: Arc<Self>) -> Option<Errand> {
        self.shut.store(true, Relaxed);
        let mut state = self.state();
        let inner = std::mem::take(&mut state.inner);
        state.parts.extend(inner);
        drop(state);
        self.errand(|cleanup| cleanup.take().map_or(Outcome::Fine, outcome))
    }
}

impl<T: Send + 'static> Cleanup<T> {
    fn errand(self: Arc<Self>, ended: fn(&Cleanup<T>) -> Outcome) -> Option<Errand> {
        if self.is_over() {
            return None;
        }
        let (record, at) = (self.record.clone(), self.at);
        let mut runner = Runner::new(self);
        let future = async move {
            poll_fn(|cx| runner.poll(cx)).await;
            ended(&runner.cleanup)
        };
        Some(Errand::new(Box::pin(future), record, at))
    }
}

/// Whether it failed, as far as can be seen by the type.
fn outcome<T>(output: T) -> Outcome {
    if <ByType as Probe<T>>::is_error(&output) {
        Outcome::Error(name::error_type(type_name::<T>()))
    } else {
        Outcome::Fine
    }
}

impl<T: Send + 'static> Drop for Cleanup<T> {
    fn drop(&mut self) {
        let record = self.record.take();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(state.registration.take());
        let home = state.home.take();
        let mut errands = std::mem::take(&mut state.before);
        let unfinished = state.future.take();
        let is_shut = *self.shut.get_mut();
        let is_part = home.as_ref().is_some_and(|home| {
            // Whoever has the stream around it can close that one, and no other.
            match handover::gathered_by(home.id()) {
                Some(Within::Open) => true,
                Some(Within::Closed) => record.as_ref().is_some_and(|it| !it.has(Step::Polled)),
                Some(Within::Body) | None => false,
            }
        });
        let is_news = unfinished.is_some()
            && !(*self.quiet.get_mut() || *self.begun.get_mut() || std::thread::panicking())
            && !is_part;
        if let Some(future) = unfinished {
            let future = async move { outcome(future.await) };
            errands.push(Errand::new(Box::pin(future), record.clone(), self.at));
        }
        if let (Some(Outcome::Error(error)), Some(record)) =
            (state.output.take().map(outcome), &record)
        {
            cleanup_failed::returned(record, &error);
        }
        if errands.is_empty() {
            return;
        }
        let here = Handle::try_current().ok();
        let Some(handle) = home.or_else(|| here.clone()) else {
            if let Some(record) = &record {
                outside_runtime::lost(record);
            }
            return;
        };
        // A runtime of one thread runs while it is in a `block_on`, and here it is not.
        let may_rest = here.is_none() && handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let is_lost = !handover::hand_over(errands, &handle, may_rest && is_news || is_shut);
        if let Some(record) = record.filter(|_| is_news && !is_lost) {
            if may_rest {
                outside_runtime::dropped(&record);
            } else {
                stream_not_closed::dropped(&record);
            }
        }
    }
}
