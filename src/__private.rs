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

/// Found first by method resolution.
///
/// Of an output that is not known yet, as that of a loop without an end, it is found too. So
/// it holds for what such a type falls back to: `()`, or `!` from edition 2024 on.
#[diagnostic::on_unimplemented(
    message = "`spawn!` does not know the type of the task's output yet",
    label = "its type follows only from what comes later",
    note = "use the function `debug_async::spawn`, or write the type where the future is made"
)]
pub trait SeenFirst {
    /// How to look at the output.
    type Probe;

    /// The same, as a value.
    fn probe(&self) -> Self::Probe;
}

/// The error can be printed.
impl<T, E: Debug> SeenFirst for OutputOf<Result<T, E>> {
    type Probe = ByDebug;

    fn probe(&self) -> ByDebug {
        ByDebug
    }
}

impl SeenFirst for OutputOf<()> {
    type Probe = ByType;

    fn probe(&self) -> ByType {
        ByType
    }
}

impl SeenFirst for OutputOf<Never> {
    type Probe = ByType;

    fn probe(&self) -> ByType {
        ByType
    }
}

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
