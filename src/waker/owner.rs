//! What is known of where one tracked future waits, and of who wakes it.

use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use once_cell::race::OnceBox;
use slab::Slab;

use super::raw::{Held, Link};
use super::slot::Slot;
use super::sync::{Arc, AtomicU64, AtomicUsize, Mutex, MutexGuard};
use super::wake::{Leaf, News, SOME_THREAD, this_thread};
use crate::clock::{AtomicTick, Tick};
use crate::stack::Captured;

/// The key of the leaf that is kept apart.
const FIRST: usize = usize::MAX;
/// Who is to be polled has been by then, on a machine that does what it should.
const AT_REST: Duration = Duration::from_millis(500);

/// The number of no poll.
const NEVER: u64 = u64::MAX;

/// What is known of one tracked future. Every clone of its waker holds it, so that
/// it may outlive the future; it never holds a clone itself.
pub(crate) struct Owner {
    /// The number of polls, which is that of the last one.
    polls: AtomicU64,
    /// The thread that polls it now, or 0.
    polling: AtomicUsize,
    /// The poll since whose beginning it was last woken, in its own poll by the thread that
    /// polls it, and otherwise. A poll that begins makes them old, with nothing to reset.
    /// Two that race both say the same, or the older one is of a wake that began before the
    /// last poll. It may hide the newer one then: they swap, so that it sees whom it hid, and
    /// `overlapped` stands for both when it has passed.
    itself: AtomicU64,
    another: AtomicU64,
    /// The last poll during or after which a wake ended that had begun before it, or 0.
    overlapped: AtomicU64,
    /// When it was first woken since the last poll began.
    woken_at: AtomicTick,
    by_itself: AtomicU64,
    at_once: AtomicU64,
    by_another: AtomicU64,
    clones: Clones,
}

/// The clones of its waker, kept in one way or the other.
enum Clones {
    /// The lock is held to put one in, to take one out and to copy them, never while a
    /// waker of anybody's is called.
    Listed(Mutex<Leaves>),
    Counted {
        counted: Counted,
        /// When it is woken is wanted exactly; where they are listed, it always is.
        exact: bool,
        /// It is a task: always polled with the same waker, which may be kept for it.
        stays: bool,
    },
}

struct Leaves {
    /// Most wait on one leaf, which then takes no allocation.
    first: Option<Leaf>,
    others: Option<Box<Slab<Leaf>>>,
    /// The one that was woken first since a poll began, and is gone with its wake: the
    /// number of that poll, and where it waited.
    woken: (u64, Captured),
}

/// Those under the parent's waker in `slot`, and those under others.
struct Counted {
    slot: Slot,
    /// Seldom there.
    elsewhere: OnceBox<Elsewhere>,
}

#[derive(Default)]
struct Elsewhere {
    clones: AtomicUsize,
    /// Where clones are counted while older ones occupy the owner's slot. Emptied with the
    /// future, since a link holds its owner.
    link: Mutex<Option<Held<Link>>>,
}

impl Counted {
    fn elsewhere(&self) -> &Elsewhere {
        self.elsewhere.get_or_init(Box::default)
    }
}

impl Leaves {
    fn iter(&self) -> impl Iterator<Item = &Leaf> {
        let others = self.others.iter().flat_map(|others| others.iter());
        self.first.iter().chain(others.map(|(_, leaf)| leaf))
    }
}

/// What is to be expected of a future that is not being polled and not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It was woken since its last poll began, and will be polled.
    Woken,
    /// It waits: somebody can wake it.
    Waiting,
    /// Nobody can.
    Lost,
}

/// How often a future was woken. Wakes that ask for the same poll count as one,
/// or as one of each sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wakes {
    /// In its own poll, by the thread that polls it. A task that yields by tokio's
    /// `yield_now` is woken later, by the runtime.
    pub(crate) by_itself: u64,
    /// Those of them that came by the very waker it was polled with, not by a clone that
    /// somebody in it had been given to wait.
    pub(crate) at_once: u64,
    pub(crate) by_another: u64,
}

impl Owner {
    pub(super) fn new(stacks: bool, exact: bool, stays: bool) -> Owner {
        let clones = if stacks {
            Clones::Listed(Mutex::new(Leaves {
                first: None,
                others: None,
                woken: (0, Captured::NONE),
            }))
        } else {
            let counted = Counted {
                slot: Slot::new(),
                elsewhere: OnceBox::new(),
            };
            Clones::Counted {
                counted,
                exact,
                stays,
            }
        };
        Owner {
            polls: AtomicU64::new(0),
            polling: AtomicUsize::new(0),
            itself: AtomicU64::new(NEVER),
            another: AtomicU64::new(NEVER),
            overlapped: AtomicU64::new(0),
            woken_at: AtomicTick::new(),
            by_itself: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
            by_another: AtomicU64::new(0),
            clones,
        }
    }

