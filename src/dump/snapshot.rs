//! What a dump consists of.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Duration;

use super::delays::{self, SiteDelay};
use crate::clock::Tick;
#[cfg(feature = "io")]
use crate::counts::IoCounts;
use crate::delay::Delay;
use crate::mode::Scope;
use crate::record::{Flag, Object, Record, Step};
use crate::registry;
use crate::stack::{Awaits, Captured, Frame};
use crate::waker::{self, Outlook, Owner};
use crate::watchdog;

/// Everything that is tracked in debug mode and alive, at one moment: given by
/// [`dump`](crate::dump()).
///
/// Its `Display` is a table, a line each; [`tree`](Snapshot::tree) is the other view.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// By their ids: in the order in which they were created.
    pub objects: Vec<Tracked>,
    /// How many tasks besides are alive, at least, and not tracked. `None` if no runtime
    /// is one of [`debug_async::runtime`](crate::runtime), in debug mode: tokio's own
    /// are not counted.
    pub untracked: Option<usize>,
    /// How late tasks are polled, by where they were spawned, the longest first. With
    /// [`await_stacks`](crate::config::Config::await_stacks) off there are none.
    pub delays: Vec<SiteDelay>,
}

/// A tracked object, in a [`Snapshot`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Tracked {
    /// Counts up over all that is created in debug mode in this process.
    pub id: u64,
    /// What sort of thing it is.
    pub kind: Kind,
    /// The name it was given, or that of its function.
    pub name: String,
    /// The name it was given.
    pub given_name: Option<String>,
    /// tokio's id of the task, from the first poll on.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::serial::task_id"))]
    pub task_id: Option<tokio::task::Id>,
    /// Where in the program's text it was created.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::serial::site"))]
    pub site: &'static Location<'static>,
    /// How far it has come.
    pub state: State,
    /// How often it was polled.
    pub polls: u64,
    /// How many items it gave, if it is a stream.
    pub items: Option<u64>,
    /// What was read and written, if it is a reader or a writer.
    #[cfg(feature = "io")]
    pub io: Option<IoCounts>,
    /// How long its polls took, those that have ended.
    pub busy: Duration,
    /// How late it is polled, if it is a task: from a wake to the poll that it asked for.
    /// It says nothing against the task; others kept its thread. With
    /// [`await_stacks`](crate::config::Config::await_stacks) off there is none.
    pub delay: Option<Delay>,
    /// How long ago it was created.
    pub age: Duration,
    /// How long ago its last poll began.
    pub last_polled: Option<Duration>,
    /// How long ago it was woken, if that was since its last poll began. With
    /// [`await_stacks`](crate::config::Config::await_stacks) off, and of all but a plain
    /// future, it may have been some tens of milliseconds more.
    pub woken: Option<Duration>,
    /// The id of what was being polled when it was created. That may be gone.
    pub created_in: Option<u64>,
    /// The id of what polled it last: what awaits it. `None` for a task, which its
    /// runtime polls, and where that is not tracked. It may be gone.
    pub polled_in: Option<u64>,
    /// How many clones of its waker there are. With none left, what waits can never run
    /// again. `None` for what is polled with a waker that is not ours, or not at all: a
    /// task that nobody wrapped, a closure, what was not polled yet.
    pub wakers: Option<usize>,
    /// What it waits on, what has been waited on for longest first. With
    /// [`await_stacks`](crate::config::Config::await_stacks) off there are none.
    pub leaves: Vec<Leaf>,
}

/// What sort of thing a [`Tracked`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Kind {
    /// A future that is no task.
    // Not `Future`, nor `Stream`: a second public thing of that name would have the
    // compiler write `std::future::Future` in its messages.
    PlainFuture,
    /// A stream.
    PlainStream,
    /// A reader or a writer.
    Io,
    /// A task.
    Task,
    /// A task that nobody wrapped: tokio's hooks show it, with `--cfg tokio_unstable`.
    /// Where it waits is not known.
    UnwrappedTask,
    /// A task that stays on its thread.
    LocalTask,
    /// A closure given to `spawn_blocking`.
    BlockingTask,
    /// The future that a runtime's `block_on` runs.
    Main,
}

