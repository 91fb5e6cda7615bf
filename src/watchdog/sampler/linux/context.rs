//! The registers of a thread at the moment when a signal interrupted it.

use crate::stack::unwind::native::Registers;

/// Reads them from what the system gives to a handler.
///
/// # Safety
///
/// `context` must be the third argument of a handler with `SA_SIGINFO`, which is
/// still running.
#[allow(unsafe_code)]
pub(super) unsafe fn registers(context: *const libc::c_void) -> Registers {
    // SAFETY: that argument points to a `ucontext_t`.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    of(machine)
}

#[cfg(target_arch = "x86_64")]
fn of(machine: &libc::mcontext_t) -> Registers {
    // The indices are constants within the array, so no check is left that could
    // fail.
    Registers {
        pc: machine.gregs[libc::REG_RIP as usize] as u64,
        sp: machine.gregs[libc::REG_RSP as usize] as u64,
        fp: machine.gregs[libc::REG_RBP as usize] as u64,
        lr: 0,
    }
}

#[cfg(target_arch = "aarch64")]
fn of(machine: &libc::mcontext_t) -> Registers {
    Registers {
        pc: machine.pc,
        sp: machine.sp,
        fp: machine.regs[29],
        lr: machine.regs[30],
    }
}
