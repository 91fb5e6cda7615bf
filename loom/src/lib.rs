//! The protocols of `debug_async`, run in every order that the memory model allows.
//!
//! It has the module as it is, and stands in for what that imports.

#![cfg(loom)]
// What is for the rest of the crate is not used here.
#![allow(dead_code, unused_imports)]

#[path = "../../src/waker/mod.rs"]
mod waker;

mod clock {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Tick;

    pub(crate) fn tick() -> Tick {
        Tick
    }

    pub(crate) fn coarse_tick() -> Tick {
        Tick
    }

    #[derive(Debug)]
    pub(crate) struct AtomicTick;

    impl AtomicTick {
        pub(crate) const fn new() -> AtomicTick {
            AtomicTick
        }

        pub(crate) fn store(&self, _: Tick) {}

        pub(crate) fn load(&self) -> Option<Tick> {
            Some(Tick)
        }
    }
}

mod stack {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Captured(bool);

    impl Captured {
        pub(crate) const NONE: Captured = Captured(false);
    }

    pub(crate) fn capture_always() -> Captured {
        Captured(true)
    }
}

#[cfg(test)]
mod models;
