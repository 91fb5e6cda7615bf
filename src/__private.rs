//! What the macros of this crate expand to.

use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;

pub use crate::__debug_async_spawn_seen as spawn_seen;
pub use crate::runtime::entry::{
    run_entry, run_entry_local, run_main, run_main_local, run_test, run_test_local,
};
pub use crate::task::spawn_probed;
pub use tokio;

use crate::future::TrackedFuture;
use crate::task::{ByDebug, ByType};

/// The future of an `async fn` with `#[tracked]`.
#[track_caller]
pub fn tracked_fn<F: Future>(future: F) -> TrackedFuture<F> {
    TrackedFuture::new(future, None, Location::caller())
}

/// The future of an `async fn` with `#[tracked(name = "…")]`.
#[track_caller]
pub fn tracked_fn_as<F: Future>(name: &str, future: F) -> TrackedFuture<F> {
    TrackedFuture::new(future, Some(name.to_owned()), Location::caller())
}

/// What a function evaluates to.
pub trait FnOutput {
    /// The type.
    type Output;
}

impl<T> FnOutput for fn() -> T {
    type Output = T;
}

/// The type `!`, which stable Rust can write as a return type only.
pub type Never = <fn() -> ! as FnOutput>::Output;

/// The type of a future's output, at hand for method resolution.
#[derive(Debug)]
pub struct OutputOf<T>(PhantomData<fn() -> T>);

impl<T> OutputOf<T> {
    /// That of this future.
    pub fn of<F: Future<Output = T>>(_: &F) -> OutputOf<T> {
        OutputOf(PhantomData)
    }
}

/// Found first by method resolution: the error can be printed.
pub trait SeenByDebug {
    /// How to look at the output.
    fn probe(&self) -> ByDebug {
        ByDebug
    }
}

impl<T, E: Debug> SeenByDebug for OutputOf<Result<T, E>> {}

/// Found one reference later: any output.
pub trait SeenByType {
    /// How to look at the output.
    fn probe(&self) -> ByType {
        ByType
    }
}

impl<T> SeenByType for &OutputOf<T> {}

/// Takes the present stack as a creation does; for the benchmark of it.
#[inline(never)]
pub fn capture() {
    std::hint::black_box(crate::stack::capture_always());
}
