//! The protocols of `debug_async`, run in every order that the memory model allows.
//!
//! It has the module as it is, and stands in for what that imports.

#![cfg(loom)]

#[path = "../../src/waker/mod.rs"]
mod waker;

mod clock {
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Tick;

    pub(crate) fn tick() -> Tick {
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
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Captured;

    pub(crate) fn capture_always() -> Captured {
        Captured
    }
}

#[cfg(test)]
mod models;
