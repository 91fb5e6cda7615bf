//! The whole idea on one screen: a program with four mistakes, none of which
//! stops it, and what the debug mode says about each.
//!
//! It forgets to await a future, loses an error, loses a panic, and blocks a
//! worker. Run it:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example quickstart
//! ```
//!
//! Reports go through `tracing`. This program installs no subscriber, so they are
//! printed to stderr: a report is never lost in silence.

use std::time::Duration;

use debug_async::prelude::*;

#[derive(Debug)]
enum FetchError {
    NotFound,
}

#[debug_async::tracked] // an async fn whose futures are tracked
async fn fetch(id: u32) -> Result<String, FetchError> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    match id {
        1 => Ok("one".to_owned()),
        _ => Err(FetchError::NotFound),
    }
}

async fn parse(line: &str) -> u32 {
    line.parse().expect("a line holds a number")
}

fn expensive() {
    std::thread::sleep(Duration::from_millis(150)); // stands for a computation
}

#[debug_async::main] // `#[tokio::main]`, with the debug mode in it
async fn main() {
    let _forgotten = fetch(1); // BUG[production, debug]: never_polled of quickstart::fetch
    debug_async::spawn!(fetch(2)); // BUG[production, debug]: unretrieved_error of quickstart::fetch
    debug_async::spawn!(parse("?")); // BUG[production, debug]: unretrieved_panic of quickstart::parse
    debug_async::spawn!(name = "hasher", async { expensive() }); // BUG[debug]: slow_poll of hasher

    // Any future can be tracked, wherever it comes from; this one is fine.
    tokio::time::sleep(Duration::from_millis(500))
        .tracked()
        .await;
    println!("done");
}
