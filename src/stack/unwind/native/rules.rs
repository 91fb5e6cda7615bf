//! The unwind rules that a thread remembers.
//!
//! `framehop` keeps its rules to itself, in a table of one place a slot, and its
//! look-up divides: 165 instructions a frame, or five times that where two
//! addresses share a slot. Yet nearly all frames are alike: the caller's stack
//! pointer, its frame pointer and the return address lie at distances from one of
//! the two registers that the code alone decides. So `framehop` unwinds each
//! address once, from registers and a stack that are made up, and what comes out
//! tells the distances. A frame that is otherwise (the one of a signal) stays with
//! `framehop`.

use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, Unwinder as _};

use super::modules::Unwinder;
use super::registers;

pub(super) type Cache = CacheNative<MayAllocateDuringUnwind>;

/// How to get from the frame of an address to the one around it. Distances are in
/// words; the last two are from the caller's stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The address. Zero: there is no rule here.
    of: u64,
    pub(super) from: From,
    /// To the caller's stack pointer.
    pub(super) size: u16,
    pub(super) return_address: i16,
    /// Where the caller's frame pointer is saved, or [`Rule::KEPT`].
    pub(super) fp: i16,
    /// What is reckoned from neither: the outermost frame; or, each time anew, what
    /// `framehop` says.
    pub(super) ends: bool,
}

/// From where the caller's stack pointer is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Sp,
    Fp,
    /// Neither: see [`Rule::ends`]. Not two cases: of four, a jump through a table
    /// would be made.
    Neither,
}

impl Rule {
    /// The frame pointer is as it was.
    pub(super) const KEPT: i16 = i16::MIN;

    const NONE: Rule = Rule::neither(0, false);

    const fn neither(of: u64, ends: bool) -> Rule {
        Rule {
            of,
            from: From::Neither,
            size: 0,
            return_address: 0,
            fp: Rule::KEPT,
            ends,
        }
    }
}

/// The addresses of one slot. They lie in one line of the processor's cache.
const WAYS: usize = 4;

/// Two thousand addresses in 32 KiB; a stack has some twenty, most of them shared
/// with the next. A power of two, so that nothing is divided.
const SLOTS: usize = 512;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Slot([Rule; WAYS]);

pub(super) struct Rules {
    slots: Box<[Slot; SLOTS]>,
    /// Whose turn it is to be forgotten when a slot is full.
    turn: usize,
    /// `framehop`'s, for the unwinding that is made up and for the other: what
    /// either leaves in there is no concern of the other.
    learning: Cache,
    otherwise: Cache,
}

impl Rules {
    pub(super) fn new() -> Rules {
        Rules {
            slots: Box::new([Slot([Rule::NONE; WAYS]); SLOTS]),
            turn: 0,
            learning: Cache::new(),
            otherwise: Cache::new(),
        }
    }

    /// The rule of an address, if it is known.
    #[inline]
    pub(super) fn of(&self, address: u64) -> Option<&Rule> {
        let Slot(ways) = &self.slots[slot(address)];
        ways.iter().find(|rule| rule.of == address)
    }

    /// Finds the rule of a frame that lies in one of the unwinder's modules.
    #[cold]
    pub(super) fn learn(&mut self, unwinder: &Unwinder, frame: FrameAddress) {
        let rule = learn(unwinder, frame, &mut self.learning);
        let Slot(ways) = &mut self.slots[slot(rule.of)];
        let free = ways.iter().position(|rule| rule.of == 0);
        let way = free.unwrap_or_else(|| {
            self.turn = (self.turn + 1) % WAYS;
            self.turn
        });
        ways[way] = rule;
    }

    /// `framehop`'s own cache, for the frames of which only it knows the caller.
    pub(super) fn otherwise(&mut self) -> &mut Cache {
        &mut self.otherwise
    }
}

/// Fibonacci hashing: the upper bits of the product depend on all of the address.
#[inline]
fn slot(address: u64) -> usize {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2())) as usize
}

/// The registers of the frame that is made up, and the values on its stack: far
/// from each other, so that a result tells where it comes from; increasing, as
/// frame pointers are; and of 48 bits, as addresses are.
const SP: u64 = 1 << 40;
const FP: u64 = 1 << 41;
const FIRST_VALUE: u64 = 1 << 44;

