//! asyncio's "Logging", for tokio: one subscriber for the logs of the application and the
//! reports.
//!
//! In Python they are two loggers, the application's and `"asyncio"`, with a level and
//! handlers each. Here they are targets of one subscriber: a layer for each, with a
//! filter of its own, and either may go elsewhere. In debug mode a report is in the span
//! in which the future or task was created, so it has the fields of the request.
//!
//! ```console
//! $ cargo run --example logging_one_subscriber
//!  INFO request{id=7}: order paid
//! main returns
//! ERROR debug_async::unretrieved_error: task `logging_one_subscriber::receipt` failed and nobody looked: "order 7 has no address" (spawned at examples/asyncio/logging_one_subscriber.rs:43:19) name="logging_one_subscriber::receipt" site="examples/asyncio/logging_one_subscriber.rs:43:19" task.id=1 count=1 error="\"order 7 has no address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"
//! $ ASYNC_DEBUG=1 cargo run --example logging_one_subscriber
//!  INFO request{id=7}: order paid
//! main returns
//! ERROR request{id=7}: debug_async::unretrieved_error: task `logging_one_subscriber::receipt` failed and nobody looked: "order 7 has no address" (spawned at examples/asyncio/logging_one_subscriber.rs:43:19) name="logging_one_subscriber::receipt" site="examples/asyncio/logging_one_subscriber.rs:43:19" task.id=1 polls=1 busy=3us age=669us count=1 error="\"order 7 has no address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging_one_subscriber::request (examples/asyncio/logging_one_subscriber.rs:43:19)
//!     at logging_one_subscriber::main (examples/asyncio/logging_one_subscriber.rs:72:10)
//!     at logging_one_subscriber::main (examples/asyncio/logging_one_subscriber.rs:50:10)
//!     (65 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Done right, only the application speaks:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example logging_one_subscriber -- fixed
//!  INFO request{id=7}: order paid
//!  INFO request{id=7}: no receipt error="order 7 has no address"
//! main returns
//! ```

use tracing::{Instrument, Level, info, info_span};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::prelude::*;

async fn receipt(order: u32) -> Result<(), String> {
    Err(format!("order {order} has no address"))
}

async fn request(fixed: bool) {
    info!("order paid");
    let receipt = debug_async::spawn!(receipt(7)); // BUG[production, debug]: unretrieved_error of logging_one_subscriber::receipt
    if fixed && let Ok(Err(error)) = receipt.await {
        info!(error, "no receipt");
    }
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    let application = tracing_subscriber::fmt::layer()
        .without_time()
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_filter(Targets::new().with_target("logging_one_subscriber", Level::INFO));
    let reports = tracing_subscriber::fmt::layer()
        .without_time()
        .with_writer(std::io::stderr)
        // Spans of every target: a report is to have those around it.
        .with_filter(filter_fn(|metadata| {
            let is_report = metadata.target().starts_with("debug_async::");
            metadata.is_span() || is_report && *metadata.level() <= Level::WARN
        }));
    tracing_subscriber::registry()
        .with(application)
        .with(reports)
        .init();

    let fixed = std::env::args().nth(1).as_deref() == Some("fixed");
    request(fixed)
        .instrument(info_span!("request", id = 7))
        .await;
    tokio::task::yield_now().await;
    println!("main returns");
}