/// How far a [`Tracked`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum State {
    /// It was not polled yet.
    NeverPolled,
    /// It is being polled, or the closure runs.
    Running,
    /// It was woken, and waits to be polled.
    Woken,
    /// It waits to be woken. (A task that nobody wrapped may have been.)
    Waiting,
    /// A reader or a writer that nobody polls at this moment.
    Idle,
    /// It has completed, and was not dropped yet.
    Finished,
    /// The task has ended, and nobody has taken the result, which its handle keeps.
    FinishedUnread,
    /// It was aborted, and was not dropped yet.
    Aborted,
}

/// A leaf that is waited on, in a [`Tracked`]: somebody has a clone of its waker.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Leaf {
    /// The awaits that lead to it.
    pub stack: AwaitStack,
    /// For how long: since it was last polled.
    pub waiting: Duration,
    /// It is not of the last poll: that left it out, or its waker is only lying about.
    pub stale: bool,
    /// What it has in common with itself in the futures around.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) key: (usize, u64),
}

/// The awaits that lead to a [`Leaf`], innermost first.
#[derive(Clone, PartialEq, Eq)]
pub struct AwaitStack(Arc<Awaits>);

impl AwaitStack {
    /// Your functions, each with the line that awaits the one before it; the first
    /// awaits the leaf.
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }

    /// The library's future that the innermost of them awaits, such as
    /// `tokio::time::sleep::Sleep`. `None` if it is one of your own.
    pub fn called(&self) -> Option<&str> {
        self.0.called.as_deref()
    }
}

impl fmt::Debug for AwaitStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Snapshot {
    /// Of one scope, or of all.
    pub(super) fn take(scope: Option<&Arc<Scope>>) -> Snapshot {
        let untracked = watchdog::untracked(scope);
        let is_in = |record: &Record, scope| {
            let debug = record.debug();
            debug.is_some_and(|debug| Arc::ptr_eq(&debug.scope, scope))
        };
        let records = registry::select(|record| scope.is_none_or(|scope| is_in(record, scope)));
        let mut known = Known::default();
        // All of it is looked at before a symbol is looked up, which may take long.
        let seen = records.iter().filter_map(|record| known.look(record));
        let seen: Vec<(Tracked, Vec<Waits>)> = seen.collect();
        let objects = seen.into_iter().map(|(object, leaves)| Tracked {
            leaves: known.leaves(leaves),
            ..object
        });
        let mut objects: Vec<Tracked> = objects.collect();
        objects.sort_unstable_by_key(|object| object.id);
        let delays = delays::by_site(&objects, scope.is_none());
        Snapshot {
            objects,
            untracked,
            delays,
        }
    }
}

impl Tracked {
    /// What has gone through it: `items 12`.
    pub(super) fn through(&self) -> Option<String> {
        #[cfg(feature = "io")]
        if let Some(io) = &self.io {
            return Some(io.to_string());
        }
        self.items.map(|items| format!("items {items}"))
    }

    /// For how long it has waited to be woken.
    pub fn waiting(&self) -> Option<Duration> {
        let waits = self.state == State::Waiting;
        self.last_polled.filter(|_| waits)
    }
}

/// A leaf, without its symbols.
struct Waits {
    leaf: waker::Leaf,
    waiting: Duration,
    stale: bool,
}

impl Waits {
    fn all(owner: &Owner) -> Vec<Waits> {
        let leaves = owner.leaves();
        let last = owner.polls();
        let waits = |leaf: waker::Leaf| Waits {
            waiting: leaf.since.elapsed(),
            stale: leaf.poll < last,
            leaf,
        };
        leaves.into_iter().map(waits).collect()
    }
}

/// What is the same for many is made once.
#[derive(Default)]
struct Known {
    stacks: HashMap<usize, AwaitStack>,
    names: HashMap<(usize, u32, bool), String>,
}

impl Known {
    /// All of it but the leaves, and what is to become them.
    fn look(&mut self, record: &Record) -> Option<(Tracked, Vec<Waits>)> {
        let debug = record.debug()?;
        let owner = debug.tracker.owner().map(|owner| &**owner);
        let some = |number: u64| (number != 0).then_some(number);
        let object = Tracked {
            id: debug.number,
            kind: Kind::of(record.object()),
            name: self.name(record),
            given_name: record.given_name().map(str::to_owned),
            task_id: debug.task_id.get().copied(),
            site: record.site().location(),
            state: State::of(record, owner),
            polls: debug.polls(),
            items: (record.object() == Object::Stream).then(|| debug.items()),
            #[cfg(feature = "io")]
            io: debug
                .seldom()
                .and_then(|seldom| Some(seldom.io.get()?.get())),
            busy: debug.busy(),
            delay: debug.delays.get(),
            age: debug.age(),
            last_polled: debug.last_polled.load().map(Tick::elapsed),
            woken: owner.and_then(Owner::woken).map(Tick::elapsed),
            created_in: some(debug.created_in.load(Relaxed)),
            polled_in: some(debug.polled_in.load(Relaxed)),
            wakers: owner.map(Owner::clones),
            leaves: Vec::new(),
        };
        Some((object, owner.map_or_else(Vec::new, Waits::all)))
    }

