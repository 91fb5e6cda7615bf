//! tokio, with the names that `debug_async` has in place of tokio's.

pub use debug_async::{main, runtime, spawn, task, test};
pub use real::*;
