//! What is done with a signal, and who did it before us.
//!
//! All of this may run in a handler but for [`Before::remember`].

use std::mem;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// A handler that wants to know of the signal all there is.
pub(crate) type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// What handled a signal before us.
///
/// Null: the default action. What is put in here is never freed, as a handler may be
/// looking at it.
#[derive(Debug)]
pub(crate) struct Before(AtomicPtr<libc::sigaction>);

impl Before {
    pub(crate) const fn new() -> Before {
        Before(AtomicPtr::new(ptr::null_mut()))
    }

    /// Allocates, unless that is what is remembered: a process may begin and end a
    /// thousand runtimes.
    pub(crate) fn remember(&self, action: &libc::sigaction) {
        if !self.get().is_some_and(|known| is_same(&known, action)) {
            self.0.store(Box::into_raw(Box::new(*action)), Release);
        }
    }

    #[allow(unsafe_code)]
    pub(crate) fn get(&self) -> Option<libc::sigaction> {
        // SAFETY: what is in there is valid and never freed.
        unsafe { self.0.load(Relaxed).as_ref() }.copied()
    }

    /// Does what would have been done with a signal that is not ours.
    ///
    /// # Safety
    ///
    /// The arguments must be those of a handler with `SA_SIGINFO`.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn hand_on(
        &self,
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        let mut action = self.0.load(Acquire);
        // SAFETY: what is in there is valid and never freed.
        let once = !action.is_null() && unsafe { (*action).sa_flags } & libc::SA_RESETHAND != 0;
        if once && self.0.swap(ptr::null_mut(), AcqRel).is_null() {
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
                // SAFETY: system calls, which are allowed here, as `sigaction` is.
                unsafe {
                    let thread = libc::syscall(libc::SYS_gettid);
                    libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal);
                }
            }
            _ if flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: the program gave this address as that of such a handler.
                let function = unsafe { mem::transmute::<usize, Handler>(function) };
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
}

/// An action of ours: the thread goes on with the system call that it is in, and a small
/// stack is not asked for more if there is an alternate one. If there is a handler of
/// the program's, it runs within ours, and is as alone as it was.
#[allow(unsafe_code)]
pub(crate) fn ours(handler: Handler, before: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all zeros is a value of this C struct.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    if is_function(before) {
        action.sa_mask = before.sa_mask;
        action.sa_flags |= before.sa_flags & libc::SA_NODEFER;
    }
    action
}

pub(crate) fn is_ignored_by_default(signal: i32) -> bool {
    signal == libc::SIGURG || signal == libc::SIGWINCH
}

pub(crate) fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

fn is_same(one: &libc::sigaction, other: &libc::sigaction) -> bool {
    let what = |action: &libc::sigaction| (action.sa_sigaction, action.sa_flags);
    what(one) == what(other)
        && (1..=libc::SIGRTMAX()).all(|signal| holds_back(one, signal) == holds_back(other, signal))
}

/// Whether a signal has to wait while the action's handler runs.
#[allow(unsafe_code)]
fn holds_back(action: &libc::sigaction, signal: i32) -> bool {
    // SAFETY: the set is that of an action, which is initialised.
    unsafe { libc::sigismember(&action.sa_mask, signal) == 1 }
}

#[allow(unsafe_code)]
pub(crate) fn by_default() -> libc::sigaction {
    // SAFETY: all zeros is a value of this C struct; and `SIG_DFL` is 0.
    unsafe { mem::zeroed() }
}

/// The action in force. The error is an `errno`.
#[allow(unsafe_code)]
pub(crate) fn in_force(signal: i32) -> Result<libc::sigaction, i32> {
    let mut action = by_default();
    // SAFETY: without a new action it only fills `action`.
    match unsafe { libc::sigaction(signal, ptr::null(), &mut action) } {
        0 => Ok(action),
        _ => Err(last_errno()),
    }
}

/// Sets an action and gives the one that was in force. The error is an `errno`.
#[allow(unsafe_code)]
pub(crate) fn set(signal: i32, action: &libc::sigaction) -> Result<libc::sigaction, i32> {
    let mut replaced = by_default();
    // SAFETY: the action is one of the program's, which was in force before, the
    // default one, or ours, whose handler has the type that its flags tell.
    match unsafe { libc::sigaction(signal, action, &mut replaced) } {
        0 => Ok(replaced),
        _ => Err(last_errno()),
    }
}

#[allow(unsafe_code)]
pub(crate) fn last_errno() -> i32 {
    // SAFETY: this thread's `errno`.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_not_remembered_again() {
        let before = Before::new();
        let mut action = by_default();
        before.remember(&action);
        let first = before.0.load(Relaxed);
        before.remember(&action);
        assert_eq!(before.0.load(Relaxed), first);
        #[allow(unsafe_code)]
        // SAFETY: the set is initialised.
        unsafe {
            libc::sigaddset(&mut action.sa_mask, libc::SIGUSR1);
        }
        before.remember(&action);
        assert_ne!(before.0.load(Relaxed), first);
        assert!(before.get().is_some_and(|known| is_same(&known, &action)));
    }
}
