//! The registers from which a walk begins.

use framehop::UnwindRegsNative;

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
    // Return addresses may be signed, in the bits above the 48 of user space.
    let mask = framehop::aarch64::PtrAuthMask(u64::MAX >> 16);
    Here {
        pc,
        sp,
        registers: UnwindRegsNative::new_with_ptr_auth_mask(mask, lr, sp, fp),
    }
}
