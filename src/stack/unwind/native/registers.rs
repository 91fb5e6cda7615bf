//! The registers from which a walk begins.

use framehop::UnwindRegsNative;

/// What a walk needs of a thread's registers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) fp: u64,
    /// The return address, where a register has it.
    #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
    pub(crate) lr: u64,
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    pub(super) fn native(&self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.pc, self.sp, self.fp)
    }

    #[cfg(target_arch = "aarch64")]
    pub(super) fn native(&self) -> UnwindRegsNative {
        UnwindRegsNative::new_with_ptr_auth_mask(MASK, self.lr, self.sp, self.fp)
    }
}

/// Return addresses may be signed, in the bits above the 48 of user space.
#[cfg(target_arch = "aarch64")]
const MASK: framehop::aarch64::PtrAuthMask = framehop::aarch64::PtrAuthMask(u64::MAX >> 16);

/// Where the program is, and its registers there.
pub(super) struct Here {
    pub(super) pc: u64,
    pub(super) sp: u64,
    pub(super) registers: UnwindRegsNative,
}

/// Reads them. Always inlined: they are those of the function that calls this,
/// which must not return before the walk is done.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn here() -> Here {
    let (pc, sp, bp): (u64, u64, u64);
    // SAFETY: reads three registers into three others. It touches no memory, no
    // stack and no flags.
    unsafe {
        std::arch::asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {bp}, rbp",
            pc = lateout(reg) pc,
            sp = lateout(reg) sp,
            bp = lateout(reg) bp,
            options(nomem, nostack, preserves_flags),
        );
    }
    Here {
        pc,
        sp,
        registers: UnwindRegsNative::new(pc, sp, bp),
    }
}

/// Reads them. Always inlined: they are those of the function that calls this,
/// which must not return before the walk is done.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn here() -> Here {
    let (pc, sp, fp, lr): (u64, u64, u64, u64);
    // SAFETY: reads four registers into four others. It touches no memory, no
    // stack and no flags.
    unsafe {
        std::arch::asm!(
            "mov {lr}, x30",
            "adr {pc}, .",
            "mov {sp}, sp",
            "mov {fp}, x29",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            lr = out(reg) lr,
            options(nomem, nostack, preserves_flags),
        );
    }
    Here {
        pc,
        sp,
        registers: UnwindRegsNative::new_with_ptr_auth_mask(MASK, lr, sp, fp),
    }
}
