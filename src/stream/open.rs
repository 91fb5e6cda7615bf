//! What each runtime has open: streams with a cleanup, and cleanups that it was given.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use slab::Slab;
use tokio::runtime::Id;

use super::handover::Errand;
use crate::record::Record;

/// A stream with a cleanup, whatever the types.
pub(super) trait Open: Send + Sync {
    /// Closes it, by way of whoever runs this; nothing if it is closed.
    fn close(self: Arc<Self>) -> Option<Errand>;
    /// The same at the end of its runtime, with what the body of its `aclosing` has open.
    fn shut(self: Arc<Self>) -> Option<Errand>;
}

#[derive(Default)]
struct Runtime {
    streams: Slab<Weak<dyn Open>>,
    /// Tasks that run cleanups.
    tasks: Slab<Task>,
    /// Those who wait for the last of the tasks.
    waiting: Vec<Waker>,
}

struct Task {
    /// Of the streams whose cleanups it was given.
    records: Vec<Arc<Record>>,
    given_up: bool,
}

static RUNTIMES: LazyLock<Mutex<HashMap<Id, Runtime>>> = LazyLock::new(Mutex::default);

fn runtimes() -> MutexGuard<'static, HashMap<Id, Runtime>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime {
    fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.tasks.is_empty()
    }
}

/// That a stream is open.
pub(super) struct Registration {
    runtime: Id,
    key: usize,
}

pub(super) fn register(runtime: Id, stream: Weak<dyn Open>) -> Registration {
    let key = runtimes()
        .entry(runtime)
        .or_default()
        .streams
        .insert(stream);
    Registration { runtime, key }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut runtimes = runtimes();
        if let Some(runtime) = runtimes.get_mut(&self.runtime) {
            runtime.streams.try_remove(self.key);
            if runtime.is_empty() {
                runtimes.remove(&self.runtime);
            }
        }
    }
}

/// That a task runs cleanups.
pub(super) struct Waited {
    runtime: Id,
    key: usize,
}

/// A task is about to run the cleanups of these streams.
pub(super) fn wait_for(runtime: Id, records: impl Iterator<Item = Arc<Record>>) -> Waited {
    let task = Task {
        records: records.collect(),
        given_up: false,
    };
    let key = runtimes().entry(runtime).or_default().tasks.insert(task);
    Waited { runtime, key }
}

impl Waited {
    /// Whether it has been said that it takes too long.
    pub(super) fn is_given_up(&self) -> bool {
        let runtimes = runtimes();
        let task = runtimes
            .get(&self.runtime)
            .and_then(|runtime| runtime.tasks.get(self.key));
        task.is_some_and(|task| task.given_up)
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        let mut runtimes = runtimes();
        let Some(runtime) = runtimes.get_mut(&self.runtime) else {
            return;
        };
        let task = runtime.tasks.try_remove(self.key);
        let waiting = if runtime.tasks.is_empty() {
            std::mem::take(&mut runtime.waiting)
        } else {
            Vec::new()
        };
        if runtime.is_empty() {
            runtimes.remove(&self.runtime);
        }
        drop(runtimes);
        drop(task);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Whether there is anything to be closed or waited for.
pub(super) fn is_any(runtime: Id) -> bool {
    runtimes().contains_key(&runtime)
}

/// The streams that are open, those that came last first.
pub(super) fn streams(runtime: Id) -> Vec<Arc<dyn Open>> {
    let runtimes = runtimes();
    let Some(runtime) = runtimes.get(&runtime) else {
        return Vec::new();
    };
    let streams = runtime
        .streams
        .iter()
        .filter_map(|(_, stream)| stream.upgrade());
    let mut streams: Vec<_> = streams.collect();
    streams.reverse();
    streams
}

/// Whether all tasks are done; if not, `waker` is woken when they are.
pub(super) fn are_done(runtime: Id, waker: Waker) -> bool {
    let mut runtimes = runtimes();
    match runtimes.get_mut(&runtime) {
        Some(runtime) if !runtime.tasks.is_empty() => {
            runtime.waiting.push(waker);
            false
        }
        _ => {
            drop(runtimes);
            drop(waker);
            true
        }
    }
}

/// Gives up the tasks that are not done. Gives the streams whose cleanups they have.
pub(super) fn give_up(runtime: Id) -> Vec<Arc<Record>> {
    let mut runtimes = runtimes();
    let Some(runtime) = runtimes.get_mut(&runtime) else {
        return Vec::new();
    };
    let mut given_up = Vec::new();
    for (_, task) in &mut runtime.tasks {
        if !std::mem::replace(&mut task.given_up, true) {
            given_up.append(&mut task.records);
        }
    }
    given_up
}
