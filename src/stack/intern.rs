//! One entry for each distinct address list.
//!
//! A program creates its futures from a bounded number of stacks. Entries live
//! as long as the process; past [`LIMIT`] no new one is made, and the stacks
//! that would be new are missing from their reports.

use std::cell::Cell;
use std::sync::LazyLock;

use dashmap::DashSet;
use rustc_hash::FxBuildHasher;

/// 65 536 stacks of some 30 frames are 16 MiB.
const LIMIT: usize = 1 << 16;

static STACKS: LazyLock<DashSet<&'static Addresses, FxBuildHasher>> =
    LazyLock::new(DashSet::default);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Addresses(Box<[usize]>);

impl std::borrow::Borrow<[usize]> for &'static Addresses {
    fn borrow(&self) -> &[usize] {
        &self.0
    }
}

/// A stack that was captured, or none. One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Captured(Option<&'static Addresses>);

impl Captured {
    pub(crate) const NONE: Captured = Captured(None);

    /// What tells it from others.
    pub(crate) fn id(self) -> usize {
        self.0
            .map_or(0, |addresses| std::ptr::from_ref(addresses).addr())
    }

    /// The return addresses, innermost first.
    pub(super) fn addresses(self) -> Option<&'static [usize]> {
        self.0.map(|addresses| &*addresses.0)
    }
}

/// How many stacks a thread remembers: a power of two.
const SLOTS: usize = 256;

thread_local! {
    /// What this thread took last, by [`slot`]. Before the table, because that is
    /// locked, twice hashed, and shared with all other threads.
    static RECENT: [Cell<Captured>; SLOTS] = const { [const { Cell::new(Captured::NONE) }; SLOTS] };
}

/// A sum is weak, but made two addresses at a time; that of another stack costs a
/// look-up in the table, since all addresses are compared then.
#[inline]
fn slot(addresses: &[usize]) -> usize {
    let sum = addresses
        .iter()
        .fold(0u64, |sum, address| sum.wrapping_add(*address as u64));
    (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2())) as usize
}

/// The entry of an address list; nothing if there is no room for a new one.
pub(super) fn intern(addresses: &[usize]) -> Captured {
    let slot = slot(addresses);
    let recent = RECENT.try_with(|recent| recent[slot].get());
    if let Ok(recent) = recent
        && recent.addresses() == Some(addresses)
    {
        return recent;
    }
    let captured = look_up(addresses);
    let _ = RECENT.try_with(|recent| recent[slot].set(captured));
    captured
}

#[cold]
fn look_up(addresses: &[usize]) -> Captured {
    if let Some(known) = STACKS.get(addresses) {
        return Captured(Some(*known));
    }
    if STACKS.len() >= LIMIT {
        return Captured::NONE;
    }
    let new: &'static Addresses = Box::leak(Box::new(Addresses(addresses.into())));
    STACKS.insert(new);
    Captured(Some(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_list_is_one_entry() {
        let first = intern(&[1, 2, 3]);
        assert_eq!(first.addresses(), Some(&[1, 2, 3][..]));
        let second = intern(&[1, 2, 3]);
        assert!(std::ptr::eq(
            first.addresses().expect("captured"),
            second.addresses().expect("captured"),
        ));
        assert_ne!(first, intern(&[1, 2]));
    }

    #[test]
    fn lists_that_share_a_slot_are_told_apart() {
        assert_eq!(slot(&[4, 5, 6]), slot(&[6, 5, 4]));
        let (up, down) = (intern(&[4, 5, 6]), intern(&[6, 5, 4]));
        assert_ne!(up, down);
        assert_eq!(up, intern(&[4, 5, 6]));
        assert_eq!(down.addresses(), Some(&[6, 5, 4][..]));
    }

    #[test]
    fn a_handle_is_one_word() {
        assert_eq!(size_of::<Captured>(), size_of::<usize>());
    }
}
