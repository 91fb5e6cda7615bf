//! The walk of `framehop`, within the process.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};

use framehop::{FrameAddress, Unwinder as _};

use super::bounds::{self, Used};
use super::modules::Modules;
use super::registers;
use super::rules::Rules;

/// The modules that are known, and how often they were read anew.
static MODULES: Mutex<Option<Arc<Modules>>> = Mutex::new(None);
static EDITION: AtomicU64 = AtomicU64::new(0);

/// What a thread keeps from walk to walk.
struct Walker {
    stack: Range<u64>,
    modules: Arc<Modules>,
    edition: u64,
    rules: Rules,
}

thread_local! {
    /// `None` within: this thread's stack is not known.
    static WALKER: RefCell<Option<Option<Box<Walker>>>> = const { RefCell::new(None) };
}

/// See [`walk`](super::walk). `None`: it cannot be done in this way.
#[inline(never)]
pub(super) fn walk(addresses: &mut [usize]) -> Option<usize> {
    let here = registers::here();
    let walked = WALKER.try_with(|walker| {
        let mut walker = walker.try_borrow_mut().ok()?;
        let ready = walker.get_or_insert_with(Walker::new).as_mut()?;
        // A table that says what cannot be may make an addition overflow, which
        // panics in a debug build. Then this thread walks the slow way.
        let walk = AssertUnwindSafe(|| ready.walk(here, addresses));
        catch_unwind(walk).unwrap_or_else(|_| {
            *walker = Some(None);
            None
        })
    });
    walked.ok().flatten()
}

/// Why a walk ended before the end of the stack.
enum Stop {
    /// No module is known that has this code.
    Unknown,
}

impl Walker {
    #[cold]
    fn new() -> Option<Box<Walker>> {
        let (modules, edition) = known();
        Walker::with(modules, edition)
    }

    fn with(modules: Arc<Modules>, edition: u64) -> Option<Box<Walker>> {
        let stack = bounds::of_this_thread()?;
        Some(Box::new(Walker {
            stack,
            modules,
            edition,
            rules: Rules::new(),
        }))
    }

    fn walk(&mut self, here: registers::Here, addresses: &mut [usize]) -> Option<usize> {
        if EDITION.load(Acquire) != self.edition {
            (self.modules, self.edition) = known();
        }
        match self.attempt(&here, addresses)? {
            Ok(depth) => return Some(depth),
            Err(Stop::Unknown) if !self.modules.are_stale() => return None,
            Err(Stop::Unknown) => {}
        }
        // A library was loaded since.
        (self.modules, self.edition) = read_anew(&self.modules);
        self.attempt(&here, addresses)?.ok()
    }

    #[inline]
    fn attempt(
        &mut self,
        here: &registers::Here,
        addresses: &mut [usize],
    ) -> Option<Result<usize, Stop>> {
        // SAFETY: `stack` is this thread's, since a walker is in a thread-local of
        // its own, and `here` was read in `super::walk`, which is still running.
        #[allow(unsafe_code)]
        let used = unsafe { Used::new(&self.stack, here.sp) }?;
        let mut read = |address| used.read(address);
        let modules = &*self.modules;
        let mut registers = here.registers;
        let mut frame = FrameAddress::from_instruction_pointer(here.pc);
        let mut module = modules.range_of(here.pc)?;
        let mut depth = 0;
        while let Some(place) = addresses.get_mut(depth) {
            *place = frame.address() as usize;
            depth += 1;
            let rules = self.rules.of(frame.address_for_lookup());
            let caller = modules
                .unwinder
                .unwind_frame(frame, &mut registers, rules, &mut read);
            // The outermost function; or a table that says nothing, or says what
            // cannot be, which ends the stack too.
            let Ok(Some(caller)) = caller else { break };
            let Some(next) = FrameAddress::from_return_address(caller) else {
                break;
            };
            let address = next.address_for_lookup();
            if !module.contains(&address) {
                match modules.range_of(address) {
                    Some(other) => module = other,
                    None => return Some(Err(Stop::Unknown)),
                }
            }
            frame = next;
        }
        Some(Ok(depth))
    }
}

pub(super) fn known() -> (Arc<Modules>, u64) {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = modules.get_or_insert_with(|| Arc::new(Modules::loaded()));
    (Arc::clone(known), EDITION.load(Acquire))
}

/// Reads the modules anew, unless somebody did since `old`.
#[cold]
pub(super) fn read_anew(old: &Arc<Modules>) -> (Arc<Modules>, u64) {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if modules.as_ref().is_none_or(|known| Arc::ptr_eq(known, old)) {
        *modules = Some(Arc::new(Modules::loaded()));
        EDITION.fetch_add(1, Release);
    }
    drop(modules);
    known()
}

/// Walks once, with these modules.
#[cfg(test)]
#[inline(never)]
pub(super) fn walk_with(modules: Arc<Modules>, addresses: &mut [usize]) -> Option<usize> {
    let here = registers::here();
    let mut walker = Walker::with(modules, EDITION.load(Acquire))?;
    catch_unwind(AssertUnwindSafe(|| walker.attempt(&here, addresses)?.ok()))
        .ok()
        .flatten()
}
