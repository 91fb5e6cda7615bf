//! asyncio's debug mode, for tokio.

mod clock;
pub mod config;
mod detect;
pub mod future;
mod kind;
mod mode;
mod name;
mod notice;
mod observe;
mod panics;
mod record;
mod registry;
pub mod report;
pub mod runtime;
mod site;
mod stack;
pub mod task;

pub use crate::mode::{is_debug, set_debug, set_slow_poll};
pub use crate::report::flush;
pub use crate::task::spawn;
#[cfg(feature = "macros")]
pub use debug_async_macros::{main, test, tracked};

/// The traits behind `.tracked()`: `use debug_async::prelude::*;`.
pub mod prelude {
    pub use crate::future::TrackFuture as _;
}

/// What the macros of this crate expand to. Not for use by hand.
#[doc(hidden)]
pub mod __private;
