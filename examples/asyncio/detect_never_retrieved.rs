//! asyncio's "Detect never-retrieved exceptions", for tokio.
//!
//! The program of [Python's page][page]:
//!
//! ```python
//! async def bug():
//!     raise Exception("not consumed")
//!
//! async def main():
//!     asyncio.create_task(bug())
//!
//! asyncio.run(main())
//! ```
//!
//! of which Python says `Task exception was never retrieved`, and in debug mode also
//! where the task was created.
//!
//! An exception is two things in Rust, and a task can lose either: the `Err` that it
//! returns, which tokio drops without a word, and the panic in it, whose message std
//! prints, but not whose task it was. The first is printed here by its own `Debug`,
//! as `spawn!` sees the type; in debug mode the stack is that of the spawn. The
//! second comes with the stack of the panic.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example detect_never_retrieved
//! thread 'main' (26591) panicked at examples/asyncio/detect_never_retrieved.rs:82:5:
//! not caught
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! main returns
//! $ cargo run --example detect_never_retrieved
//! ERROR debug_async::unretrieved_error: task `detect_never_retrieved::bug` failed and nobody looked: "not consumed" (spawned at examples/asyncio/detect_never_retrieved.rs:86:5)
//!   task 1
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/
//! thread 'main' (26592) panicked at examples/asyncio/detect_never_retrieved.rs:82:5:
//! not caught
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! ERROR debug_async::unretrieved_panic: task `detect_never_retrieved::worse_bug` panicked and nobody looked: not caught at examples/asyncio/detect_never_retrieved.rs:82:5 (spawned at examples/asyncio/detect_never_retrieved.rs:87:5)
//!   task 2
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_panic/
//! main returns
//! $ ASYNC_DEBUG=1 cargo run --example detect_never_retrieved
//! thread 'main' (26595) panicked at examples/asyncio/detect_never_retrieved.rs:82:5:
//! not caught
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! main returns
//! ERROR debug_async::unretrieved_error: task `detect_never_retrieved::bug` failed and nobody looked: "not consumed" (spawned at examples/asyncio/detect_never_retrieved.rs:86:5)
//!   task 1, polls 1, busy 6us, age 781us
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/
//!     at detect_never_retrieved::lose_them (examples/asyncio/detect_never_retrieved.rs:86:5)
//!     at detect_never_retrieved::main (examples/asyncio/detect_never_retrieved.rs:102:26)
//!     at detect_never_retrieved::main (examples/asyncio/detect_never_retrieved.rs:99:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ERROR debug_async::unretrieved_panic: task `detect_never_retrieved::worse_bug` panicked and nobody looked: not caught at examples/asyncio/detect_never_retrieved.rs:82:5 (spawned at examples/asyncio/detect_never_retrieved.rs:87:5)
//!   task 2, polls 1, busy 2ms, age 3ms
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_panic/
//!     at core::panicking::panic_fmt (/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/panicking.rs:80:14)
//!     at detect_never_retrieved::worse_bug (examples/asyncio/detect_never_retrieved.rs:82:5)
//!     at detect_never_retrieved::main (examples/asyncio/detect_never_retrieved.rs:99:10)
//!     (84 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Nothing is reported once somebody awaits the handle, or says with `detach()` that
//! nobody will:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example detect_never_retrieved -- fixed
//! retrieved: Err("not consumed")
//! thread 'main' (26808) panicked at examples/asyncio/detect_never_retrieved.rs:82:5:
//! not caught
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! retrieved: a panic, true
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#detect-never-retrieved-exceptions

async fn bug() -> Result<(), String> {
    Err("not consumed".to_owned())
}

async fn worse_bug() {
    panic!("not caught");
}

async fn lose_them() {
    debug_async::spawn!(bug()); // BUG[production, debug]: unretrieved_error of detect_never_retrieved::bug
    debug_async::spawn!(worse_bug()); // BUG[production, debug]: unretrieved_panic of detect_never_retrieved::worse_bug
}

async fn retrieve_them() {
    let error = debug_async::spawn!(bug()).await.expect("it does not panic");
    println!("retrieved: {error:?}");
    let panic = debug_async::spawn!(worse_bug()).await;
    println!("retrieved: a panic, {}", panic.is_err());
    debug_async::spawn!(bug()).detach();
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => retrieve_them().await,
        _ => lose_them().await,
    }
    // asyncio runs what is scheduled before it ends; tokio drops it. So give way
    // once, as `await asyncio.sleep(0)` does.
    tokio::task::yield_now().await;
    println!("main returns");
}
