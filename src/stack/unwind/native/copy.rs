//! The walk of a copy of another thread's stack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use framehop::{FrameAddress, Unwinder as _};

use super::fast;
use super::modules::Modules;
use super::registers::Registers;
use super::rules::Cache;
use crate::stack::intern::{self, Captured};

/// A stack deeper than this is cut at its outer end.
pub(super) const DEPTH: usize = 256;

/// A thread as it was at one moment: its registers, and its stack from the inner
/// end on, as far as it was copied.
pub(crate) struct Copied<'a> {
    pub(crate) registers: Registers,
    /// Where the first of the words was.
    pub(crate) start: u64,
    pub(crate) words: &'a [u64],
}

impl Copied<'_> {
    fn read(&self, address: u64) -> Result<u64, ()> {
        let distance = address.checked_sub(self.start).ok_or(())?;
        if !distance.is_multiple_of(8) {
            return Err(());
        }
        let at = usize::try_from(distance / 8).map_err(|_| ())?;
        self.words.get(at).copied().ok_or(())
    }
}

/// Walks copies, and remembers the rules from one to the next.
pub(crate) struct Walker {
    cache: Cache,
}

impl Walker {
    pub(crate) fn new() -> Walker {
        Walker {
            cache: Cache::new(),
        }
    }

    /// The stack, and whether its outer end is missing.
    pub(crate) fn walk(&mut self, copied: &Copied<'_>) -> (Captured, bool) {
        let mut addresses = [0; DEPTH];
        let (depth, is_whole) = self.addresses(copied, &mut addresses);
        (intern::intern(&addresses[..depth]), !is_whole)
    }

    fn addresses(&mut self, copied: &Copied<'_>, addresses: &mut [usize]) -> (usize, bool) {
        let mut depth = 0;
        // As with the walk of the present stack: a table that says what cannot be
        // may make an addition overflow, which panics in a debug build.
        let walk = AssertUnwindSafe(|| self.attempt(copied, addresses, &mut depth));
        let is_whole = catch_unwind(walk).unwrap_or_else(|_| {
            self.cache = Cache::new();
            false
        });
        (depth, is_whole)
    }

    /// Fills in the addresses, and tells whether the last is the outermost.
    pub(super) fn attempt(
        &mut self,
        copied: &Copied<'_>,
        addresses: &mut [usize],
        depth: &mut usize,
    ) -> bool {
        let pc = copied.registers.pc;
        let Some(place) = addresses.get_mut(*depth) else {
            return false;
        };
        // The place where a thread was interrupted is where it goes on, and not
        // behind a call; who resolves addresses takes them for return addresses.
        *place = (pc as usize).wrapping_add(1);
        *depth += 1;

        let (mut modules, _) = fast::known();
        let mut registers = copied.registers.native();
        let mut frame = FrameAddress::from_instruction_pointer(pc);
        let mut read = |address| copied.read(address);
        while has_code(&mut modules, frame.address_for_lookup()) {
            if let FrameAddress::ReturnAddress(address) = frame {
                let Some(place) = addresses.get_mut(*depth) else {
                    return false;
                };
                *place = address.get() as usize;
                *depth += 1;
            }
            let cache = &mut self.cache;
            let caller = modules
                .unwinder
                .unwind_frame(frame, &mut registers, cache, &mut read);
            let caller = match caller {
                Ok(caller) => caller,
                // The word is not among those that were copied; or a table says
                // what cannot be.
                Err(_) => return false,
            };
            let Some(next) = caller.and_then(FrameAddress::from_return_address) else {
                return true;
            };
            frame = next;
        }
        // Code that was made while the program runs, say, of which no table tells.
        false
    }
}

/// Whether a module has this code; a library may have been loaded since.
fn has_code(modules: &mut Arc<Modules>, address: u64) -> bool {
    if modules.have(address) {
        return true;
    }
    if !modules.are_stale() {
        return false;
    }
    (*modules, _) = fast::read_anew(modules);
    modules.have(address)
}

#[cfg(test)]
mod tests {
    use super::super::damage::Sound;
    use super::*;

    fn walk(registers: Registers, words: &[u64]) -> (Vec<usize>, bool) {
        let mut addresses = [0; DEPTH];
        let copied = Copied {
            registers,
            start: registers.sp,
            words,
        };
        let (depth, is_whole) = Walker::new().addresses(&copied, &mut addresses);
        (addresses[..depth].to_vec(), is_whole)
    }

    #[test]
    fn a_copy_is_walked_as_the_stack_is() {
        let Sound {
            registers,
            words,
            present,
        } = Sound::of_this_thread();
        let (copied, is_whole) = walk(registers, &words);
        assert!(is_whole);
        assert_eq!(copied[0], registers.pc as usize + 1);
        // The other has a frame more, of the walk itself, and the two are called
        // from different lines.
        assert_eq!(copied[1..], present[2..]);
        // Part of the copy gives part of the stack.
        let (part, is_whole) = walk(registers, &words[..words.len().min(100)]);
        assert!(!is_whole && part.len() < copied.len());
        assert_eq!(part[..], copied[..part.len()]);
        let (nothing, is_whole) = walk(registers, &[]);
        assert!(!is_whole && nothing == copied[..1]);
    }

    #[test]
    fn code_of_nobody_ends_the_stack() {
        let Sound {
            mut registers,
            words,
            ..
        } = Sound::of_this_thread();
        registers.pc = 0x1000;
        assert_eq!(walk(registers, &words), (vec![0x1001], false));
        registers.pc = u64::MAX;
        assert_eq!(walk(registers, &words), (vec![0], false));
    }

    #[test]
    fn a_copy_full_of_nonsense_is_walked_to_some_end() {
        let Sound {
            registers,
            words,
            present,
        } = Sound::of_this_thread();
        // The same in each run, so that a failure can be had again.
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut words = words.clone();
            for _ in 0..20 {
                let at = random.usize(..words.len());
                // An address on the stack, one in the program, or any number.
                words[at] = match random.u8(..3) {
                    0 => registers.sp + random.u64(..words.len() as u64 * 8),
                    1 => present[random.usize(..present.len())] as u64 + random.u64(..64),
                    _ => random.u64(..),
                };
            }
            let (copied, _) = walk(registers, &words);
            assert!(!copied.is_empty());
        }
    }
}
