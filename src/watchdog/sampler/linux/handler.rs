//! The signal: sending it, and what a thread does when it comes.
//!
//! Whatever runs in the handler may have interrupted anything, a thread that holds
//! the allocator's lock included. So it takes no lock, allocates nothing, and has
//! nothing that can panic.

use std::mem;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use super::slot::{self, Answer, Question, WORDS};
use super::{context, thread};
use crate::watchdog::sampler::Refused;

/// One place for each signal there is.
const SIGNALS: usize = 65;

/// What handled each signal before us; null: the default action. What is put in
/// here is never freed, as a handler may be looking at it.
static BEFORE: [AtomicPtr<libc::sigaction>; SIGNALS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS];

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
#[allow(unsafe_code)]
pub(super) fn install(signal: i32) -> Result<(), Refused> {
    let failed = |errno| Refused::Failed { signal, errno };
    let before = in_force(signal).map_err(failed)?;
    // Left there by a sampler that is gone: what came before it is known.
    if is_ours(&before) {
        return Ok(());
    }
    // The two would hand a signal to each other without end.
    if is_function(&before) && COVERED.load(Acquire) & bit(signal) != 0 {
        return Err(Refused::Replaced { signal });
    }
    remember(signal, &before);
    // SAFETY: all zeros is a value of this C struct.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(_, _, _) as usize;
    // The thread goes on with the system call it is in, and a small stack is not
    // asked for more if there is an alternate one.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    if is_function(&before) {
        // The program's handler runs within ours, and is as alone as it was.
        action.sa_mask = before.sa_mask;
        action.sa_flags |= before.sa_flags & libc::SA_NODEFER;
    }
    let replaced = set(signal, &action).map_err(failed)?;
    // Somebody was quick.
    if replaced.sa_sigaction != before.sa_sigaction && !is_ours(&replaced) {
        remember(signal, &replaced);
    }
    Ok(())
}

/// Whether our handler is the one in force.
pub(super) fn is_in_force(signal: i32) -> bool {
    in_force(signal).is_ok_and(|action| is_ours(&action))
}

/// Puts back what was there before us, if nobody has put something else there, and
/// if one of our signals that is still to come would do no harm.
pub(super) fn restore(signal: i32) {
    let before = before(signal);
    let is_ignored = match &before {
        Some(action) if is_function(action) => false,
        Some(action) if action.sa_sigaction == libc::SIG_IGN => true,
        _ => is_ignored_by_default(signal),
    };
    if !is_in_force(signal) {
        COVERED.fetch_or(bit(signal), AcqRel);
    } else if is_ignored || !thread::is_pending(signal) {
        let _ = set(signal, &before.unwrap_or(by_default()));
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
    if sent == 0 { Ok(()) } else { Err(last_errno()) }
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
        if !is_ours {
            hand_on(signal, info, context);
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

/// Does what would have been done with a signal that is not ours.
///
/// # Safety
///
/// The arguments must be those of a handler with `SA_SIGINFO`.
#[allow(unsafe_code)]
unsafe fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(place) = usize::try_from(signal).ok().and_then(|at| BEFORE.get(at)) else {
        return;
    };
    let mut action = place.load(Acquire);
    // SAFETY: what is in there is valid and never freed.
    let once = !action.is_null() && unsafe { (*action).sa_flags } & libc::SA_RESETHAND != 0;
    if once && place.swap(ptr::null_mut(), AcqRel).is_null() {
        action = ptr::null_mut();
    }
    // SAFETY: as above.
    let (function, flags) = match unsafe { action.as_ref() } {
        Some(action) => (action.sa_sigaction, action.sa_flags),
        None => (libc::SIG_DFL, 0),
    };
    match function {
        libc::SIG_IGN => {}
        libc::SIG_DFL if is_ignored_by_default(signal) => {}
        libc::SIG_DFL => {
            // The default action of all others that we take is to end the program.
            // The signal comes again when this handler returns.
            let _ = set(signal, &by_default());
            // SAFETY: a system call, which is allowed here, as `sigaction` is.
            unsafe {
                let (process, thread) = (libc::getpid(), thread::current_id());
                libc::syscall(libc::SYS_tgkill, process, thread, signal);
            }
        }
        _ if flags & libc::SA_SIGINFO != 0 => {
            type Long = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: the program gave this address as that of such a handler.
            let function = unsafe { mem::transmute::<usize, Long>(function) };
            function(signal, info, context);
        }
        _ => {
            type Short = extern "C" fn(libc::c_int);
            // SAFETY: as above.
            let function = unsafe { mem::transmute::<usize, Short>(function) };
            function(signal);
        }
    }
}

fn bit(signal: i32) -> u64 {
    1 << ((signal - 1) & 63)
}

fn is_ignored_by_default(signal: i32) -> bool {
    signal == libc::SIGURG || signal == libc::SIGWINCH
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == handler as extern "C" fn(_, _, _) as usize
}

fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

fn remember(signal: i32, action: &libc::sigaction) {
    let place = usize::try_from(signal).ok().and_then(|at| BEFORE.get(at));
    if let Some(place) = place {
        place.store(Box::into_raw(Box::new(*action)), Release);
    }
}

#[allow(unsafe_code)]
fn before(signal: i32) -> Option<libc::sigaction> {
    let place = usize::try_from(signal).ok().and_then(|at| BEFORE.get(at))?;
    // SAFETY: what is in there is valid and never freed.
    unsafe { place.load(Relaxed).as_ref() }.copied()
}

#[allow(unsafe_code)]
fn by_default() -> libc::sigaction {
    // SAFETY: all zeros is a value of this C struct; and `SIG_DFL` is 0.
    unsafe { mem::zeroed() }
}

/// The action in force. The error is an `errno`.
#[allow(unsafe_code)]
fn in_force(signal: i32) -> Result<libc::sigaction, i32> {
    let mut action = by_default();
    // SAFETY: without a new action it only fills `action`.
    match unsafe { libc::sigaction(signal, ptr::null(), &mut action) } {
        0 => Ok(action),
        _ => Err(last_errno()),
    }
}

/// Sets an action and gives the one that was in force. The error is an `errno`.
#[allow(unsafe_code)]
fn set(signal: i32, action: &libc::sigaction) -> Result<libc::sigaction, i32> {
    let mut replaced = by_default();
    // SAFETY: the action is one of the program's, which was in force before, the
    // default one, or ours, whose handler has the type that its flags tell.
    match unsafe { libc::sigaction(signal, action, &mut replaced) } {
        0 => Ok(replaced),
        _ => Err(last_errno()),
    }
}

#[allow(unsafe_code)]
fn last_errno() -> i32 {
    // SAFETY: this thread's `errno`.
    unsafe { *libc::__errno_location() }
}
