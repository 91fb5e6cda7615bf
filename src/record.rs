//! What is known of one tracked thing.
//!
//! In production a record is the creation site and a few bits; debug mode adds
//! [`Detail`]. Records are shared between the wrapper that is polled, the handle
//! that waits for it, the registry and the reports about it.

use std::any::type_name;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use once_cell::race::OnceBox;
use tracing::{Dispatch, Span};

use crate::clock::{self, AtomicTick, Tick};
#[cfg(feature = "io")]
use crate::counts::Counts;
use crate::delay::Delays;
use crate::mode::{self, Mode, Scope};
use crate::name;
use crate::site::Site;
use crate::stack::{self, Captured};
use crate::waker::Tracker;

/// What sort of thing is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Future,
    #[cfg_attr(not(feature = "stream"), allow(dead_code))]
    Stream,
    /// A reader or a writer.
    #[cfg_attr(not(feature = "io"), allow(dead_code))]
    Io,
    Task,
    /// A task that nobody wrapped: tokio's hooks show it.
    #[cfg_attr(not(tokio_unstable), allow(dead_code))]
    UnwrappedTask,
    LocalTask,
    BlockingTask,
    /// The future that a runtime's `block_on` runs.
    Root,
}

impl Object {
    /// What a report calls it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Object::Future => "future",
            Object::Stream => "stream",
            Object::Io => "I/O object",
            Object::Task | Object::UnwrappedTask => "task",
            Object::LocalTask => "local task",
            Object::BlockingTask => "blocking task",
            Object::Root => "main future",
        }
    }

    /// How a report says where it came from.
    pub(crate) fn born(self) -> &'static str {
        match self {
            Object::Future | Object::Stream | Object::Io => "created at",
            Object::Root => "run at",
            _ => "spawned at",
        }
    }

    pub(crate) fn is_task(self) -> bool {
        match self {
            Object::Task | Object::UnwrappedTask | Object::LocalTask | Object::BlockingTask => true,
            Object::Future | Object::Stream | Object::Io | Object::Root => false,
        }
    }

    /// Whether it is a part of whatever polls it, and belongs to who made it.
    pub(crate) fn is_part(self) -> bool {
        matches!(self, Object::Future | Object::Stream)
    }
}

/// How far a thing has come. Each step is taken by one thread at a time, so noting
/// it is a plain store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// It was polled (a closure: it was called).
    Polled,
    /// It completed.
    Done,
    /// Its handle was polled: somebody waits for the result.
    Awaited,
    /// Its result was taken, or is not wanted.
    Read,
}

/// What has been said of a thing, by whichever thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(u16);

impl Flag {
    /// The user said that it may be dropped unpolled.
    pub(crate) const DISCARDED: Flag = Flag(1);
    /// The user aborted it: nothing about its end is news.
    pub(crate) const ABORTED: Flag = Flag(1 << 1);
    /// It ended with an error or a panic, which [`Record::end`] tells.
    pub(crate) const FAILED: Flag = Flag(1 << 2);
    /// Its handle is gone.
    pub(crate) const UNHELD: Flag = Flag(1 << 3);
    /// Its lost result has been reported.
    pub(crate) const REPORTED: Flag = Flag(1 << 4);
    /// Its error is one that the user expects.
    pub(crate) const EXPECTED: Flag = Flag(1 << 5);
    /// It lives, but was reported as never polled.
    pub(crate) const SAID_UNPOLLED: Flag = Flag(1 << 6);
    /// It waits for nothing, on purpose.
    pub(crate) const PARKED: Flag = Flag(1 << 7);
    /// It is a task that somebody waited for, and then did not.
    pub(crate) const ABANDONED: Flag = Flag(1 << 8);
    /// It was dropped.
    pub(crate) const GONE: Flag = Flag(1 << 9);
    /// The user said that it must not be dropped midway.
    pub(crate) const MUST_COMPLETE: Flag = Flag(1 << 10);
    /// A poll of it panicked.
    pub(crate) const PANICKED: Flag = Flag(1 << 11);
    /// It is a task whose result a set keeps, which is known to the set, or to the task.
    pub(crate) const IN_SET: Flag = Flag(1 << 12);
    pub(crate) const RESULT: Flag = Flag(1 << 13);
}

/// How a task failed.
#[derive(Debug)]
pub(crate) enum End {
    /// It returned an `Err`.
    Error {
        /// The name of the error's type.
        type_name: String,
        /// The error as its `Debug` has it, where that could be had.
        text: Option<String>,
    },
    /// It panicked.
    Panic {
        message: Option<String>,
        /// The place, `file:line:column`.
        place: Option<String>,
        stack: Captured,
    },
}

