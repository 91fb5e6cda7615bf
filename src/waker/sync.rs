//! The primitives of this module: std's, or loom's when its tests are built.

#[cfg(not(loom))]
pub(super) use self::standard::*;
#[cfg(not(loom))]
mod standard {
    pub(in crate::waker) use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};
    pub(in crate::waker) use std::sync::{Arc, Mutex, MutexGuard};
    pub(in crate::waker) use std::thread::yield_now;

    /// A cell that is read and written through pointers, as loom's is.
    #[derive(Debug, Default)]
    pub(in crate::waker) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(in crate::waker) const fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(in crate::waker) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline]
        pub(in crate::waker) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
pub(super) use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize},
    sync::{Arc, Mutex, MutexGuard},
    thread::yield_now,
};
