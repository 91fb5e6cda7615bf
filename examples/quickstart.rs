//! The whole idea on one screen: a program with four mistakes, none of which
//! stops it, and what the debug mode says about each.
//!
//! It forgets to await a future, loses an error, loses a panic, and blocks a
//! worker:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example quickstart
//! thread 'tokio-rt-worker' (29389) panicked at examples/quickstart.rs:66:18:
//! a line holds a number: ParseIntError { kind: InvalidDigit }
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! done
//! ERROR debug_async::unretrieved_panic: task `quickstart::parse` panicked and nobody looked: a line holds a number: ParseIntError { kind: InvalidDigit } at examples/quickstart.rs:66:18 (spawned at examples/quickstart.rs:77:5)
//!   task 4, polls 1, busy 2ms, age 3ms
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_panic/
//!     at core::result::Result<T,E>::expect (/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/result.rs:1185:23)
//!     at quickstart::parse (examples/quickstart.rs:66:18)
//!     (93 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ERROR debug_async::unretrieved_error: task `quickstart::fetch` failed and nobody looked: NotFound (spawned at examples/quickstart.rs:76:5)
//!   task 3, polls 2, busy 4ms, age 7ms
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/
//!     at quickstart::main (examples/quickstart.rs:76:5)
//!     at quickstart::main (examples/quickstart.rs:74:10)
//!     (55 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of task `hasher` took 150ms, waiting: it blocked its thread (spawned at examples/quickstart.rs:78:5)
//!   blocked at quickstart::expensive (examples/quickstart.rs:70:5), in `std::thread::functions::sleep`
//!   task 5, polls 1, busy 150ms, age 151ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at quickstart::expensive (examples/quickstart.rs:70:5)
//!     at quickstart::main (examples/quickstart.rs:78:50)
//!     (82 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::never_polled: future `quickstart::fetch` was never polled, and was dropped (created at examples/quickstart.rs:75:22)
//!   age 512ms
//!   help: a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/
//!     at quickstart::fetch (examples/quickstart.rs:57:10)
//!     at quickstart::main (examples/quickstart.rs:75:22)
//!     at quickstart::main (examples/quickstart.rs:74:10)
//!     (55 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Without the variable it runs in production mode, where the first three are still
//! found, without stacks. With `ASYNC_DEBUG=off` nothing is.
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

    // Any future can be tracked, wherever it comes from. This one is fine.
    let rest = tokio::time::sleep(Duration::from_millis(500));
    rest.tracked().await;
    println!("done");
}