    fn name(&mut self, record: &Record) -> String {
        if let Some(name) = record.given_name() {
            return name.to_owned();
        }
        let line = record.site().location().line();
        let is_closure = record.object() == Object::BlockingTask;
        let key = (record.type_name().as_ptr().addr(), line, is_closure);
        let name = self.names.entry(key);
        name.or_insert_with(|| record.name()).clone()
    }

    fn leaves(&mut self, mut leaves: Vec<Waits>) -> Vec<Leaf> {
        leaves.sort_by_key(|leaf| (leaf.stale, Reverse(leaf.waiting)));
        let leaf = |waits: Waits| Leaf {
            stack: self.stack(waits.leaf.stack),
            waiting: waits.waiting,
            stale: waits.stale,
            key: (waits.leaf.stack.id(), waits.leaf.since.to_bits()),
        };
        leaves.into_iter().map(leaf).collect()
    }

    fn stack(&mut self, captured: Captured) -> AwaitStack {
        let stack = self.stacks.entry(captured.id());
        let resolve = || AwaitStack(Arc::new(captured.resolve_awaits()));
        stack.or_insert_with(resolve).clone()
    }
}

impl Kind {
    fn of(object: Object) -> Kind {
        match object {
            Object::Future => Kind::PlainFuture,
            Object::Stream => Kind::PlainStream,
            Object::Io => Kind::Io,
            Object::Task => Kind::Task,
            Object::UnwrappedTask => Kind::UnwrappedTask,
            Object::LocalTask => Kind::LocalTask,
            Object::BlockingTask => Kind::BlockingTask,
            Object::Root => Kind::Main,
        }
    }

    fn object(self) -> Object {
        match self {
            Kind::PlainFuture => Object::Future,
            Kind::PlainStream => Object::Stream,
            Kind::Io => Object::Io,
            Kind::Task => Object::Task,
            Kind::UnwrappedTask => Object::UnwrappedTask,
            Kind::LocalTask => Object::LocalTask,
            Kind::BlockingTask => Object::BlockingTask,
            Kind::Main => Object::Root,
        }
    }

    pub(super) fn born(self) -> &'static str {
        self.object().born()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.object().noun())
    }
}

impl State {
    fn of(record: &Record, owner: Option<&Owner>) -> State {
        if record.object() == Object::Io {
            State::Idle
        } else if is_unread(record) {
            State::FinishedUnread
        } else if record.has(Step::Done) {
            State::Finished
        } else if owner.is_some_and(Owner::is_polling) {
            State::Running
        } else if record.is(Flag::ABORTED) {
            State::Aborted
        } else if !record.has(Step::Polled) {
            State::NeverPolled
        } else {
            let rest = record.debug().and_then(|debug| debug.last_polled.load());
            let rest = rest.map(Tick::elapsed).unwrap_or_default();
            match owner.map(|owner| owner.outlook_after(rest)) {
                None if record.object() == Object::UnwrappedTask && !is_in_poll(record) => {
                    State::Waiting
                }
                // Its first poll has just begun, or it is a closure.
                None => State::Running,
                Some(Outlook::Woken) => State::Woken,
                Some(Outlook::Waiting | Outlook::Lost) => State::Waiting,
            }
        }
    }
}

fn is_unread(record: &Record) -> bool {
    let debug = record.debug();
    debug.is_some_and(|debug| debug.is_unread.load(Relaxed))
}

/// For a task that nobody wrapped.
fn is_in_poll(record: &Record) -> bool {
    let debug = record.debug();
    debug.is_some_and(|debug| debug.in_poll.load(Acquire))
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::NeverPolled => "never polled",
            State::Running => "running",
            State::Woken => "woken",
            State::Waiting => "waiting",
            State::Idle => "idle",
            State::Finished => "finished",
            State::FinishedUnread => "finished unread",
            State::Aborted => "aborted",
        })
    }
}
