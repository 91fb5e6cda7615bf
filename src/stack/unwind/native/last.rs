//! A thread's last walk, which the next one follows as far as it can.
//!
//! Who called a frame follows from the frame's address and two registers, and from
//! the one or two words of the stack that its rule reads. So if a walk comes to a
//! frame that the last one came to as well, and from there outwards those words
//! are what they were, the rest is the same walk. Then a frame costs a comparison
//! or two, a third of what its rule does. Nothing is guessed: what has changed is
//! walked by the rules.
//!
//! A frame pointer from which no frame further out is reckoned may be anything, and
//! in code that uses the register otherwise it is: it is not compared.

use super::bounds::Used;
use super::registers;

/// A frame, and where its caller is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) address: u64,
    pub(super) sp: u64,
    pub(super) fp: u64,
    /// Whether it is reckoned from the frame pointer.
    pub(super) from_fp: bool,
    /// Where the words are that tell its caller's address and frame pointer; zero:
    /// nowhere.
    pub(super) address_at: u64,
    pub(super) fp_at: u64,
    /// Whether its callers depend on its frame pointer.
    pub(super) fp_matters: bool,
}

impl Frame {
    pub(super) fn new(address: u64, sp: u64, fp: u64) -> Frame {
        Frame {
            address,
            sp,
            fp,
            from_fp: false,
            address_at: 0,
            fp_at: 0,
            fp_matters: true,
        }
    }

    /// Whether a walk that has come to `now` is where the last one was.
    #[inline]
    fn is(&self, now: &Frame) -> bool {
        let same = self.address == now.address && self.sp == now.sp;
        same && (self.fp == now.fp || !self.fp_matters)
    }

    /// Whether its caller is still the one that it was.
    #[inline]
    fn is_called_by(&self, caller: &Frame, used: &Used) -> bool {
        used.read(self.address_at).map(registers::return_address) == Ok(caller.address)
            && (self.fp_at == 0 || used.read(self.fp_at) == Ok(caller.fp))
    }
}

/// How often a walk is taken up again that turned out to be another further out. A
/// stack that is other in more places costs more by trying than by the rules.
const TRIES: u32 = 4;

/// For how many walks at most nothing is written down, while they have little in
/// common with the last one that was: that a walk leaves its frames to the next takes
/// as much as the walk.
const PAUSE: u32 = 15;

/// So many frames are remembered at most; a walk writes down fewer.
const MOST: usize = 256;

#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Last {
    /// Outermost first: it is the other end that changes.
    frames: Vec<Frame>,
    /// Those of the walk in progress, innermost first, till it meets the last one.
    fresh: Vec<Frame>,
    /// How many of `frames`, from the outer end, may still be met.
    ahead: usize,
    /// How many of them are part of the walk in progress too.
    shared: usize,
    tries: u32,
    /// How many frames the rules were needed for.
    stepped: usize,
    /// Whether this walk is to be the last one, and whether what comes now is to be
    /// remembered.
    replaces: bool,
    records: bool,
    /// How many walks to let pass, and how many the next time.
    wait: u32,
    pause: u32,
}

impl Last {
    pub(super) fn begin(&mut self) {
        self.fresh.clear();
        self.ahead = self.frames.len();
        self.shared = 0;
        self.tries = TRIES;
        self.stepped = 0;
        self.replaces = self.wait == 0;
        self.records = self.replaces;
    }

    /// A walk has come to this frame.
    #[inline]
    pub(super) fn push(&mut self, frame: Frame) {
        self.stepped += 1;
        if self.records {
            self.fresh.push(frame);
        }
    }

    /// Who called the frame that was pushed last follows from more than is compared:
    /// it is the outermost to be remembered.
    pub(super) fn stop(&mut self) {
        (self.ahead, self.records) = (0, false);
    }

    /// If the last walk came to where this one is, and what lies around that has not
    /// changed: writes the addresses down, and gives the outermost frame that is
    /// known and the number of addresses, its own not among them.
    #[inline]
    pub(super) fn follow(
        &mut self,
        now: &Frame,
        used: &Used,
        addresses: &mut [usize],
    ) -> Option<(Frame, usize)> {
        while let Some(next) = self.frames[..self.ahead].last()
            && next.sp <= now.sp
        {
            if next.is(now) {
                return self.follow_from(self.ahead, used, addresses);
            }
            self.ahead -= 1;
        }
        None
    }

    fn follow_from(
        &mut self,
        length: usize,
        used: &Used,
        addresses: &mut [usize],
    ) -> Option<(Frame, usize)> {
        let known = &self.frames[..length];
        let mut outermost = known.last()?;
        let mut count = 0;
        for (pair, place) in known.windows(2).rev().zip(addresses) {
            let [caller, frame] = pair else { break };
            if !frame.is_called_by(caller, used) {
                // What lies further out may still be met.
                self.tries -= 1;
                self.ahead = if self.tries > 0 {
                    length - count - 1
                } else {
                    0
                };
                return None;
            }
            *place = frame.address as usize;
            count += 1;
            outermost = caller;
        }
        let outermost = *outermost;
        (self.ahead, self.shared, self.records) = (0, length, false);
        Some((outermost, count))
    }