/// More words than a rule that we can use reads.
const READS: usize = 8;

fn learn(unwinder: &Unwinder, frame: FrameAddress, cache: &mut Cache) -> Rule {
    let of = frame.address_for_lookup();
    // Which addresses were read, in the order of the values that they were said to
    // hold.
    let (mut reads, mut count) = ([0; READS], 0);
    let mut read = |address| {
        let place = reads.get_mut(count).ok_or(())?;
        *place = address;
        count += 1;
        Ok(FIRST_VALUE + 16 * (count as u64 - 1))
    };
    let mut registers = registers::of_frame(frame.address(), SP, FP);
    match unwinder.unwind_frame(frame, &mut registers, cache, &mut read) {
        Ok(None) => Rule::neither(of, true),
        Ok(Some(caller)) => {
            let place = |value: u64| {
                let at = value.checked_sub(FIRST_VALUE)?;
                let read = reads[..count].get(at as usize / 16).copied();
                read.filter(|_| at % 16 == 0)
            };
            let (sp, fp) = (registers.sp(), registers::fp_of(&registers));
            let rule = distances(of, caller, sp, fp, place);
            rule.unwrap_or(Rule::neither(of, false))
        }
        Err(_) => Rule::neither(of, false),
    }
}

/// The rule of an address, from its caller's address and registers. `place` tells
/// where a value was read.
fn distances(
    of: u64,
    caller: u64,
    sp: u64,
    fp: u64,
    place: impl Fn(u64) -> Option<u64>,
) -> Option<Rule> {
    let (from, start) = if sp < FP {
        (From::Sp, SP)
    } else {
        (From::Fp, FP)
    };
    let words = |bytes: i64| (bytes % 8 == 0).then_some(bytes / 8);
    let size = words(sp.checked_sub(start)?.cast_signed())?;
    let from_sp = |address: u64| {
        let distance = words(address.wrapping_sub(sp).cast_signed())?;
        let distance = i16::try_from(distance).ok()?;
        (distance != Rule::KEPT).then_some(distance)
    };
    Some(Rule {
        of,
        from,
        size: u16::try_from(size).ok()?,
        return_address: from_sp(place(caller)?)?,
        fp: if fp == FP {
            Rule::KEPT
        } else {
            from_sp(place(fp)?)?
        },
        ends: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }

    fn place(value: u64) -> Option<u64> {
        match value.checked_sub(FIRST_VALUE)? {
            0 => Some(SP + 56),
            16 => Some(SP + 40),
            32 => Some(FP + 8),
            48 => Some(FP),
            _ => None,
        }
    }

    fn rule(caller: u64, sp: u64, fp: u64) -> Option<(From, u16, i16, i16)> {
        let rule = distances(1, caller, sp, fp, place)?;
        Some((rule.from, rule.size, rule.return_address, rule.fp))
    }

    #[test]
    fn a_frame_of_fixed_size() {
        assert_eq!(
            rule(FIRST_VALUE, SP + 64, FP),
            Some((From::Sp, 8, -1, Rule::KEPT))
        );
        assert_eq!(
            rule(FIRST_VALUE, SP + 64, FIRST_VALUE + 16),
            Some((From::Sp, 8, -1, -3))
        );
    }

    #[test]
    fn a_frame_with_a_frame_pointer() {
        assert_eq!(
            rule(FIRST_VALUE + 32, FP + 16, FIRST_VALUE + 48),
            Some((From::Fp, 2, -1, -2))
        );
    }

    #[test]
    fn what_is_otherwise_is_left_alone() {
        // The stack pointer was on the stack, as in the frame of a signal.
        assert_eq!(rule(FIRST_VALUE, FIRST_VALUE + 16, FP), None);
        // The return address was in a register.
        assert_eq!(rule(0x1234, SP + 64, FP), None);
        // Half a word; half the memory.
        assert_eq!(rule(FIRST_VALUE, SP + 60, FP), None);
        assert_eq!(rule(FIRST_VALUE, SP + (1 << 20), FP), None);
    }
}
