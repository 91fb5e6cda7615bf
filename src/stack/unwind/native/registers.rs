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
    pub(super) fp: u64,
}

/// Reads them. Always inlined: they are those of the function that calls this,
/// which must not return before the walk is done.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn here() -> Here {
    let (pc, sp, fp): (u64, u64, u64);
    // SAFETY: reads three registers into three others. It touches no memory, no
    // stack and no flags.
    unsafe {
        std::arch::asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {fp}, rbp",
            pc = lateout(reg) pc,
            sp = lateout(reg) sp,
            fp = lateout(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    Here { pc, sp, fp }
}

/// Reads them. Always inlined: they are those of the function that calls this,
/// which must not return before the walk is done.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn here() -> Here {
    let (pc, sp, fp): (u64, u64, u64);
    // SAFETY: reads three registers into three others. It touches no memory, no
    // stack and no flags.
    unsafe {
        std::arch::asm!(
            "adr {pc}, .",
            "mov {sp}, sp",
            "mov {fp}, x29",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    Here { pc, sp, fp }
}

/// The registers of a frame, for `framehop`. The link register is not known: no
/// frame of a walk needs it, since each is that of a function that called another.
pub(super) fn of_frame(pc: u64, sp: u64, fp: u64) -> UnwindRegsNative {
    Registers { pc, sp, fp, lr: 0 }.native()
}

#[cfg(target_arch = "x86_64")]
pub(super) fn fp_of(registers: &UnwindRegsNative) -> u64 {
    registers.bp()
}

#[cfg(target_arch = "aarch64")]
pub(super) fn fp_of(registers: &UnwindRegsNative) -> u64 {
    registers.fp()
}

/// The address in a word that a call has saved. On aarch64 it may be signed, in
/// the bits above the 48 of user space.
#[inline]
pub(super) fn return_address(word: u64) -> u64 {
    if cfg!(target_arch = "aarch64") {
        word & (u64::MAX >> 16)
    } else {
        word
    }
}

/// Whether a frame pointer that was saved can be the one of the caller of a frame
/// that is reckoned from `fp`. On x86-64 it may be any value: the caller may use the
/// register for something else.
#[inline]
pub(super) fn may_be_around(fp: u64, saved: u64) -> bool {
    !cfg!(target_arch = "aarch64") || saved > fp
}
