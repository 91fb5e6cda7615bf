//! The walk of `framehop`, within the process.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};

use framehop::{FrameAddress, Unwinder as _};

use super::bounds::{self, Used};
use super::last::{Frame, Last};
use super::modules::{Modules, Unwinder};
use super::registers;
use super::rules::{Cache, From, Rule, Rules};

/// The modules that are known, and how often they were read anew.
static MODULES: Mutex<Option<Arc<Modules>>> = Mutex::new(None);
static EDITION: AtomicU64 = AtomicU64::new(0);

/// What a thread keeps from walk to walk.
struct Walker {
    stack: Range<u64>,
    modules: Arc<Modules>,
    edition: u64,
    rules: Rules,
    lasts: [Last; LASTS],
}

/// How many last walks are kept: a thread takes turns at a few places (a spawn, the
/// leaves of its tasks), and each of these is mostly as deep on the stack as it was.
const LASTS: usize = 8;

/// The last walk that began here, most likely. Stack pointers are multiples of 16.
fn last_of(lasts: &mut [Last; LASTS], sp: u64) -> &mut Last {
    &mut lasts[(sp / 16) as usize % LASTS]
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
            lasts: Default::default(),
        }))
    }

    fn walk(&mut self, here: registers::Here, addresses: &mut [usize]) -> Option<usize> {
        if EDITION.load(Acquire) != self.edition {
            self.renew(known());
        }
        match self.attempt(&here, addresses)? {
            Ok(depth) => return Some(depth),
            Err(Stop::Unknown) if !self.modules.are_stale() => return None,
            Err(Stop::Unknown) => {}
        }
        // A library was loaded since.
        self.renew(read_anew(&self.modules));
        self.attempt(&here, addresses)?.ok()
    }

    /// Goes on with other modules, of which the rules that are known say nothing.
    #[cold]
    fn renew(&mut self, (modules, edition): (Arc<Modules>, u64)) {
        (self.modules, self.edition) = (modules, edition);
        self.rules = Rules::new();
        self.lasts.iter_mut().for_each(Last::forget);
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
        let mut walk = Walk {
            used: &used,
            address: here.pc,
            within: here.pc,
            sp: here.sp,
            fp: here.fp,
            depth: 0,
        };
        let last = last_of(&mut self.lasts, here.sp);
        last.begin();
        loop {
            match walk.go_on(&self.rules, last, addresses) {
                Pause::End => break,
                Pause::Unknown if self.modules.have(walk.within) => {
                    self.rules.learn(&self.modules.unwinder, walk.frame());
                }
                Pause::Unknown => return Some(Err(Stop::Unknown)),
                Pause::Otherwise => {
                    last.stop();
                    let cache = self.rules.otherwise();
                    match walk.step_otherwise(&self.modules.unwinder, cache) {
                        Some(caller) => walk = caller,
                        None => break,
                    }
                }
            }
        }
        last.end();
        Some(Ok(walk.depth))
    }
}

/// A walk, with the frame that it has come to and its registers.
#[derive(Clone, Copy)]
struct Walk<'a> {
    used: &'a Used,
    /// What the stack has for the frame: where it will go on.
    address: u64,
    /// An address within the instruction that called, by which it is looked up. What
    /// follows a call that does not return may be another function.
    within: u64,
    sp: u64,
    fp: u64,
    /// How many addresses have been written down.
    depth: usize,
}

/// Why a walk does not go on by itself.
enum Pause {
    /// This was the outermost frame; or there is no room for more; or the stack has
    /// what cannot be, which ends it too.
    End,
    /// There is no rule for the frame.
    Unknown,
    /// The frame, which has been written down, is one for `framehop`.
    Otherwise,
}