/// What is known of one tracked thing.
pub(crate) struct Record {
    site: &'static Site,
    type_name: fn() -> &'static str,
    object: Object,
    steps: [AtomicBool; 4],
    flags: AtomicU16,
    end: OnceBox<End>,
    detail: Option<Box<Detail>>,
}

/// What debug mode knows besides, and the name if one was given.
pub(crate) struct Detail {
    name: Option<Box<str>>,
    debug: Option<Debugged>,
}

/// What only debug mode records.
pub(crate) struct Debugged {
    /// Numbers count up from 1, over all that is tracked.
    pub(crate) number: u64,
    /// The number of the tracked thing in whose poll it was created; zero: none.
    pub(crate) created_in: AtomicU64,
    /// The same of its last poll.
    pub(crate) polled_in: AtomicU64,
    /// Under what it was polled last.
    pub(crate) under: AtomicUnder,
    /// When its last poll began.
    pub(crate) last_polled: AtomicTick,
    /// Where it waits.
    pub(crate) tracker: Tracker,
    pub(crate) created: Tick,
    pub(crate) stack: Captured,
    pub(crate) span: Span,
    pub(crate) dispatch: Dispatch,
    pub(crate) scope: Arc<Scope>,
    /// Where the registry keeps it, and tokio's id of the task. Zero: not yet.
    pub(crate) place: AtomicU64,
    pub(crate) task_id: OnceLock<tokio::task::Id>,
    /// The number of the runtime in which it was polled first, and where nothing around it
    /// is tracked the waker that it was polled with last.
    pub(crate) runtime: AtomicU64,
    pub(crate) waker: AtomicUsize,
    /// Of the task that waited on it when another began to poll it.
    pub(crate) waited_on: Mutex<Waited>,
    /// The results of the set that it is a task of.
    pub(crate) results: OnceLock<Arc<Results>>,
    /// How often it had been polled when the living were last looked through.
    pub(crate) looked_at: AtomicU64,
    /// A poll of an unwrapped task is in progress: it may be its last, and have ended.
    pub(crate) in_poll: AtomicBool,
    /// The task has ended, and its handle has the result.
    pub(crate) is_unread: AtomicBool,
    /// How late a task is polled.
    pub(crate) delays: Delays,
    polls: AtomicU64,
    busy: AtomicU64,
    /// What a stream has given.
    items: AtomicU64,
    /// What a reader or writer has done.
    #[cfg(feature = "io")]
    pub(crate) io: OnceBox<Arc<Counts>>,
    /// How long a blocking closure waited for a thread, in nanoseconds.
    waited: AtomicU64,
    /// A threshold of its own for slow polls, in nanoseconds; zero: none.
    slow_ok: AtomicU64,
}

/// How many results the tasks of one set gave, and how many of them were taken.
#[derive(Debug, Default)]
pub(crate) struct Results {
    finished: AtomicU64,
    joined: AtomicU64,
}

impl Results {
    /// The task is one of this set.
    pub(crate) fn enter(self: &Arc<Results>, task: &Record) {
        let Some(debug) = task.debug() else { return };
        let _ = debug.results.set(Arc::clone(self));
        // It may have ended already.
        if task.set_and_see(Flag::IN_SET, Flag::RESULT) {
            self.finished.fetch_add(1, Relaxed);
        }
    }

    /// A result was taken.
    pub(crate) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    /// The set is gone: it keeps none.
    pub(crate) fn close(&self) {
        self.joined.store(u64::MAX, Relaxed);
    }

    /// How many there were, and how many of them were taken.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let joined = self.joined.load(Relaxed);
        (self.finished.load(Relaxed), joined)
    }
}

/// Whether a task waited on something when another began to poll it.
pub(crate) enum Waited {
    Nobody,
    Task(Box<Wait>),
    /// Nothing more is to be said.
    Enough,
}

/// How a task waited on something that is polled in it.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// The number of the task, and of its poll.
    pub(crate) task: u64,
    pub(crate) task_poll: u64,
    /// The number of the poll of what it waited on.
    pub(crate) poll: u64,
    pub(crate) stack: Captured,
    /// It had been woken for it.
    pub(crate) woken: bool,
}

/// What stands for the task in which something is polled: the task itself, or the
/// outermost tracked thing on the way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Under {
    /// Zero: it was not polled yet.
    pub(crate) number: u64,
    /// Where the registry keeps it, while it is alive.
    pub(crate) place: u64,
}

