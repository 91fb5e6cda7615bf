//! asyncio's "Logging", for tokio.
//!
//! [Python's page][page]: asyncio logs through the logger `"asyncio"`, whose level is
//! `INFO` and can be changed:
//!
//! ```python
//! logging.getLogger("asyncio").setLevel(logging.WARNING)
//! ```
//!
//! This crate reports through `tracing`, with a target for each kind of finding:
//! `debug_async::never_polled`, `debug_async::slow_poll`, and so on. So one filter sets
//! the level of all of them, or of one. With the subscriber of the program below,
//! whose level is `INFO`:
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example logging
//! $ cargo run --example logging
//! $ ASYNC_DEBUG=1 cargo run --example logging
//! ```
//!
//! `setLevel(logging.WARNING)` leaves the summary at the end out:
//!
//! ```console
//! $ RUST_LOG=debug_async=warn cargo run --example logging
//! ```
//!
//! `setLevel(logging.DEBUG)` adds what is good to know, and one kind can be switched
//! off:
//!
//! ```console
//! $ ASYNC_DEBUG=1 RUST_LOG=debug_async=debug,debug_async::never_polled=off cargo run --example logging
//! ```
//!
//! Python's page warns that network logging can block the event loop. A subscriber
//! that blocks does not hold up a worker here, as far as reports go: they are made
//! on a thread of their own.
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#logging

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// ERROR: nobody looks at what this returns.
async fn lost() -> Result<(), String> {
    Err("not consumed".to_owned())
}

/// WARN: nobody awaits this.
#[debug_async::tracked]
async fn forgotten() {}

/// INFO: this is still waiting when main returns.
async fn waiting() {
    std::future::pending::<()>().await;
}

/// DEBUG: this is moved around with 20 kB in it.
async fn large() {
    let mut buffer = [0u8; 20_000];
    tokio::task::yield_now().await;
    buffer.fill(1);
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    debug_async::spawn!(lost()); // BUG[production, debug]: unretrieved_error of logging::lost
    let _ = forgotten(); // BUG[production, debug]: never_polled of logging::forgotten
    debug_async::spawn!(waiting()); // BUG[production, debug]: pending_at_shutdown of logging::waiting
    let large = debug_async::spawn!(large()); // BUG[debug]: large_future of logging::large
    large.await.expect("it does not panic");

    println!("main returns");
}
