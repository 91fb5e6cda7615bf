//! The walk of a copy of another thread's stack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use framehop::{FrameAddress, Unwinder as _};

use super::fast;
use super::modules::Modules;
use super::registers::Registers;
use super::rules::Rules;
use crate::stack::intern::{self, Captured};

/// A stack deeper than this is cut at its outer end.
const DEPTH: usize = 256;

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
    rules: Rules,
}

impl Walker {
    pub(crate) fn new() -> Walker {
        Walker {
            rules: Rules::new(),
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
            self.rules = Rules::new();
            false
        });
        (depth, is_whole)
    }

    /// Fills in the addresses, and tells whether the last is the outermost.
    fn attempt(&mut self, copied: &Copied<'_>, addresses: &mut [usize], depth: &mut usize) -> bool {
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
            let rules = self.rules.of(frame.address_for_lookup());
            let caller = modules
                .unwinder
                .unwind_frame(frame, &mut registers, rules, &mut read);
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
    if modules.range_of(address).is_some() {
        return true;
    }
    if !modules.are_stale() {
        return false;
    }
    (*modules, _) = fast::read_anew(modules);
    modules.range_of(address).is_some()
}
