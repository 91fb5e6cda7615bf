//! asyncio's "Logging", for tokio: as JSON, for a machine to read.
//!
//! A report is an event with fields (`name`, `site`, `task.id`, `count`, `error`, …), and
//! what a subscriber makes of it is the subscriber's business. With
//! `tracing_subscriber::fmt().json()` each is a line of JSON; the time is left out here:
//!
//! ```console
//! $ cargo run --example logging_json
//! main returns
//! {"level":"ERROR","fields":{"message":"task `logging_json::lost` failed and nobody looked: \"not consumed\" (spawned at examples/asyncio/logging_json.rs:50:9)","name":"logging_json::lost","site":"examples/asyncio/logging_json.rs:50:9","task.id":"1","count":1,"error":"\"not consumed\"","help":"await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"},"target":"debug_async::unretrieved_error"}
//! {"level":"WARN","fields":{"message":"future `logging_json::forgotten` was never polled, and was dropped (created at examples/asyncio/logging_json.rs:51:26)","name":"logging_json::forgotten","site":"examples/asyncio/logging_json.rs:51:26","count":1,"help":"a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/"},"target":"debug_async::never_polled"}
//! $ ASYNC_DEBUG=1 ASYNC_DEBUG_STACK=off cargo run --example logging_json
//! {"level":"ERROR","fields":{"message":"task `logging_json::lost` failed and nobody looked: \"not consumed\" (spawned at examples/asyncio/logging_json.rs:50:9)","name":"logging_json::lost","site":"examples/asyncio/logging_json.rs:50:9","task.id":"1","polls":1,"busy":"4us","age":"1ms","count":1,"error":"\"not consumed\"","help":"await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"},"target":"debug_async::unretrieved_error"}
//! main returns
//! {"level":"WARN","fields":{"message":"future `logging_json::forgotten` was never polled, and was dropped (created at examples/asyncio/logging_json.rs:51:26)","name":"logging_json::forgotten","site":"examples/asyncio/logging_json.rs:51:26","polls":0,"age":"19ms","count":1,"help":"a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/"},"target":"debug_async::never_polled"}
//! ```
//!
//! What somebody looks at, or says is not wanted, is not logged:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example logging_json -- fixed
//! Ok(Err("not consumed"))
//! main returns
//! ```

use tracing_subscriber::EnvFilter;

async fn lost() -> Result<(), String> {
    Err("not consumed".to_owned())
}

#[debug_async::tracked]
async fn forgotten() {}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    let filter = EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .json()
        .without_time()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .init();

    if std::env::args().nth(1).as_deref() == Some("fixed") {
        let looked_at = debug_async::spawn!(lost()).await;
        println!("{looked_at:?}");
        forgotten().await;
    } else {
        debug_async::spawn!(lost()); // BUG[production, debug]: unretrieved_error of logging_json::lost
        let _forgotten = forgotten(); // BUG[production, debug]: never_polled of logging_json::forgotten
        tokio::task::yield_now().await;
    }
    println!("main returns");
}
