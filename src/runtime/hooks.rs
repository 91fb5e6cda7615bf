//! tokio's task hooks, where it has them: under `--cfg tokio_unstable`.
//!
//! They show the tasks of a runtime that nobody wrapped, those of libraries too: where
//! one was spawned, its polls, its end. They do not show the future of `block_on`, nor
//! the tasks of a `LocalSet`.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Release;
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use tokio::runtime::TaskMeta;
use tokio::task::Id;

use super::Builder;
use crate::mode::{Mode, Scope};
use crate::observe::{Polling, Watch};
use crate::record::{Flag, Object, Record, Step};
use crate::task::was_wrapped;

type Callback = Arc<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The user's callbacks. tokio keeps one a hook, so ours call these.
#[derive(Clone, Default)]
pub(super) struct Callbacks {
    spawn: Option<Callback>,
    before_poll: Option<Callback>,
    after_poll: Option<Callback>,
    terminate: Option<Callback>,
}

macro_rules! keep {
    ($($method:ident: $hook:ident;)*) => {$(
        #[doc = concat!("See [`tokio::runtime::Builder::", stringify!($method), "`].")]
        #[cfg_attr(docsrs, doc(cfg(tokio_unstable)))]
        pub fn $method<F>(&mut self, f: F) -> &mut Self
        where
            F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
        {
            self.callbacks.$hook = Some(Arc::new(f));
            self
        }
    )*};
}

impl Builder {
    keep! {
        on_task_spawn: spawn;
        on_before_task_poll: before_poll;
        on_after_task_poll: after_poll;
        on_task_terminate: terminate;
    }
}

impl Callbacks {
    /// Has the hooks of a runtime to be built watch its tasks, and call the user's.
    pub(super) fn chain(&self, builder: &mut tokio::runtime::Builder, scope: &Arc<Scope>) {
        let tasks = Arc::new(Tasks {
            scope: Arc::clone(scope),
            alive: OnceLock::new(),
        });
        let (seen, user) = (Arc::clone(&tasks), self.spawn.clone());
        builder.on_task_spawn(move |task| {
            // First: the user's may spawn in its turn.
            seen.spawned(task);
            call(user.as_ref(), task);
        });
        // What the user's callbacks take is not the poll's doing.
        let (seen, user) = (Arc::clone(&tasks), self.before_poll.clone());
        builder.on_before_task_poll(move |task| {
            call(user.as_ref(), task);
            seen.poll_begins(task);
        });
        let (seen, user) = (Arc::clone(&tasks), self.after_poll.clone());
        builder.on_after_task_poll(move |task| {
            seen.poll_ended(task);
            call(user.as_ref(), task);
        });
        let (seen, user) = (tasks, self.terminate.clone());
        builder.on_task_terminate(move |task| {
            seen.terminated(task);
            call(user.as_ref(), task);
        });
    }
}

fn call(callback: Option<&Callback>, task: &TaskMeta<'_>) {
    if let Some(callback) = callback {
        callback(task);
    }
}

/// The tasks of a runtime that are not wrapped, in debug mode.
struct Tasks {
    scope: Arc<Scope>,
    /// Those that are alive; there once there was one, so that production looks no
    /// further.
    alive: OnceLock<DashMap<Id, Watch>>,
}

/// A poll in progress.
struct Poll {
    id: Id,
    record: Arc<Record>,
    polling: Polling<Arc<Record>>,
}

thread_local! {
    /// Those on this thread, outermost first: a task may run another runtime.
    static POLLS: RefCell<Vec<Poll>> = const { RefCell::new(Vec::new()) };
}

impl Tasks {
    fn spawned(&self, task: &TaskMeta<'_>) {
        if was_wrapped() || self.scope.mode() != Mode::Debug || self.scope.is_ending() {
            return;
        }
        let (object, scope) = (Object::UnwrappedTask, Some(&self.scope));
        let watch = Watch::new::<()>(object, None, task.spawned_at(), scope);
        let Some(record) = watch.record() else { return };
        // Nobody sees whether it is aborted, so none is said to have been forgotten.
        record.set(Flag::DISCARDED);
        let Some(debug) = record.debug() else { return };
        let _ = debug.task_id.set(task.id());
        self.alive
            .get_or_init(DashMap::default)
            .insert(task.id(), watch);
        // A runtime that ends terminates what it is given at once, before this.
        if self.scope.is_ending() {
            self.terminated(task);
        }
    }

    fn poll_begins(&self, task: &TaskMeta<'_>) {
        let Some(record) = self.record(task.id()) else {
            return;
        };
        let Some(debug) = record.debug() else {
            return;
        };
        set_in_poll(&record, true);
        let polling = Polling::begin(Arc::clone(&record), debug);
        polling.begun(debug);
        let id = task.id();
        let _ = POLLS.try_with(|polls| {
            polls.borrow_mut().push(Poll {
                id,
                record,
                polling,
            });
        });
    }

    fn record(&self, id: Id) -> Option<Arc<Record>> {
        self.alive.get()?.get(&id)?.record().cloned()
    }

    fn poll_ended(&self, task: &TaskMeta<'_>) {
        // It may be gone by now: its end comes before that of its last poll.
        if self.alive.get().is_none() {
            return;
        }
        let is_it = |poll: &mut Poll| poll.id == task.id();
        let ended = POLLS.try_with(|polls| polls.borrow_mut().pop_if(is_it));
        if let Ok(Some(mut poll)) = ended {
            poll.polling.end();
            set_in_poll(&poll.record, false);
        }
    }

    fn terminated(&self, task: &TaskMeta<'_>) {
        let ended = self.alive.get().and_then(|alive| alive.remove(&task.id()));
        // Dropped here, and not in the table.
        if let Some((_, watch)) = ended
            && let Some(record) = watch.record()
        {
            record.take(Step::Done);
        }
    }
}

fn set_in_poll(record: &Record, in_poll: bool) {
    if let Some(debug) = record.debug() {
        debug.in_poll.store(in_poll, Release);
    }
}
