//! What `debug_async` costs, beside bare tokio and its peers.
//!
//! `README.md` says what each part measures and how to read it. The parts are
//! modules of this library; `src/bin/` holds the two commands over them.

pub mod arms;
pub mod asyncio;
pub mod capture;
pub mod child;
pub mod instructions;
pub mod loops;
pub mod machine;
pub mod memory;
pub mod overhead;
pub mod profile;
pub mod results;
pub mod server;
pub mod stats;