impl Walk<'_> {
    /// Walks as far as the last walk and the rules go.
    #[inline]
    fn go_on(&mut self, rules: &Rules, last: &mut Last, addresses: &mut [usize]) -> Pause {
        loop {
            let room = addresses.get_mut(self.depth..).unwrap_or_default();
            let now = Frame::new(self.address, self.sp, self.fp);
            if let Some((frame, count)) = last.follow(&now, self.used, room)
                && count > 0
            {
                self.depth += count;
                self.within = frame.address - 1;
                (self.address, self.sp, self.fp) = (frame.address, frame.sp, frame.fp);
                continue;
            }
            let Some(place) = room.first_mut() else {
                return Pause::End;
            };
            let Some(rule) = rules.of(self.within) else {
                return Pause::Unknown;
            };
            *place = self.address as usize;
            self.depth += 1;
            let start = match rule.from {
                From::Sp => self.sp,
                From::Fp => self.fp,
                From::Neither => {
                    last.push(now);
                    return if rule.ends {
                        Pause::End
                    } else {
                        Pause::Otherwise
                    };
                }
            };
            let Some((address_at, fp_at)) = self.step(start, rule) else {
                last.push(now);
                return Pause::End;
            };
            last.push(Frame {
                from_fp: rule.from == From::Fp,
                address_at,
                fp_at,
                ..now
            });
        }
    }

    /// Goes to the caller, whose stack pointer is reckoned from `start`: what
    /// `framehop` does for such a rule, with its checks. Gives where the caller's
    /// address and frame pointer were found; zero: the latter is as it was.
    #[inline]
    fn step(&mut self, start: u64, rule: &Rule) -> Option<(u64, u64)> {
        let sp = start.wrapping_add(u64::from(rule.size) * 8);
        // Outwards, always: otherwise a walk might not end.
        if sp <= self.sp {
            return None;
        }
        let at = |words: i16| sp.wrapping_add_signed(i64::from(words) * 8);
        let address_at = at(rule.return_address);
        let address = registers::return_address(self.used.read(address_at).ok()?);
        let (mut fp_at, mut fp) = (0, self.fp);
        if rule.fp != Rule::KEPT {
            fp_at = at(rule.fp);
            fp = self.used.read(fp_at).ok()?;
            if rule.from == From::Fp && !registers::may_be_around(self.fp, fp) {
                return None;
            }
        }
        self.within = address.checked_sub(1)?;
        (self.address, self.sp, self.fp) = (address, sp, fp);
        Some((address_at, fp_at))
    }

    /// The same in `framehop`'s way.
    #[cold]
    fn step_otherwise(self, unwinder: &Unwinder, cache: &mut Cache) -> Option<Self> {
        let mut registers = registers::of_frame(self.address, self.sp, self.fp);
        let mut read = |address| self.used.read(address);
        let caller = unwinder.unwind_frame(self.frame(), &mut registers, cache, &mut read);
        let address = caller.ok().flatten()?;
        Some(Walk {
            address,
            within: address.checked_sub(1)?,
            sp: registers.sp(),
            fp: registers::fp_of(&registers),
            ..self
        })
    }

    fn frame(&self) -> FrameAddress {
        match FrameAddress::from_return_address(self.address) {
            Some(frame) if self.within != self.address => frame,
            _ => FrameAddress::from_instruction_pointer(self.address),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Over the code of this program and its libraries, on stacks of random words,
    /// half of which point into the stack: where `framehop` goes, a rule goes.
    #[test]
    fn a_rule_steps_as_framehop_does() {
        const WORDS: usize = 1024;
        // The same in each run, so that a failure can be had again.
        let mut random = fastrand::Rng::with_seed(7);
        let mut stack = [0u64; WORDS];
        let start = stack.as_mut_ptr().expose_provenance() as u64;
        for word in &mut stack {
            *word = match random.u8(..4) {
                0 | 1 => start + 8 * random.u64(..WORDS as u64),
                2 => 1 + random.u64(..1 << 40),
                _ => random.u64(..3),
            };
        }
        let stack = std::hint::black_box(&stack);
        let end = start + size_of_val(stack) as u64;
        // SAFETY: the words are on this thread's stack and outlive this.
        #[allow(unsafe_code)]
        let used = unsafe { Used::new(&(start..end), start) }.expect("within");

        let modules = Modules::loaded();
        let (mut rules, mut cache) = (Rules::new(), Cache::new());
        let mut seen = [0; 3];
        for _ in 0..20_000 {
            let address = modules.some_address(|below| random.u64(..below));
            let walk = Walk {
                used: &used,
                address,
                within: address - 1,
                sp: start + 8 * random.u64(..WORDS as u64 / 2),
                fp: match random.u8(..4) {
                    0 => random.u64(..),
                    _ => start + random.u64(..8 * WORDS as u64 + 64),
                },
                depth: 0,
            };
            if rules.of(walk.within).is_none() {
                rules.learn(&modules.unwinder, walk.frame());
            }
            let rule = *rules.of(walk.within).expect("learnt");
            seen[rule.from as usize] += 1;
            let theirs = walk.step_otherwise(&modules.unwinder, &mut cache);
            let ours = match rule.from {
                From::Sp => walk.stepped(walk.sp, &rule),
                From::Fp => walk.stepped(walk.fp, &rule),
                From::Neither if rule.ends => None,
                From::Neither => continue,
            };
            let state = |walk: Walk<'_>| (walk.address, walk.sp, walk.fp);
            assert_eq!(ours.map(state), theirs.map(state), "{rule:x?}");
        }
        // Otherwise nothing has been tried.
        assert!(seen[..2].iter().all(|times| *times > 100), "{seen:?}");
    }

    impl Walk<'_> {
        fn stepped(mut self, start: u64, rule: &Rule) -> Option<Self> {
            self.step(start, rule).map(|_| self)
        }
    }

    /// The frames that a walk had in common with the one before, and all of its own.
    #[inline(never)]
    fn shared(walker: &mut Walker) -> (usize, usize) {
        let here = registers::here();
        let mut addresses = [0; 256];
        let depth = match walker.attempt(&here, &mut addresses) {
            Some(Ok(depth)) => depth,
            _ => panic!("this stack is the thread's own"),
        };
        let last = last_of(&mut walker.lasts, here.sp);
        (last.shared(), depth)
    }

    #[test]
    fn a_walk_shares_what_it_has_in_common_with_the_last() {
        #[inline(never)]
        fn further_in(walker: &mut Walker) -> (usize, usize) {
            std::hint::black_box(shared(walker))
        }
        let (modules, edition) = known();
        let mut walker = Walker::with(modules, edition).expect("a stack");
        let mut seen: Vec<(usize, usize)> = Vec::new();
        // In a loop that is not unrolled, and by a pointer: from one place.
        let (near, far) = (shared as fn(&mut Walker) -> _, further_in as _);
        for (turn, each) in std::hint::black_box(&[near, near, near, far, far, near][..])
            .iter()
            .enumerate()
        {
            if turn == 3 {
                // As if it began where that one did.
                let last = walker.lasts.iter().find(|last| last.shared() > 0);
                let last = last.expect("it was followed").clone();
                walker.lasts = std::array::from_fn(|_| last.clone());
            }
            seen.push(each(&mut walker));
        }
        let (_, all) = seen[0];
        // Not the three innermost frames where those are new; nor the one that has
        // gone on meanwhile.
        let inside = all + 1;
        assert_eq!(seen[1..3], [(all, all); 2]);
        assert_eq!(seen[4], (inside, inside));
        assert!(seen[3].0 >= all - 2, "{seen:?}");
        // What is walked elsewhere meanwhile does not matter.
        assert_eq!(seen[5], (all, all));
    }

    #[test]
    fn a_full_slot_forgets_and_learns_again() {
        let modules = Modules::loaded();
        let mut rules = Rules::new();
        let mut count = 0;
        let mut each = |below| {
            count += 0x101;
            count % below
        };
        // More than there is room for; each has its rule right after.
        for _ in 0..10_000 {
            let address = modules.some_address(&mut each);
            let frame = FrameAddress::from_return_address(address).expect("not zero");
            if rules.of(address - 1).is_none() {
                rules.learn(&modules.unwinder, frame);
            }
            assert!(rules.of(address - 1).is_some());
        }
    }
}
