//! Tasks, as in [`tokio::task`]: the same names, signatures, bounds and panics.
//!
//! What is spawned here is tracked: `never_polled`, `unretrieved_error` and
//! `unretrieved_panic` in production, and in debug mode also what is found about
//! every [`TrackedFuture`](crate::future::TrackedFuture).
//!
//! `use debug_async::task;` stands in for `use tokio::task;`. What needs no
//! tracking is tokio's own.

mod abort_handle;
mod blocking;
#[cfg(all(tokio_unstable, feature = "tracing"))]
mod builder;
mod join_handle;
#[cfg(not(tokio_unstable))]
mod join_set;
#[cfg(tokio_unstable)]
#[cfg_attr(docsrs, doc(cfg(tokio_unstable)))]
pub mod join_set;
#[cfg(all(tokio_unstable, feature = "tracing"))]
mod join_set_builder;
mod local;
mod outcome;
mod spawn;
mod spawning;
mod tracked;

pub use self::abort_handle::AbortHandle;
#[cfg(feature = "rt-multi-thread")]
pub use self::blocking::block_in_place;
pub use self::blocking::spawn_blocking;
#[cfg(all(tokio_unstable, feature = "tracing"))]
#[cfg_attr(docsrs, doc(cfg(all(tokio_unstable, feature = "tracing"))))]
pub use self::builder::Builder;
pub use self::join_handle::JoinHandle;
#[doc(inline)]
pub use self::join_set::JoinSet;
pub use self::local::{LocalSet, spawn_local};
pub use self::spawn::spawn;

#[doc(no_inline)]
pub use tokio::task::{
    Id, JoinError, LocalEnterGuard, LocalKey, Unconstrained, consume_budget, coop, futures, id,
    try_id, unconstrained, yield_now,
};

pub(crate) use self::blocking::Call;
pub(crate) use self::local::local_task;
#[doc(hidden)]
pub use self::outcome::{ByDebug, ByType, Probe};
#[doc(hidden)]
pub use self::spawn::spawn_probed;
#[cfg(tokio_unstable)]
pub(crate) use self::spawning::was_wrapped;
pub(crate) use self::spawning::{On, Spawning};
pub(crate) use self::tracked::TrackedTask;
