//! Copies of stacks with words that cannot be: see [`crate::fuzzing`].

use std::cell::RefCell;

use super::copy::{Copied, Walker};
use super::{Registers, bounds, fast, registers};

/// This thread's registers and words, from the inner end of its stack to the outer one.
pub(super) struct Sound {
    pub(super) registers: Registers,
    pub(super) words: Vec<u64>,
    /// The addresses of a walk of the stack itself.
    pub(super) present: Vec<usize>,
}

impl Sound {
    #[inline(never)]
    pub(super) fn of_this_thread() -> Sound {
        let here = registers::here();
        let end = bounds::of_this_thread().expect("it is known").end;
        let words = (here.sp..end).step_by(8).map(|address| {
            #[allow(unsafe_code)]
            // SAFETY: the word is on this thread's stack, above this function.
            unsafe {
                std::ptr::with_exposed_provenance::<u64>(address as usize).read_volatile()
            }
        });
        let words = words.collect();
        let registers = Registers {
            pc: here.pc,
            sp: here.sp,
            fp: here.fp,
            // Of use in the innermost frame only, which has called since.
            lr: 0,
        };
        let mut present = [0; super::copy::DEPTH];
        let depth = fast::walk(&mut present).expect("this stack is the thread's own");
        Sound {
            registers,
            words,
            present: present[..depth].to_vec(),
        }
    }
}

pub(crate) fn walks(damage: &(u16, Vec<(u16, u8, u64)>)) {
    thread_local! {
        static WALKER: RefCell<Walker> = RefCell::new(Walker::new());
    }
    let Sound {
        mut registers,
        mut words,
        present,
    } = Sound::of_this_thread();
    let (kept, damaged) = damage;
    if *kept > 0 {
        words.truncate(usize::from(*kept));
    }
    let count = words.len();
    let on_stack = |number: u64| registers.sp.wrapping_add(number % (8 * count as u64 + 64));
    let in_code = |number: u64| {
        let address = present[number as usize % present.len()] as u64;
        address.wrapping_add(number >> 58)
    };
    let mut replaced = registers;
    for (at, way, number) in damaged {
        let value = match way % 4 {
            0 => on_stack(*number),
            1 => in_code(*number),
            2 => *number,
            // Close to the end of all addresses.
            _ => u64::MAX - number % 64,
        };
        // The innermost words are read first.
        match (way / 4, words.get_mut(usize::from(*at) % count.max(1))) {
            (0, _) => replaced.pc = value,
            (1, _) => replaced.sp = value,
            (2 | 3, _) => replaced.fp = value,
            (4, _) => replaced.lr = value,
            (_, Some(word)) => *word = value,
            (_, None) => {}
        }
    }
    let start = registers.sp;
    registers = replaced;
    let copied = Copied {
        registers,
        start,
        words: &words,
    };
    WALKER.with_borrow_mut(|walker| {
        let mut addresses = [0; super::copy::DEPTH];
        let mut depth = 0;
        // Without what catches a panic: there is to be none.
        walker.attempt(&copied, &mut addresses, &mut depth);
        assert!(depth >= 1);
        assert_eq!(addresses[0], (registers.pc as usize).wrapping_add(1));
    });
}
