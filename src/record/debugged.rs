//! What debug mode records.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use once_cell::race::OnceBox;

use super::{AtomicUnder, Context, Object, Seldom};
use crate::clock::{self, AtomicTick, Tick};
use crate::delay::Delays;
use crate::mode::Scope;
use crate::stack::{self, Captured};
use crate::waker::Tracker;

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
    pub(crate) context: Context,
    pub(crate) scope: Arc<Scope>,
    /// Where the registry keeps it, and tokio's id of the task. Zero: not yet.
    pub(crate) place: AtomicU64,
    pub(crate) task_id: OnceLock<tokio::task::Id>,
    /// The number of the runtime in which it was polled first, and where nothing around it
    /// is tracked the waker that it was polled with last.
    pub(crate) runtime: AtomicU64,
    pub(crate) waker: AtomicUsize,
    /// How often it had been polled when the living were last looked through. Of that
    /// number the lower half, which tells how often it was since.
    pub(crate) looked_at: AtomicU32,
    /// A poll of an unwrapped task is in progress: it may be its last, and have ended.
    pub(crate) in_poll: AtomicBool,
    /// The task has ended, and its handle has the result.
    pub(crate) is_unread: AtomicBool,
    /// How late a task is polled.
    pub(crate) delays: Delays,
    polls: AtomicU64,
    busy: AtomicU64,
    seldom: OnceBox<Seldom>,
}

impl Debugged {
    pub(super) fn new(object: Object, scope: Arc<Scope>) -> Debugged {
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
            tracker: Tracker::new(stacks)
                .roughly(is_rough)
                .of_task(object.is_task()),
            created,
            stack: stack::capture(scope.settings().stack),
            context: Context::current(),
            scope,
            place: AtomicU64::new(0),
            task_id: OnceLock::new(),
            runtime: AtomicU64::new(0),
            waker: AtomicUsize::new(0),
            looked_at: AtomicU32::new(0),
            in_poll: AtomicBool::new(false),
            is_unread: AtomicBool::new(false),
            delays: Delays::default(),
            polls: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            seldom: OnceBox::new(),
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

    /// What few things have something of; nothing, till it is first written to.
    #[inline]
    pub(crate) fn seldom(&self) -> Option<&Seldom> {
        self.seldom.get()
    }

    /// The same; made now if need be, to be written to.
    #[inline]
    pub(crate) fn seldom_or_new(&self) -> &Seldom {
        match self.seldom.get() {
            Some(seldom) => seldom,
            None => self.new_seldom(),
        }
    }

    #[cold]
    fn new_seldom(&self) -> &Seldom {
        self.seldom.get_or_init(Box::default)
    }

    /// A stream gives an item.
    #[inline]
    pub(crate) fn gives_item(&self) {
        self.seldom_or_new().gives_item();
    }

    pub(crate) fn items(&self) -> u64 {
        self.seldom().map_or(0, Seldom::items)
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
        self.seldom_or_new().set_waited(waited);
    }

    /// For how long a blocking closure that runs has done so.
    pub(crate) fn runs_for(&self) -> Duration {
        let waited = self.seldom().map_or(Duration::ZERO, Seldom::waited);
        self.age().saturating_sub(waited)
    }

    pub(crate) fn set_slow_ok(&self, threshold: Duration) {
        self.seldom_or_new().set_slow_ok(threshold);
    }

    /// Whether it has a threshold of its own.
    #[inline]
    pub(crate) fn has_own_threshold(&self) -> bool {
        self.slow_ok().is_some()
    }

    #[inline]
    fn slow_ok(&self) -> Option<u64> {
        self.seldom()?.slow_ok()
    }

    /// From when on a poll or a drop of this object is slow.
    #[inline]
    pub(crate) fn slow_poll_nanos(&self) -> u64 {
        self.slow_ok()
            .unwrap_or_else(|| self.scope.settings().slow_poll_nanos())
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
    fn a_record_of_debug_mode_fits() {
        // With the name 248 bytes, for which malloc takes 256.
        assert!(size_of::<Debugged>() <= 232, "{}", size_of::<Debugged>());
    }
}
