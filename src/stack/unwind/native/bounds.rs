//! How far this thread's stack reaches, and reading it.

use std::mem::MaybeUninit;
use std::ops::Range;

/// The addresses of this thread's stack, if the system tells.
///
/// Dear on the main thread (it reads `/proc/self/maps`): to be asked for once.
#[allow(unsafe_code)]
pub(crate) fn of_this_thread() -> Option<Range<u64>> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_getattr_np` may be asked for the calling thread at any
    // time. It fills the attributes if it returns 0, and only then are they read;
    // they are destroyed once, after the last use.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let mut low = std::ptr::null_mut();
        let mut size = 0;
        let failed = libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        let low = low.addr() as u64;
        (failed == 0).then(|| low..low + size as u64)
    }
}

/// The part of this thread's stack that is in use.
pub(super) struct Used {
    start: u64,
    words: u64,
}

impl Used {
    /// From the stack pointer of a function that is running on this thread up to
    /// the end; nothing if it is not on `stack`.
    ///
    /// # Safety
    ///
    /// `stack` must be what [`of_this_thread`] gave on this thread, and a function
    /// whose stack pointer is `sp` must be running for as long as this is used.
    #[allow(unsafe_code)]
    pub(super) unsafe fn new(stack: &Range<u64>, sp: u64) -> Option<Used> {
        let start = sp.checked_next_multiple_of(8)?;
        stack.contains(&sp).then_some(Used {
            start,
            words: stack.end.saturating_sub(start) / 8,
        })
    }

    /// The word at an address, if it is in there.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn read(&self, address: u64) -> Result<u64, ()> {
        // The number of the word; of an address that is below the start or not
        // aligned, it has upper bits that make it too large. One comparison for
        // three: this runs twice a frame.
        if address.wrapping_sub(self.start).rotate_right(3) >= self.words {
            return Err(());
        }
        // SAFETY: between the stack pointer of a running function and the end of
        // its thread's stack, memory is mapped and readable (see `new`), and the
        // word is aligned. Nobody else writes there; what it holds may be any
        // value of any type, which is why it is read as volatile bytes of ours.
        Ok(unsafe { std::ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_within_are_read() {
        let words: [u64; 4] = std::hint::black_box([10, 11, 12, 13]);
        let start = words.as_ptr().expose_provenance() as u64;
        let end = start + 32;
        // SAFETY: the words are on this thread's stack and outlive this.
        #[allow(unsafe_code)]
        let used = unsafe { Used::new(&(start..end), start) }.expect("within");
        assert_eq!(used.read(start), Ok(10));
        assert_eq!(used.read(end - 8), Ok(13));
        for outside in [start - 8, end, end + 8, 0, 8, u64::MAX, u64::MAX - 7] {
            assert_eq!(used.read(outside), Err(()), "{outside:x}");
        }
        for crooked in 1..8 {
            assert_eq!(used.read(start + crooked), Err(()), "{crooked}");
            assert_eq!(used.read(end - crooked), Err(()), "{crooked}");
        }
    }
}
