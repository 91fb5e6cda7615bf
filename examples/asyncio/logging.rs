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
//! main returns
//! $ cargo run --example logging
//! main returns
//! 2026-11-22T22:22:27.820899Z ERROR debug_async::unretrieved_error: task `logging::lost` failed and nobody looked: "not consumed" (spawned at examples/asyncio/logging.rs:104:5) name="logging::lost" site="examples/asyncio/logging.rs:104:5" task.id=1 count=1 error="\"not consumed\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"
//! 2026-11-22T22:22:27.821003Z  INFO debug_async::pending_at_shutdown: 1 task was still pending at shutdown: task `logging::waiting` spawned at examples/asyncio/logging.rs:106:5 count=1 help="they were dropped where they stood: await their handles, or tell them to stop and wait for it, before main returns; see https://docs.rs/debug-async/latest/debug_async/findings/pending_at_shutdown/"
//! 2026-11-22T22:22:29.193484Z  WARN debug_async::never_polled: future `logging::forgotten` was never polled, and was dropped (created at examples/asyncio/logging.rs:105:22) name="logging::forgotten" site="examples/asyncio/logging.rs:105:22" count=1 help="a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/"
//! $ ASYNC_DEBUG=1 cargo run --example logging
//! main returns
//! 2026-11-22T22:22:30.344182Z ERROR debug_async::unretrieved_error: task `logging::lost` failed and nobody looked: "not consumed" (spawned at examples/asyncio/logging.rs:104:5) name="logging::lost" site="examples/asyncio/logging.rs:104:5" task.id=1 polls=1 busy=9us age=7ms count=1 error="\"not consumed\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging::main (examples/asyncio/logging.rs:104:5)
//!     at logging::main (examples/asyncio/logging.rs:95:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! 2026-11-22T22:22:30.348665Z  INFO debug_async::pending_at_shutdown: 1 task was still pending at shutdown: task `logging::waiting` (age 12ms, polls 1) spawned at examples/asyncio/logging.rs:106:5 count=1 help="they were dropped where they stood: await their handles, or tell them to stop and wait for it, before main returns; see https://docs.rs/debug-async/latest/debug_async/findings/pending_at_shutdown/"
//! 2026-11-22T22:22:30.404640Z  WARN debug_async::never_polled: future `logging::forgotten` was never polled, and was dropped (created at examples/asyncio/logging.rs:105:22) name="logging::forgotten" site="examples/asyncio/logging.rs:105:22" polls=0 age=8ms count=1 help="a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/" stack=
//!     at logging::forgotten (examples/asyncio/logging.rs:80:10)
//!     at logging::main (examples/asyncio/logging.rs:105:22)
//!     at logging::main (examples/asyncio/logging.rs:95:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! `setLevel(logging.WARNING)` leaves the summary at the end out:
//!
//! ```console
//! $ RUST_LOG=debug_async=warn cargo run --example logging
//! main returns
//! 2026-11-22T22:22:30.426687Z ERROR debug_async::unretrieved_error: task `logging::lost` failed and nobody looked: "not consumed" (spawned at examples/asyncio/logging.rs:104:5) name="logging::lost" site="examples/asyncio/logging.rs:104:5" task.id=1 count=1 error="\"not consumed\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"
//! 2026-11-22T22:22:31.693666Z  WARN debug_async::never_polled: future `logging::forgotten` was never polled, and was dropped (created at examples/asyncio/logging.rs:105:22) name="logging::forgotten" site="examples/asyncio/logging.rs:105:22" count=1 help="a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/"
//! ```
//!
//! `setLevel(logging.DEBUG)` adds what is good to know, and one kind can be switched
//! off:
//!
//! ```console
//! $ ASYNC_DEBUG=1 RUST_LOG=debug_async=debug,debug_async::never_polled=off cargo run --example logging
//! main returns
//! 2026-11-22T22:22:33.248334Z DEBUG debug_async::large_future: task `logging::large` is 20024 bytes large, spawned at examples/asyncio/logging.rs:107:17 name="logging::large" site="examples/asyncio/logging.rs:107:17" polls=0 age=168us count=1 help="it is moved as a whole: `Box::pin` the large future it awaits, or keep the large value it holds across an await on the heap; see https://docs.rs/debug-async/latest/debug_async/findings/large_future/" stack=
//!     at logging::main (examples/asyncio/logging.rs:107:17)
//!     at logging::main (examples/asyncio/logging.rs:95:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! 2026-11-22T22:22:33.251748Z ERROR debug_async::unretrieved_error: task `logging::lost` failed and nobody looked: "not consumed" (spawned at examples/asyncio/logging.rs:104:5) name="logging::lost" site="examples/asyncio/logging.rs:104:5" task.id=1 polls=1 busy=11us age=2ms count=1 error="\"not consumed\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging::main (examples/asyncio/logging.rs:104:5)
//!     at logging::main (examples/asyncio/logging.rs:95:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! 2026-11-22T22:22:33.251825Z  INFO debug_async::pending_at_shutdown: 1 task was still pending at shutdown: task `logging::waiting` (age 3ms, polls 1) spawned at examples/asyncio/logging.rs:106:5 count=1 help="they were dropped where they stood: await their handles, or tell them to stop and wait for it, before main returns; see https://docs.rs/debug-async/latest/debug_async/findings/pending_at_shutdown/"
//! ```
//!
//! Python's page warns that network logging can block the event loop. A subscriber
//! that blocks does not hold up a worker here, as far as reports go: they are made
//! on a thread of their own. `logging_non_blocking` has a file and the network,
//! `logging_json` JSON, `logging_one_subscriber` the application's own logs.
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
    let _forgotten = forgotten(); // BUG[production, debug]: never_polled of logging::forgotten
    debug_async::spawn!(waiting()); // BUG[production, debug]: pending_at_shutdown of logging::waiting
    let large = debug_async::spawn!(large()); // BUG[debug]: large_future of logging::large
    large.await.expect("it does not panic");

    println!("main returns");
}
