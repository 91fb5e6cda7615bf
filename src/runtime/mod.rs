//! Runtimes, as in [`tokio::runtime`], each with a debug switch of its own.
//!
//! ```
//! use debug_async::runtime::Builder;
//!
//! let runtime = Builder::new_current_thread().enable_all().debug(true).build()?;
//! let answer = runtime.block_on(async { debug_async::spawn!(async { 42 }).await });
//! assert_eq!(answer.unwrap(), 42);
//! # Ok::<(), std::io::Error>(())
//! ```

mod builder;
pub(crate) mod entry;
mod handle;
#[cfg(tokio_unstable)]
mod hooks;
mod local;
mod owned;
#[allow(clippy::module_inception)]
mod runtime;
mod snapshot;
mod threadsafe;
mod time_limit;

pub use self::builder::Builder;
pub use self::handle::{EnterGuard, Handle};
pub use self::local::LocalRuntime;
pub use self::runtime::Runtime;
pub use self::snapshot::{Snapshot, Worker, WorkerState};
pub use self::threadsafe::{Panic, RemoteError, RemoteHandle, run_threadsafe};

#[cfg(tokio_unstable)]
#[cfg_attr(docsrs, doc(cfg(tokio_unstable)))]
#[doc(no_inline)]
pub use tokio::runtime::TaskMeta;
#[doc(no_inline)]
pub use tokio::runtime::{
    Id, LocalOptions, RuntimeFlavor, RuntimeMetrics, TryCurrentError, is_rt_shutdown_err,
    worker_index,
};
