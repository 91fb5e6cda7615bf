//! What the two sorts of runtime have in common: how they begin and end.

use std::sync::Arc;

use tokio::runtime::{RuntimeFlavor, RuntimeMetrics};

use super::Handle;
use crate::detect::shutdown_hang::{self, Waiting};
use crate::detect::{pending_at_shutdown, untracked_tasks};
use crate::mode::{self, Mode, Scope};
use crate::watchdog::{self, Driving, Registration};

/// What a runtime of ours is built with.
pub(super) struct Origin {
    pub(super) scope: Arc<Scope>,
    /// Its number for the watchdog.
    pub(super) number: u32,
    pub(super) event_interval: Option<u32>,
}

/// A runtime of ours, of either sort.
#[derive(Debug)]
pub(super) struct Owned<R> {
    /// Always there till the drop.
    inner: Option<R>,
    /// For as long as the runtime is to be looked at.
    metrics: Arc<RuntimeMetrics>,
    handle: Handle,
    number: u32,
    watched: Option<Registration>,
}

impl<R> Owned<R> {
    pub(super) fn new(inner: R, handle: tokio::runtime::Handle, origin: Origin) -> Owned<R> {
        let Origin {
            scope,
            number,
            event_interval,
        } = origin;
        mode::began(&handle, &scope);
        let metrics = Arc::new(handle.metrics());
        untracked_tasks::watch(&metrics, &scope);
        Owned {
            inner: Some(inner),
            metrics,
            number,
            watched: watchdog::register(
                number,
                handle.id(),
                handle.metrics(),
                &scope,
                event_interval,
            ),
            handle: Handle::new(handle, scope),
        }
    }

    pub(super) fn inner(&self) -> &R {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("only `end` takes it, which the drop calls"),
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        self.handle.scope()
    }

    /// This thread is about to run it, if it is a runtime of one thread.
    pub(super) fn drive(&self) -> Option<Driving> {
        let is_driven = self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
            && self.scope().mode() == Mode::Debug;
        is_driven.then(|| Driving::begin(self.number)).flatten()
    }

    /// Ends it by way of `end`, which may not wait for its workers, and says what it
    /// left.
    pub(super) fn end_early(&mut self, end: impl FnOnce(R)) {
        let alive = self.metrics.num_alive_tasks();
        self.end(end, alive);
    }

    /// The same, with the number of tasks if they may not all be dropped by then.
    fn end(&mut self, end: impl FnOnce(R), alive: usize) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        let scope = self.handle.scope();
        let _entered = mode::enter(Some(Arc::clone(scope)));
        let pending = pending_at_shutdown::alive_in(scope);
        if scope.mode() == Mode::Debug {
            let tasks = self.metrics.num_alive_tasks();
            pending.report(scope, tasks.saturating_sub(scope.tasks()));
        }
        scope.end();
        let _ended = Ended {
            handle: &self.handle,
            alive,
            watched: self.watched.take(),
            waiting: shutdown_hang::watch(scope),
        };
        end(inner);
    }
}

/// Says what a runtime dropped, when it has: also if its end panicked, as it does
/// within a future.
struct Ended<'a> {
    handle: &'a Handle,
    alive: usize,
    watched: Option<Registration>,
    waiting: Option<Arc<Waiting>>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let scope = self.handle.scope();
        drop(self.waiting.take());
        drop(self.watched.take());
        pending_at_shutdown::dropped_by(scope, self.alive).report(scope, 0);
        mode::ended(self.handle.id());
    }
}

impl<R> Drop for Owned<R> {
    fn drop(&mut self) {
        self.end(drop, 0);
    }
}
