//! Where a tracked thing was created.
//!
//! A [`Location`]'s address does not identify it (the compiler may keep several
//! copies of one, one a codegen unit), so a site is interned by file, line and
//! column. There is one entry for each place in the program's text, and it lives
//! as long as the process.

use std::cell::Cell;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use dashmap::DashMap;

use crate::delay::Delays;
use crate::kind::ReportKind;

/// One place in the program's text, and what has been seen there.
pub(crate) struct Site {
    location: &'static Location<'static>,
    polled: AtomicBool,
    /// For each kind of finding, how often it was found here.
    found: [AtomicU64; ReportKind::ALL.len()],
    /// The tasks made here that are alive, and that somebody waited for and then did not;
    /// and how many there were when that was last told.
    abandoned: AtomicI64,
    abandoned_told: AtomicU64,
    /// How late the tasks made here that are gone were polled.
    delays: Delays,
    /// For each kind, the count that the last report of it gave.
    told: [AtomicU64; ReportKind::ALL.len()],
}

impl Site {
    /// The interned site of a location.
    #[inline]
    pub(crate) fn of(location: &'static Location<'static>) -> &'static Site {
        cached(location).unwrap_or_else(|| intern(location))
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Notes that an object made here has been polled.
    #[inline]
    pub(crate) fn mark_polled(&self) {
        if !self.polled.load(Relaxed) {
            self.polled.store(true, Relaxed);
        }
    }

    /// Whether any object made here was ever polled.
    #[inline]
    pub(crate) fn polled(&self) -> bool {
        self.polled.load(Relaxed)
    }

    /// Counts a finding, and gives its ordinal (the first is 1).
    pub(crate) fn count(&self, kind: ReportKind) -> u64 {
        self.found[kind.index()].fetch_add(1, Relaxed) + 1
    }

    /// Counts a finding that is made once a site; false if it was made before.
    pub(crate) fn count_once(&self, kind: ReportKind) -> bool {
        self.found[kind.index()]
            .compare_exchange(0, 1, Relaxed, Relaxed)
            .is_ok()
    }

    /// One more task is abandoned; gives how many there are, if that is to be told: at
    /// 100, 200, 400 and so on.
    pub(crate) fn abandon(&self) -> Option<u64> {
        let live = self.abandoned.fetch_add(1, Relaxed) + 1;
        let live = u64::try_from(live).unwrap_or(0);
        let told = self.abandoned_told.load(Relaxed);
        let due = (told * 2).max(100);
        let is_due = live >= due
            && self
                .abandoned_told
                .compare_exchange(told, due, Relaxed, Relaxed)
                .is_ok();
        is_due.then_some(live)
    }

    /// An abandoned task is gone.
    pub(crate) fn abandoned_ended(&self) {
        self.abandoned.fetch_sub(1, Relaxed);
    }

    /// How late the tasks made here were polled that are gone.
    pub(crate) fn delays(&self) -> &Delays {
        &self.delays
    }

    /// How often a kind was found here.
    pub(crate) fn found(&self, kind: ReportKind) -> u64 {
        self.found[kind.index()].load(Relaxed)
    }

    /// How many of the findings the reports have accounted for so far.
    pub(crate) fn told(&self, kind: ReportKind) -> u64 {
        self.told[kind.index()].load(Relaxed)
    }

    pub(crate) fn set_told(&self, kind: ReportKind, count: u64) {
        self.told[kind.index()].store(count, Relaxed);
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self.location, f)
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Site) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Site {}

/// Every site of the process.
pub(crate) fn all() -> Vec<&'static Site> {
    SITES.iter().map(|entry| *entry.value()).collect()
}

type Key = (&'static str, u32, u32);

static SITES: LazyLock<DashMap<Key, &'static Site>> = LazyLock::new(DashMap::new);

#[cold]
fn intern(location: &'static Location<'static>) -> &'static Site {
    let key = (location.file(), location.line(), location.column());
    let site = *SITES.entry(key).or_insert_with(|| {
        Box::leak(Box::new(Site {
            location,
            polled: AtomicBool::new(false),
            abandoned: AtomicI64::new(0),
            abandoned_told: AtomicU64::new(0),
            delays: Delays::default(),
            found: std::array::from_fn(|_| AtomicU64::new(0)),
            told: std::array::from_fn(|_| AtomicU64::new(0)),
        }))
    });
    remember(location, site);
    site
}

/// Slots of the cache that stands before the table. A program creates from few
/// places at a time; a miss costs one look-up in the table.
const SLOTS: usize = 64;

type Slot = Cell<Option<(&'static Location<'static>, &'static Site)>>;

thread_local! {
    static CACHE: [Slot; SLOTS] = const { [const { Cell::new(None) }; SLOTS] };
}

#[inline]
fn slot(location: &'static Location<'static>) -> usize {
    let address = std::ptr::from_ref(location).addr();
    (address / std::mem::align_of::<Location<'_>>() / 3) % SLOTS
}

#[inline]
fn cached(location: &'static Location<'static>) -> Option<&'static Site> {
    CACHE.with(|cache| match cache[slot(location)].get() {
        Some((known, site)) if std::ptr::eq(known, location) => Some(site),
        _ => None,
    })
}

fn remember(location: &'static Location<'static>, site: &'static Site) {
    CACHE.with(|cache| cache[slot(location)].set(Some((location, site))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_copies_of_a_location_are_one_site() {
        let here = Location::caller();
        let copy: &'static Location<'static> = Box::leak(Box::new(*here));
        assert!(!std::ptr::eq(here, copy));
        assert_eq!(Site::of(here), Site::of(copy));
        assert_eq!(Site::of(here), Site::of(here));
    }

    #[test]
    fn columns_tell_sites_apart() {
        let (one, two) = (Location::caller(), Location::caller());
        assert_ne!(Site::of(one), Site::of(two));
    }
}
