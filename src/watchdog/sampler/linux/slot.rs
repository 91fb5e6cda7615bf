//! The one place where a thread is asked for its stack, and where it answers.
//!
//! ```text
//!            Asker::ask            answer, on the thread that is asked
//! idle ──────────────────► asked ──────────────────► copying ───► done
//!  ▲                         │                                     │
//!  └──── time is up ─────────┴──────────── the next question ◄─────┘
//! ```
//!
//! The state and the thread that is asked are one word, so that nobody answers a
//! question that was given up, or that another thread is asked by now. While the
//! word says "copying" the slot is the answering thread's, else the asker's.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{
    AtomicI32, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::time::{Duration, Instant};

use crate::stack::unwind::native::Registers;

/// So much of a stack is copied.
const BOUND: usize = 256 * 1024;

pub(super) const WORDS: usize = BOUND / 8;

/// What is asked of a thread.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) handle: usize,
    pub(super) stack: Range<u64>,
    pub(super) mark: *const AtomicU64,
    pub(super) with_task: bool,
}

/// What it says, beside the words of its stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    pub(super) registers: Registers,
    /// Where the first of the words was.
    pub(super) start: u64,
    /// How many there are.
    pub(super) length: usize,
    pub(super) mark: u64,
    pub(super) task: Option<tokio::task::Id>,
}

struct Slot {
    question: UnsafeCell<Question>,
    answer: UnsafeCell<Answer>,
    words: UnsafeCell<[u64; WORDS]>,
}

// SAFETY: each part is used by one thread at a time, as the state says.
#[allow(unsafe_code)]
unsafe impl Sync for Slot {}

static SLOT: Slot = Slot {
    question: UnsafeCell::new(Question {
        handle: 0,
        stack: 0..0,
        mark: ptr::null(),
        with_task: false,
    }),
    answer: UnsafeCell::new(Answer {
        registers: Registers {
            pc: 0,
            sp: 0,
            fp: 0,
            lr: 0,
        },
        start: 0,
        length: 0,
        mark: 0,
        task: None,
    }),
    words: UnsafeCell::new([0; WORDS]),
};

/// A thread in the upper bits, what it is at in the lower two. Linux gives threads
/// numbers below 2^22.
static STATE: AtomicU32 = AtomicU32::new(IDLE);

const IDLE: u32 = 0;

fn asked(thread: i32) -> u32 {
    (thread as u32) << 2 | 1
}

fn copying(thread: i32) -> u32 {
    (thread as u32) << 2 | 2
}

fn done(thread: i32) -> u32 {
    (thread as u32) << 2 | 3
}

/// The process that has the asker; 0: none.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// Who may ask. There is one.
#[derive(Debug)]
pub(super) struct Asker(());

impl Asker {
    /// `None` if there is one already.
    #[allow(unsafe_code)]
    pub(super) fn claim() -> Option<Asker> {
        let this = std::process::id() as i32;
        let owner = OWNER.load(Relaxed);
        // An owner that is another process is the one that this was forked from;
        // what asked there did not come along.
        if owner == this
            || OWNER
                .compare_exchange(owner, this, AcqRel, Relaxed)
                .is_err()
        {
            return None;
        }
        STATE.store(IDLE, Release);
        // SAFETY: the slot is the asker's: nothing has been asked yet. Each page is
        // written once, so that the handler does not have to wait for memory.
        unsafe {
            let words = SLOT.words.get().cast::<u64>();
            for at in (0..WORDS).step_by(512) {
                words.add(at).write_volatile(0);
            }
        }
        Some(Asker(()))
    }

    /// Asks a thread: `send` must make it call [`answer`]. Gives `None` if it has
    /// not begun to within the limit.
    #[allow(unsafe_code)]
    pub(super) fn ask<E>(
        &mut self,
        thread: i32,
        question: Question,
        limit: Duration,
        send: impl FnOnce() -> Result<(), E>,
    ) -> Result<Option<(&Answer, &[u64])>, E> {
        // SAFETY: the slot is the asker's, of which there is one: no question is
        // open when this returns, and none was when it was called.
        unsafe { *SLOT.question.get() = question };
        STATE.store(asked(thread), Release);
        // Unless the thread answers a signal of somebody else's.
        if let Err(error) = send()
            && self.give_up(thread)
        {
            return Err(error);
        }
        if !self.wait(thread, limit) {
            return Ok(None);
        }
        // SAFETY: the slot is the asker's again, until the next question, which
        // needs what is borrowed here; and the answer's writes happened before.
        let (answer, words) = unsafe { (&*SLOT.answer.get(), &*SLOT.words.get()) };
        Ok(Some((answer, words.get(..answer.length).unwrap_or(&[]))))
    }

    /// Waits for the answer; gives up if it has not begun within the limit.
    ///
    /// Once it has, there is no limit: the slot, and what the question points to,
    /// must not be touched meanwhile. It is as long as it takes to copy a stack,
    /// unless a debugger holds the thread.
    fn wait(&self, thread: i32, limit: Duration) -> bool {
        let start = Instant::now();
        let mut pause = Duration::from_micros(20);
        while STATE.load(Acquire) != done(thread) {
            if start.elapsed() >= limit && self.give_up(thread) {
                return false;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
        true
    }

    /// Takes the question back; false if the thread is answering it.
    fn give_up(&self, thread: i32) -> bool {
        STATE
            .compare_exchange(asked(thread), IDLE, Acquire, Relaxed)
            .is_ok()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        OWNER.store(0, Release);
    }
}

/// Answers, if this thread is asked: `fill` says what, and must not fail.
///
/// For signal handlers: it takes no lock, allocates nothing and cannot panic.
#[allow(unsafe_code)]
pub(super) fn answer(thread: i32, fill: impl FnOnce(&Question, &mut Answer, &mut [u64; WORDS])) {
    let claim = STATE.compare_exchange(asked(thread), copying(thread), Acquire, Relaxed);
    if claim.is_err() {
        return;
    }
    // SAFETY: the slot is this thread's from here to the store below, and no other
    // call on this thread gets here meanwhile: it would not find "asked".
    unsafe {
        fill(
            &*SLOT.question.get(),
            &mut *SLOT.answer.get(),
            &mut *SLOT.words.get(),
        );
    }
    STATE.store(done(thread), Release);
}

/// What marks a signal as one of ours: an address that nothing else has.
pub(super) fn token() -> usize {
    (&raw const STATE).addr()
}
