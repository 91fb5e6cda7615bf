//! The unwind rules that a thread remembers.
//!
//! `framehop` keeps the rule of an address in a table of 509 slots with one place
//! each. A stack of fifty frames has two addresses that share a slot more often
//! than not; they would push each other out at every walk, which makes it five
//! times slower. So there are a few tables, and an address keeps to the one in
//! which it found its slot free.

use framehop::CacheNative;

/// As many as `framehop`'s table has. Were it another number, addresses would meet
/// again, and nothing else.
const SLOTS: usize = 509;

const WAYS: usize = 4;

pub(super) struct Rules {
    ways: [Way; WAYS],
    /// Whose turn it is to lose an address when all of a slot's places are taken.
    turn: usize,
}

struct Way {
    cache: CacheNative<framehop::MayAllocateDuringUnwind>,
    /// Which address has each slot; 0: none.
    owners: Box<[u64; SLOTS]>,
}

impl Rules {
    pub(super) fn new() -> Rules {
        let way = || Way {
            cache: CacheNative::new(),
            owners: Box::new([0; SLOTS]),
        };
        Rules {
            ways: std::array::from_fn(|_| way()),
            turn: 0,
        }
    }

    /// The table that an address has a place in.
    #[inline]
    pub(super) fn of(
        &mut self,
        address: u64,
    ) -> &mut CacheNative<framehop::MayAllocateDuringUnwind> {
        let slot = (address % SLOTS as u64) as usize;
        let known = self.ways.iter().position(|way| way.owners[slot] == address);
        let way = known.unwrap_or_else(|| self.place(slot, address));
        &mut self.ways[way].cache
    }

    #[cold]
    fn place(&mut self, slot: usize, address: u64) -> usize {
        let free = self.ways.iter().position(|way| way.owners[slot] == 0);
        let way = free.unwrap_or_else(|| {
            self.turn = (self.turn + 1) % WAYS;
            self.turn
        });
        self.ways[way].owners[slot] = address;
        way
    }
}