    /// How often its poll began.
    #[inline]
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Acquire)
    }

    /// Whether it is being polled.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.load(Acquire) != 0
    }

    /// The leaves it waits on, if they are listed. In no order.
    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        let leaves = self.list();
        leaves.map_or_else(Vec::new, |leaves| leaves.iter().copied().collect())
    }

    fn list(&self) -> Option<MutexGuard<'_, Leaves>> {
        match &self.clones {
            Clones::Listed(leaves) => Some(lock(leaves)),
            Clones::Counted { .. } => None,
        }
    }

    /// `None`: they are listed.
    #[inline]
    fn counted(&self) -> Option<&Counted> {
        match &self.clones {
            Clones::Listed(_) => None,
            Clones::Counted { counted, .. } => Some(counted),
        }
    }

    /// Where it waited when it was first woken since its last poll began, if that leaf
    /// was listed, and gone with the wake. (A leaf that is woken and stays is still
    /// among [`leaves`](Owner::leaves).)
    pub(crate) fn woken_in(&self) -> Option<Captured> {
        self.woken_after(self.polls())
    }

    /// The same of the poll with that number, if no later one was followed by such a wake.
    pub(crate) fn woken_after(&self, poll: u64) -> Option<Captured> {
        let (last, stack) = self.list()?.woken;
        (last == poll && stack != Captured::NONE).then_some(stack)
    }

    /// The same, of the last time that there was such a leaf.
    pub(crate) fn last_woken_in(&self) -> Captured {
        self.list().map_or(Captured::NONE, |leaves| leaves.woken.1)
    }

    /// How many clones of its waker are alive.
    pub(crate) fn clones(&self) -> usize {
        match &self.clones {
            Clones::Listed(leaves) => lock(leaves).iter().count(),
            Clones::Counted { counted, .. } => {
                let elsewhere = counted.elsewhere.get();
                let elsewhere = elsewhere.map_or(0, |elsewhere| elsewhere.clones.load(Acquire));
                counted.slot.clones() + elsewhere
            }
        }
    }

    /// When it was first woken since its last poll began.
    pub(crate) fn woken(&self) -> Option<Tick> {
        let at = || self.woken_at.load();
        self.is_woken_since(self.polls()).then(at).flatten()
    }

    /// The same, unless that is only known roughly.
    #[inline]
    pub(crate) fn woken_exactly(&self) -> Option<Tick> {
        self.is_exact().then(|| self.woken()).flatten()
    }

    #[inline]
    fn is_exact(&self) -> bool {
        match self.clones {
            Clones::Listed(_) => true,
            Clones::Counted { exact, .. } => exact,
        }
    }

    /// Whether the parent's waker is kept till [`ended`](Owner::ended).
    #[inline]
    pub(super) fn stays(&self) -> bool {
        match self.clones {
            Clones::Listed(_) => false,
            Clones::Counted { stays, .. } => stays,
        }
    }

    /// The future is gone, or will not be polled any more.
    pub(super) fn ended(&self) {
        // Dropped here: it may run foreign code.
        let _kept = self.slot().map(Slot::clear);
    }

    /// Whether it was woken since this poll began.
    #[inline]
    fn is_woken_since(&self, poll: u64) -> bool {
        self.itself.load(Acquire) == poll || self.another.load(Acquire) == poll
    }

    pub(crate) fn wakes(&self) -> Wakes {
        Wakes {
            by_itself: self.by_itself.load(Relaxed),
            at_once: self.at_once.load(Relaxed),
            by_another: self.by_another.load(Relaxed),
        }
    }

    /// What is to be expected, now that a poll returned `Pending`.
    ///
    /// `Lost` is to be asked for again, a little later and with the same number of
    /// [`polls`](Owner::polls), before anybody is told: a wake may have come between
    /// the moment at which the executor took the task up and the one at which this
    /// poll was noted; then the task is about to be polled once more.
    ///
    /// It cannot tell a future that gave its waker away in another manner than by
    /// cloning it, and one that waits for ever on purpose.
    pub(crate) fn outlook(&self) -> Outlook {
        // In this order: a clone that is gone has left its wake behind.
        let clones = self.clones();
        let poll = self.polls();
        if self.is_woken_since(poll) || self.overlapped.load(Acquire) == poll {
            Outlook::Woken
        } else if clones > 0 {
            Outlook::Waiting
        } else {
            Outlook::Lost
        }
    }

    /// The same, if its last poll began so long ago. A wake that overlapped with that poll may
    /// have asked for it, or for one more, which would have come by then.
    pub(crate) fn outlook_after(&self, rest: Duration) -> Outlook {
        match self.outlook() {
            Outlook::Woken if rest >= AT_REST && self.woken().is_none() && self.clones() > 0 => {
                Outlook::Waiting
            }
            outlook => outlook,
        }
    }

    /// A wake is about to be passed on to the parent. Gives what
    /// [`wake_passed`](Owner::wake_passed) wants.
    #[inline]
    pub(super) fn waking(&self, news: &mut News) -> u64 {
        let own = self.is_polled_by(news.thread);
        let (woken, count) = if own {
            (&self.itself, &self.by_itself)
        } else {
            (&self.another, &self.by_another)
        };
        let poll = self.polls.load(Relaxed);
        if woken.load(Relaxed) != poll {
            if !self.is_woken_since(poll) {
                // Before the mark, so that who sees that sees this, or a later one.
                self.woken_at.store(news.at(self.is_exact()));
            }
            if own {
                // That is written by nobody but who polls it.
                woken.store(poll, Release);
            } else {
                woken.swap(poll, AcqRel);
            }
            // Of one poll few come here; that two meet is seldom, and costs one of a
            // great many.
            count.store(count.load(Relaxed) + 1, Relaxed);
            if own && news.by_root {
                self.at_once.store(self.at_once.load(Relaxed) + 1, Relaxed);
            }
        }
        poll
    }

    /// The wake has been passed on; `poll` is what [`waking`](Owner::waking) gave.
    /// To be called before the clone that was woken is taken off the list.
    #[inline]
    pub(super) fn wake_passed(&self, poll: u64) {
        let now = self.polls();
        if now != poll {
            self.wake_overlapped(now);
        }
    }

    /// A poll has begun meanwhile, and took no notice of this wake's beginning. The executor
    /// may have taken it for a wake during that poll.
    #[cold]
    fn wake_overlapped(&self, now: u64) {
        if !self.is_woken_since(now) {
            self.overlapped.fetch_max(now, AcqRel);
        }
    }

    /// Lists a clone, and gives its key.
    #[inline]
    pub(super) fn enter(&self, leaf: Leaf) -> usize {
        let Some(mut leaves) = self.list() else {
            return FIRST;
        };
        if leaves.first.is_none() {
            leaves.first = Some(leaf);
            FIRST
        } else {
            leaves.others.get_or_insert_default().insert(leaf)
        }
    }

    /// Takes it off the list. `woken`: the number of the poll after whose beginning it
    /// was woken; zero if it was not.
    #[inline]
    pub(super) fn leave(&self, key: usize, woken: u64) {
        let Some(mut leaves) = self.list() else {
            return;
        };
        let leaf = match &mut leaves.others {
            Some(others) if key != FIRST => others.try_remove(key),
            _ => leaves.first.take(),
        };
        if let Some(leaf) = leaf
            && woken > leaves.woken.0
        {
            leaves.woken = (woken, leaf.stack);
        }
    }

    #[inline]
    pub(super) fn slot(&self) -> Option<&Slot> {
        self.counted().map(|counted| &counted.slot)
    }

    pub(super) fn elsewhere(&self) -> Option<&AtomicUsize> {
        self.counted().map(|counted| &counted.elsewhere().clones)
    }

    pub(super) fn other(&self) -> Option<Arc<Link>> {
        let elsewhere = self.counted()?.elsewhere.get()?;
        lock(&elsewhere.link).as_deref().map(Arc::clone)
    }

    pub(super) fn set_other(&self, link: Option<Held<Link>>) {
        let Some(counted) = self.counted() else {
            return;
        };
        if link.is_some() || counted.elsewhere.get().is_some() {
            let before = std::mem::replace(&mut *lock(&counted.elsewhere().link), link);
            drop(before);
        }
    }

    /// Whether this thread polls it now, for certain.
    #[inline]
    pub(super) fn is_polled_by(&self, thread: usize) -> bool {
        self.polling.load(Relaxed) == thread && thread != SOME_THREAD
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("polls", &self.polls())
            .field("clones", &self.clones())
            .field("woken", &self.woken())
            .finish_non_exhaustive()
    }
}

/// Nothing that runs under these locks panics, short of the allocator.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one poll in progress of an owner.
pub(super) struct Polling<'a> {
    owner: &'a Arc<Owner>,
}

impl<'a> Polling<'a> {
    /// A poll begins; `None` if this is in one that is in progress.
    ///
    /// # Safety
    ///
    /// The caller must see to it that no other thread polls it, till this is dropped.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) unsafe fn begin(owner: &'a Arc<Owner>) -> Option<Polling<'a>> {
        if owner.polling.load(Relaxed) != 0 {
            return None;
        }
        owner.polling.store(this_thread(), Relaxed);
        // What was woken till now is what this poll is for.
        owner.polls.store(owner.polls.load(Relaxed) + 1, Release);
        Some(Polling { owner })
    }

    #[inline]
    pub(super) fn owner(&self) -> &'a Arc<Owner> {
        self.owner
    }
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        self.owner.polling.store(0, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_small() {
        // With the two counts of its `Arc` 152 bytes, for which malloc takes 160.
        assert!(size_of::<Owner>() <= 136, "{}", size_of::<Owner>());
    }
}
