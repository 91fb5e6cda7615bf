//! What is known of one tracked thing.
//!
//! In production a record is the creation site and a few bits; debug mode adds
//! [`Detail`]. Records are shared between the wrapper that is polled, the handle
//! that waits for it, the registry and the reports about it.

mod context;
mod debugged;
mod object;
mod results;
mod seldom;
mod under;

pub(crate) use self::context::Context;
pub(crate) use self::debugged::Debugged;
pub(crate) use self::object::Object;
pub(crate) use self::results::Results;
pub(crate) use self::seldom::{Seldom, Wait, Waited};
pub(crate) use self::under::{AtomicUnder, Under};

use std::any::type_name;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU16};

use once_cell::race::OnceBox;

use crate::mode::{self, Mode, Scope};
use crate::name;
use crate::site::Site;
use crate::stack::Captured;

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

    fn seldom(&self) -> Option<&Seldom> {
        self.debug()?.seldom()
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
            && let Some(results) = self.seldom().and_then(|seldom| seldom.results.get())
        {
            results.one_more();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_production_is_small() {
        // With the two counts of its `Arc` 56 bytes, for which malloc takes 64.
        assert!(size_of::<Record>() <= 40, "{}", size_of::<Record>());
    }
}
