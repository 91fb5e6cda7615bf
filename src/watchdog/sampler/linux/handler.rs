//! The signal: sending it, and what a thread does when it comes.
//!
//! Whatever runs in the handler may have interrupted anything, a thread that holds
//! the allocator's lock included. So it takes no lock, allocates nothing, and has
//! nothing that can panic.

use std::ptr;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

use super::slot::{self, Answer, Question, WORDS};
use super::{context, thread};
use crate::sigaction::{self, Before};
use crate::watchdog::sampler::Refused;

/// One place for each signal there is.
const SIGNALS: usize = 65;

/// What handled each signal before us.
static BEFORE: [Before; SIGNALS] = [const { Before::new() }; SIGNALS];

/// The signals, a bit each, whose handler may know ours: it was put over ours, and
/// may hand on to it what it does not want.
static COVERED: AtomicU64 = AtomicU64::new(0);

/// `siginfo_t` as the kernel lays it out for a signal that carries a value.
#[repr(C)]
struct Info {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    _pad: libc::c_int,
    process: libc::pid_t,
    user: libc::uid_t,
    value: usize,
    _rest: [u64; 12],
}

const _: () = assert!(size_of::<Info>() == size_of::<libc::siginfo_t>());

/// Puts our handler in force, in front of the program's own if there is one.
pub(super) fn install(signal: i32) -> Result<(), Refused> {
    let failed = |errno| Refused::Failed { signal, errno };
    let before = sigaction::in_force(signal).map_err(failed)?;
    // Left there by a sampler that is gone: what came before it is known.
    if is_ours(&before) {
        return Ok(());
    }
    // The two would hand a signal to each other without end.
    if sigaction::is_function(&before) && COVERED.load(Acquire) & bit(signal) != 0 {
        return Err(Refused::Replaced { signal });
    }
    let place = place(signal).ok_or(Refused::Unusable(signal))?;
    place.remember(&before);
    let action = sigaction::ours(handler, &before);
    let replaced = sigaction::set(signal, &action).map_err(failed)?;
    // Somebody was quick.
    if replaced.sa_sigaction != before.sa_sigaction && !is_ours(&replaced) {
        place.remember(&replaced);
    }
    Ok(())
}

/// Whether our handler is the one in force.
pub(super) fn is_in_force(signal: i32) -> bool {
    sigaction::in_force(signal).is_ok_and(|action| is_ours(&action))
}

/// Puts back what was there before us, if nobody has put something else there, and
/// if one of our signals that is still to come would do no harm.
pub(super) fn restore(signal: i32) {
    let before = place(signal).and_then(Before::get);
    let is_ignored = match &before {
        Some(action) if sigaction::is_function(action) => false,
        Some(action) if action.sa_sigaction == libc::SIG_IGN => true,
        _ => sigaction::is_ignored_by_default(signal),
    };
    if !is_in_force(signal) {
        COVERED.fetch_or(bit(signal), AcqRel);
    } else if is_ignored || !thread::is_pending(signal) {
        let _ = sigaction::set(signal, &before.unwrap_or(sigaction::by_default()));
    }
}

/// Sends the signal to a thread of this process. The error is an `errno`.
#[allow(unsafe_code)]
pub(super) fn send(signal: i32, thread: i32) -> Result<(), i32> {
    // SAFETY: two system calls without arguments that cannot fail.
    let (process, user) = unsafe { (libc::getpid(), libc::getuid()) };
    let mut info = Info {
        signal,
        errno: 0,
        code: libc::SI_QUEUE,
        _pad: 0,
        process,
        user,
        value: slot::token(),
        _rest: [0; 12],
    };
    // Not `tgkill`: what that sends cannot be told from the program's own signals,
    // which are to be handed on to its handler when ours are not.
    // SAFETY: the call reads `info`, which has the layout and the length that it
    // expects, and sends a signal to a thread of this process or fails.
    let sent = unsafe {
        let info = (&raw mut info).cast::<libc::c_void>();
        libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info)
    };
    if sent == 0 {
        Ok(())
    } else {
        Err(sigaction::last_errno())
    }
}

#[allow(unsafe_code)]
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: this is this thread's `errno`, and `info` is what the system gives to
    // a handler with `SA_SIGINFO`, as is `context`.
    unsafe {
        let errno = libc::__errno_location();
        let kept = *errno;
        // Whoever sent the signal: of two that wait for a thread, the system may
        // let only one come.
        slot::answer(thread::current_id(), |question, answer, words| {
            fill(context, question, answer, words);
        });
        let sent = &*info.cast::<Info>();
        *errno = kept;
        let is_ours = sent.code == libc::SI_QUEUE && sent.value == slot::token();
        if !is_ours && let Some(before) = place(signal) {
            before.hand_on(signal, info, context);
        }
    }
}

/// Says where this thread is.
///
/// # Safety
///
/// As for [`context::registers`].
#[allow(unsafe_code)]
unsafe fn fill(
    context: *const libc::c_void,
    question: &Question,
    answer: &mut Answer,
    words: &mut [u64; WORDS],
) {
    *answer = Answer::default();
    // SAFETY: as this function's caller promises.
    answer.registers = unsafe { context::registers(context) };
    // SAFETY: who asks waits for the answer, and keeps the mark until then.
    answer.mark = unsafe { (*question.mark).load(Acquire) };
    // The thread that was meant may have ended, and another have its number.
    if question.handle != thread::current_handle() {
        return;
    }
    if question.with_task {
        answer.task = task();
    }
    // A stack that is not the thread's own (a coroutine's, a handler's) has bounds
    // that nobody knows.
    if !question.stack.contains(&answer.registers.sp) {
        return;
    }
    answer.start = answer.registers.sp & !7;
    let used = question.stack.end.wrapping_sub(answer.start) / 8;
    answer.length = if used < WORDS as u64 {
        used as usize
    } else {
        WORDS
    };
    // SAFETY: from the stack pointer of the function that was interrupted to the
    // end of its thread's stack, memory is mapped and readable. The end is still
    // this thread's: the handle, which is the one that was meant, is an address at
    // the end of the same mapping, or it is the main thread, which never ends.
    // Nobody writes there while the thread is in this handler, which runs below or
    // on another stack. The words are at least `length`, and elsewhere.
    unsafe {
        let from = ptr::with_exposed_provenance::<u64>(answer.start as usize);
        ptr::copy_nonoverlapping(from, words.as_mut_ptr(), answer.length);
    }
}

/// The task that tokio is polling on this thread.
///
/// Fit for a signal handler (tokio 1.54.1, `runtime::context::current_task_id`): it
/// is `Cell::get` on a thread-local, with `try_with`, whose error gives `None`.
/// There is no lock, no panic and nothing to free in it. Two things could allocate.
/// The first use on a thread registers a destructor: [`super::Thread::current`] has
/// used it there before anybody could ask. And a thread-local of a library may be
/// made when it is first looked at; so it is read only where tokio is part of the
/// program itself, whose thread-locals are at fixed places ([`super::Sampler`]).
/// The cell is one word, so the value is the one before or after a change.
fn task() -> Option<tokio::task::Id> {
    tokio::task::try_id()
}

fn place(signal: i32) -> Option<&'static Before> {
    usize::try_from(signal).ok().and_then(|at| BEFORE.get(at))
}

fn bit(signal: i32) -> u64 {
    1 << ((signal - 1) & 63)
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == handler as extern "C" fn(_, _, _) as usize
}