    /// The walk in progress has come to its end.
    pub(super) fn end(&mut self) {
        if self.shared >= self.stepped {
            (self.wait, self.pause) = (0, 0);
        } else if self.replaces {
            self.pause = (self.pause * 2 + 1).min(PAUSE);
            self.wait = self.pause;
        } else {
            self.wait -= 1;
        }
        if self.replaces {
            self.replace();
        }
    }

    /// The walk in progress is the last one now.
    fn replace(&mut self) {
        self.frames.truncate(self.shared);
        for mut frame in self.fresh.drain(..).rev() {
            // The outermost one that is known: what is around it may depend on all
            // that there is.
            let callers_matter = self.frames.last().is_none_or(|caller| caller.fp_matters);
            let is_kept = frame.fp_at == 0;
            frame.fp_matters = frame.from_fp || is_kept && callers_matter;
            if !frame.from_fp && !callers_matter {
                frame.fp_at = 0;
            }
            self.frames.push(frame);
        }
        if self.frames.len() > MOST {
            self.forget();
        }
    }

    /// How many frames the last walk has from the one before.
    #[cfg(test)]
    pub(super) fn shared(&self) -> usize {
        self.shared
    }

    pub(super) fn forget(&mut self) {
        *self = Last::default();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Three frames, of which the one in the middle is reckoned from the frame
    /// pointer or not; and the words that they are told by.
    struct Stack {
        words: [Cell<u64>; 8],
        from_fp: bool,
    }

    const FP: usize = 0;
    const ADDRESS: usize = 1;
    const OUTER_FP: usize = 4;
    const OUTER_ADDRESS: usize = 5;

    impl Stack {
        fn new(from_fp: bool) -> Stack {
            let words = [70, 200, 0, 0, 80, 300, 0, 0].map(Cell::new);
            Stack { words, from_fp }
        }

        fn at(&self, word: usize) -> u64 {
            self.words.as_ptr().expose_provenance() as u64 + 8 * word as u64
        }

        fn innermost(&self, fp: u64) -> Frame {
            Frame {
                address_at: self.at(ADDRESS),
                fp_at: self.at(FP),
                ..Frame::new(100, self.at(0), fp)
            }
        }

        fn walked(&self) -> Last {
            let mut last = Last::default();
            last.begin();
            last.push(self.innermost(60));
            last.push(Frame {
                from_fp: self.from_fp,
                address_at: self.at(OUTER_ADDRESS),
                fp_at: self.at(OUTER_FP),
                ..Frame::new(200, self.at(2), 70)
            });
            last.push(Frame::new(300, self.at(6), 80));
            last.end();
            last
        }

        /// How many frames are followed after a change.
        fn followed(&self, word: usize, value: u64, fp: u64) -> Option<usize> {
            let mut last = self.walked();
            let before = self.words[word].replace(value);
            // SAFETY: the words are on this thread's stack and outlive this.
            #[allow(unsafe_code)]
            let used = unsafe { Used::new(&(self.at(0)..self.at(8)), self.at(0)) };
            last.begin();
            let mut addresses = [0; 8];
            let now = Frame::new(100, self.at(0), fp);
            let followed = last.follow(&now, &used.expect("within"), &mut addresses);
            self.words[word].set(before);
            let (outermost, count) = followed?;
            assert_eq!(
                (outermost.address, addresses[..count].to_vec()),
                (300, vec![100, 200])
            );
            Some(count)
        }
    }

    #[test]
    fn what_has_not_changed_is_followed() {
        for from_fp in [true, false] {
            let stack = Stack::new(from_fp);
            assert_eq!(stack.followed(2, 1, 60), Some(2));
            // The innermost saves its frame pointer and does not use it.
            assert_eq!(stack.followed(2, 1, 61), Some(2));
        }
    }

    #[test]
    fn walks_that_have_nothing_in_common_are_seldom_written_down() {
        let mut last = Last::default();
        let mut written = 0;
        for walk in 0..64 {
            last.begin();
            last.push(Frame::new(walk, 0, 0));
            last.end();
            written += usize::from(last.frames[0].address == walk);
        }
        assert_eq!(written, 7);
    }

    #[test]
    fn what_has_changed_is_not() {
        for from_fp in [true, false] {
            let stack = Stack::new(from_fp);
            assert_eq!(stack.followed(ADDRESS, 201, 60), None);
            assert_eq!(stack.followed(OUTER_ADDRESS, 301, 60), None);
            // Of what is around the outermost nothing is known.
            assert_eq!(stack.followed(OUTER_FP, 81, 60), None);
        }
    }

    #[test]
    fn a_frame_pointer_is_compared_where_a_frame_is_reckoned_from_it() {
        assert_eq!(Stack::new(true).followed(FP, 71, 60), None);
        assert_eq!(Stack::new(false).followed(FP, 71, 60), Some(2));
    }
}
