//! One entry for each distinct address list.
//!
//! A program creates its futures from a bounded number of stacks. Entries live
//! as long as the process; past [`LIMIT`] no new one is made, and the stacks
//! that would be new are missing from their reports.

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

    /// The return addresses, innermost first.
    pub(super) fn addresses(self) -> Option<&'static [usize]> {
        self.0.map(|addresses| &*addresses.0)
    }
}

pub(super) fn intern(addresses: &[usize]) -> Captured {
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
    fn a_handle_is_one_word() {
        assert_eq!(size_of::<Captured>(), size_of::<usize>());
    }
}