/// Written by who polls, one at a time; who reads checks the place by the number.
#[derive(Debug)]
pub(crate) struct AtomicUnder {
    number: AtomicU64,
    place: AtomicU64,
}

impl AtomicUnder {
    pub(crate) const fn new() -> AtomicUnder {
        AtomicUnder {
            number: AtomicU64::new(0),
            place: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    #[inline]
    pub(crate) fn load(&self) -> Under {
        Under {
            number: self.number(),
            place: self.place.load(Relaxed),
        }
    }

    #[inline]
    pub(crate) fn store(&self, under: Under) {
        self.place.store(under.place, Relaxed);
        self.number.store(under.number, Relaxed);
    }
}

// A record is only ever changed through atomics and cells that are set once, so no panic
// leaves it half-changed; the subscriber inside keeps the marker off by itself.
impl UnwindSafe for Record {}
impl RefUnwindSafe for Record {}

impl Record {
    /// A record of a new thing, of type `T`, in a scope (`None`: this thread's), or
    /// nothing when the mode there is off.
    #[inline]
    pub(crate) fn new<T>(
        object: Object,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> Option<Arc<Record>> {
        let mode = scope.map_or_else(mode::current, |scope| scope.mode());
        if mode == Mode::Off || scope.is_some() && mode::is_silent() {
            return None;
        }
        let type_name = type_name::<T>;
        Some(if mode == Mode::Production && name.is_none() {
            Record::plain(object, location, type_name)
        } else {
            Record::detailed(mode, object, name, location, scope, type_name)
        })
    }

    /// Most of those of production. Like the next one not a part of `new`: there is
    /// one of it for all types, and where the mode is off all that is inlined is the
    /// look at the mode.
    #[inline(never)]
    fn plain(
        object: Object,
        location: &'static Location<'static>,
        type_name: fn() -> &'static str,
    ) -> Arc<Record> {
        Arc::new(Record::with(object, location, type_name, None))
    }

    #[inline(never)]
    fn detailed(
        mode: Mode,
        object: Object,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
        type_name: fn() -> &'static str,
    ) -> Arc<Record> {
        let debug = (mode == Mode::Debug)
            .then(|| Debugged::new(object, scope.map_or_else(Scope::current, Arc::clone)));
        let detail = Box::new(Detail {
            name: name.map(String::into_boxed_str),
            debug,
        });
        Arc::new(Record::with(object, location, type_name, Some(detail)))
    }

    #[inline]
    fn with(
        object: Object,
        location: &'static Location<'static>,
        type_name: fn() -> &'static str,
        detail: Option<Box<Detail>>,
    ) -> Record {
        Record {
            site: Site::of(location),
            type_name,
            object,
            steps: [const { AtomicBool::new(false) }; 4],
            flags: AtomicU16::new(0),
            end: OnceBox::new(),
            detail,
        }
    }

    pub(crate) fn site(&self) -> &'static Site {
        self.site
    }

    pub(crate) fn object(&self) -> Object {
        self.object
    }

    #[inline]
    pub(crate) fn debug(&self) -> Option<&Debugged> {
        self.detail.as_ref()?.debug.as_ref()
    }

    pub(crate) fn given_name(&self) -> Option<&str> {
        self.detail.as_ref()?.name.as_deref()
    }

    /// The name that a report uses.
    pub(crate) fn name(&self) -> String {
        if let Some(name) = self.given_name() {
            return name.to_owned();
        }
        let location = self.site.location();
        let line = location.line();
        match self.object {
            Object::UnwrappedTask => name::of_place(location.file(), line),
            Object::BlockingTask => name::of_closure((self.type_name)(), line),
            Object::Stream => name::of_stream((self.type_name)(), line),
            _ => name::of_future((self.type_name)(), line),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        (self.type_name)()
    }

    #[inline]
    pub(crate) fn is(&self, flag: Flag) -> bool {
        self.flags.load(Acquire) & flag.0 != 0
    }

    /// Sets a flag; true if this call was the one that set it.
    ///
    /// Total order: the end of a task and the end of its handle each set a flag
    /// and then look at the other's, and one of them must see both.
    pub(crate) fn set(&self, flag: Flag) -> bool {
        self.flags.fetch_or(flag.0, SeqCst) & flag.0 == 0
    }

    /// Sets a flag; true if `other` was set by then. Of two threads of which each sets
    /// the other's other, one sees it.
    pub(crate) fn set_and_see(&self, flag: Flag, other: Flag) -> bool {
        self.flags.fetch_or(flag.0, SeqCst) & other.0 != 0
    }

    /// It is a task that has ended.
    pub(crate) fn has_result(&self) {
        if self.set_and_see(Flag::RESULT, Flag::IN_SET)
            && let Some(results) = self.debug().and_then(|debug| debug.results.get())
        {
            results.finished.fetch_add(1, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn has(&self, step: Step) -> bool {
        self.steps[step as usize].load(Acquire)
    }

    #[inline]
    pub(crate) fn take(&self, step: Step) {
        self.steps[step as usize].store(true, Release);
    }

    #[inline]
    pub(crate) fn mark_polled(&self) {
        if !self.has(Step::Polled) {
            self.take(Step::Polled);
            self.site.mark_polled();
        }
    }

    /// How it failed, if it did.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    pub(crate) fn set_end(&self, end: End) {
        let _ = self.end.set(Box::new(end));
    }

    /// The scope it was created in; in production, the one of this thread.
    pub(crate) fn scope(&self) -> Arc<Scope> {
        match self.debug() {
            Some(debug) => Arc::clone(&debug.scope),
            None => Scope::current(),
        }
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("object", &self.object)
            .field("name", &self.name())
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl Debugged {
    fn new(object: Object, scope: Arc<Scope>) -> Debugged {
        let created = clock::tick();
        let stacks = scope.settings().await_stacks;
        // Who turns the stacks off wants it cheap.
        let is_rough = !stacks && object != Object::Future;
        Debugged {
            number: next_number(),
            created_in: AtomicU64::new(0),
            polled_in: AtomicU64::new(0),
            under: AtomicUnder::new(),
            last_polled: AtomicTick::new(),
            tracker: Tracker::new(stacks).roughly(is_rough),
            created,
            stack: stack::capture(scope.settings().stack),
            span: Span::current(),
            dispatch: tracing::dispatcher::get_default(Clone::clone),
            scope,
            place: AtomicU64::new(0),
            task_id: OnceLock::new(),
            runtime: AtomicU64::new(0),
            waker: AtomicUsize::new(0),
            waited_on: Mutex::new(Waited::Nobody),
            results: OnceLock::new(),
            looked_at: AtomicU64::new(0),
            in_poll: AtomicBool::new(false),
            is_unread: AtomicBool::new(false),
            delays: Delays::default(),
            polls: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            items: AtomicU64::new(0),
            #[cfg(feature = "io")]
            io: OnceBox::new(),
            waited: AtomicU64::new(0),
            slow_ok: AtomicU64::new(0),
        }
    }

    /// A poll begins. Only the thread that polls writes this, so a load and a
    /// store do.
    #[inline]
    pub(crate) fn poll_begins(&self) {
        self.polls.store(self.polls.load(Relaxed) + 1, Relaxed);
    }

    /// A poll has ended.
    #[inline]
    pub(crate) fn polled_for(&self, nanos: u64) {
        self.busy.store(self.busy.load(Relaxed) + nanos, Relaxed);
    }

    /// A stream gives an item.
    #[inline]
    pub(crate) fn gives_item(&self) {
        self.items.store(self.items.load(Relaxed) + 1, Relaxed);
    }

    pub(crate) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Relaxed)
    }

    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Relaxed))
    }

    pub(crate) fn age(&self) -> Duration {
        self.created.elapsed()
    }

    /// A blocking closure has got its thread.
    pub(crate) fn set_waited(&self, waited: Duration) {
        self.waited.store(waited.as_nanos() as u64, Relaxed);
    }

    /// For how long a blocking closure that runs has done so.
    pub(crate) fn runs_for(&self) -> Duration {
        let waited = Duration::from_nanos(self.waited.load(Relaxed));
        self.age().saturating_sub(waited)
    }

    pub(crate) fn set_slow_ok(&self, threshold: Duration) {
        let nanos = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self.slow_ok.store(nanos.max(1), Relaxed);
    }

    /// Whether it has a threshold of its own.
    #[inline]
    pub(crate) fn has_own_threshold(&self) -> bool {
        self.slow_ok.load(Relaxed) != 0
    }

    /// From when on a poll or a drop of this object is slow.
    #[inline]
    pub(crate) fn slow_poll_nanos(&self) -> u64 {
        match self.slow_ok.load(Relaxed) {
            0 => self.scope.settings().slow_poll_nanos(),
            nanos => nanos,
        }
    }

    pub(crate) fn slow_poll(&self) -> Duration {
        Duration::from_nanos(self.slow_poll_nanos())
    }
}

fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_production_is_small() {
        // With the two counts of its `Arc` 56 bytes, for which malloc takes 64.
        assert!(size_of::<Record>() <= 40, "{}", size_of::<Record>());
    }
}
