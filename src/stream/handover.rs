//! Cleanups that are left to the runtime.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::runtime::{Handle, Id};

use super::open::{self, Waited};
use crate::detect::cleanup_failed;
use crate::mode;
use crate::panics;
use crate::record::{Flag, Object, Record};
use crate::task::{ByType, JoinHandle, Spawning, TrackedTask};

/// How a cleanup ended.
pub(super) enum Outcome {
    Fine,
    /// It returned an error of that type.
    Error(String),
}

/// A cleanup that somebody is to run.
pub(super) struct Errand {
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    /// That of the stream.
    record: Option<Arc<Record>>,
    at: &'static Location<'static>,
}

impl Errand {
    pub(super) fn new(
        future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
        record: Option<Arc<Record>>,
        at: &'static Location<'static>,
    ) -> Errand {
        Errand { future, record, at }
    }
}

/// What is dropped in one go, and the runtime that it is to be cleaned up in.
struct Gathering {
    home: Option<Id>,
    errands: Vec<Errand>,
    within: Within,
}

/// What is being dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// The body of an `aclosing`.
    Body,
    /// A stream that has not been closed either.
    Open,
    /// One that is being closed, or has been.
    Closed,
}

thread_local! {
    static GATHERINGS: RefCell<Vec<Gathering>> = const { RefCell::new(Vec::new()) };
}

/// What would be handed to that runtime on this thread is gathered from now on, till
/// [`end_gathering`].
pub(super) fn begin_gathering(home: Option<Id>, within: Within) {
    let gathering = Gathering {
        home,
        errands: Vec::new(),
        within,
    };
    let _ = GATHERINGS.try_with(|gatherings| gatherings.borrow_mut().push(gathering));
}

/// Gives what was to be handed over.
pub(super) fn end_gathering() -> Vec<Errand> {
    let ended = GATHERINGS.try_with(|gatherings| gatherings.borrow_mut().pop());
    let ended = ended.ok().flatten();
    ended.map_or_else(Vec::new, |gathering| gathering.errands)
}

/// What gathers for that runtime on this thread.
pub(super) fn gathered_by(home: Id) -> Option<Within> {
    let last = GATHERINGS.try_with(|gatherings| {
        let gatherings = gatherings.borrow();
        let last = gatherings.last().filter(|last| last.home == Some(home));
        last.map(|last| last.within)
    });
    last.ok().flatten()
}

/// Gives errands to whoever gathers them for that runtime, or back.
fn to_gathering(errands: Vec<Errand>, home: Id) -> Vec<Errand> {
    let mut left = Some(errands);
    let _ = GATHERINGS.try_with(|gatherings| {
        let mut gatherings = gatherings.borrow_mut();
        if let Some(last) = gatherings.last_mut().filter(|last| last.home == Some(home)) {
            last.errands.extend(left.take().unwrap_or_default());
        }
    });
    left.unwrap_or_default()
}

/// Has a runtime run these, one after the other. False if it has ended. `told`: there is
/// a report already that they may not come to run.
pub(super) fn hand_over(errands: Vec<Errand>, handle: &Handle, told: bool) -> bool {
    let errands = to_gathering(errands, handle.id());
    let Some(first) = errands.first() else {
        return true;
    };
    let lost = Arc::new(AtomicBool::new(false));
    let (at, name) = (first.at, first.record.as_ref().map(|record| record.name()));
    let waited = open::wait_for(
        handle.id(),
        errands.iter().filter_map(|errand| errand.record.clone()),
    );
    let task = HandedOver {
        errands: Errands::new(errands),
        told,
        lost: Arc::clone(&lost),
        waited,
    };
    let name = name.map(|name| format!("cleanup of {name}"));
    // The subscriber's code runs in it, and this may be a `Drop`.
    let spawned = catch_unwind(AssertUnwindSafe(|| spawn(task, name, at, handle)));
    spawned.is_ok() && !lost.load(Relaxed)
}

fn spawn(task: HandedOver, name: Option<String>, at: &'static Location<'static>, handle: &Handle) {
    let scope = mode::scope_of(handle);
    let (task, record) = TrackedTask::<_, ByType>::new(task, Object::Task, name, at, Some(&scope));
    if let Some(record) = &record {
        // It tells itself what becomes of it.
        record.set(Flag::ABORTED);
    }
    let _spawning = Spawning::begin();
    JoinHandle::new::<ByType>(handle.spawn(task), record).detach();
}

/// Cleanups that are run one after the other.
pub(super) struct Errands(VecDeque<Errand>);

impl Errands {
    pub(super) fn new(errands: Vec<Errand>) -> Errands {
        Errands(errands.into())
    }

    /// Runs them on, and tells of those that fail.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(errand) = self.0.front_mut() {
            let polled = catch_unwind(AssertUnwindSafe(|| errand.future.as_mut().poll(cx)));
            let ended = match polled {
                Ok(polled) => Ok(ready!(polled)),
                Err(payload) => Err(payload),
            };
            if let Some(errand) = self.0.pop_front() {
                tell(&errand, ended);
            }
        }
        Poll::Ready(())
    }
}

/// The task that runs cleanups.
struct HandedOver {
    errands: Errands,
    told: bool,
    lost: Arc<AtomicBool>,
    /// Last, so that the shutdown is woken when all is done.
    waited: Waited,
}

impl Future for HandedOver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.errands.poll(cx)
    }
}

fn tell(errand: &Errand, ended: Result<Outcome, Box<dyn Any + Send>>) {
    let Some(record) = &errand.record else { return };
    match ended {
        Ok(Outcome::Fine) => {}
        Ok(Outcome::Error(error)) => cleanup_failed::returned(record, &error),
        Err(payload) => cleanup_failed::panicked(record, panics::caught(&*payload)),
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        let Errands(errands) = &self.errands;
        self.lost.store(!errands.is_empty(), Relaxed);
        if self.told || self.waited.is_given_up() {
            return;
        }
        let records = errands.iter().filter_map(|errand| errand.record.as_ref());
        records.for_each(|record| cleanup_failed::dropped(record));
    }
}
