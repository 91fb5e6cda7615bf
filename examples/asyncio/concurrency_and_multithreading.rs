//! asyncio's "Concurrency and multithreading", for tokio.
//!
//! [Python's page][page]: "Almost all asyncio objects are not thread safe." In Rust that
//! is the compiler's business: what is not `Send` does not get to another thread. The
//! page's advice has these counterparts:
//!
//! | Python's page                                 | here                                       |
//! |-----------------------------------------------|--------------------------------------------|
//! | `loop.call_soon_threadsafe(callback, *args)`  | `handle.spawn(async move { callback(args) })` |
//! | `loop.call_soon_threadsafe(fut.cancel)`       | `AbortHandle::abort`, from any thread      |
//! | `asyncio.run_coroutine_threadsafe(coro, loop)`| `runtime::run_threadsafe(&handle, future)` |
//! | `future.result(timeout)`                      | `result()`, `result_timeout(timeout)`      |
//! | signals: in the main thread only              | `tokio::signal`, in any                    |
//! | `loop.run_in_executor(None, f)`               | `task::spawn_blocking(f)`                  |
//!
//! What the compiler lets pass is waiting in the wrong place. `future.result()` on the
//! thread of the loop hangs in Python; here it is an error. tokio's own calls that
//! block (`blocking_send`, `Handle::block_on`) panic in a task, and a panic that nobody
//! awaits is reported with their line. And a future for a runtime that has shut down is
//! dropped, of which tokio tells only whoever awaits it.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example concurrency_and_multithreading
//! no result: waiting for the task would block the runtime that this thread runs: `.await` it, or wait on another thread, such as one of `spawn_blocking`
//! awaited: Ok(42)
//! thread 'main' (25582) panicked at examples/asyncio/concurrency_and_multithreading.rs:91:19:
//! Cannot block the current thread from within a runtime. This happens because a function attempted to block the current thread while the thread is being used to drive asynchronous tasks.
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! main returns
//! $ cargo run --example concurrency_and_multithreading
//! no result: waiting for the task would block the runtime that this thread runs: `.await` it, or wait on another thread, such as one of `spawn_blocking`
//! awaited: Ok(42)
//! thread 'main' (25586) panicked at examples/asyncio/concurrency_and_multithreading.rs:91:19:
//! Cannot block the current thread from within a runtime. This happens because a function attempted to block the current thread while the thread is being used to drive asynchronous tasks.
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! ERROR debug_async::unretrieved_panic: task `concurrency_and_multithreading::send` panicked and nobody looked: Cannot block the current thread from within a runtime. This happens because a function attempted to block the current thread while the thread is being used to drive asynchronous tasks. at examples/asyncio/concurrency_and_multithreading.rs:91:19 (spawned at examples/asyncio/concurrency_and_multithreading.rs:107:5)
//!   task 2
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_panic/
//! main returns
//!  WARN debug_async::never_polled: task `concurrency_and_multithreading::coro_func` was never polled: its runtime had shut down when it was spawned (spawned at examples/asyncio/concurrency_and_multithreading.rs:114:10)
//!   help: spawn it while the runtime runs; awaiting its handle gives a `JoinError` that is cancelled; `detach()` the handle if the task does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/
//! $ ASYNC_DEBUG=1 cargo run --example concurrency_and_multithreading
//! no result: waiting for the task would block the runtime that this thread runs: `.await` it, or wait on another thread, such as one of `spawn_blocking`
//! awaited: Ok(42)
//! thread 'main' (25597) panicked at examples/asyncio/concurrency_and_multithreading.rs:91:19:
//! Cannot block the current thread from within a runtime. This happens because a function attempted to block the current thread while the thread is being used to drive asynchronous tasks.
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! main returns
//! ERROR debug_async::unretrieved_panic: task `concurrency_and_multithreading::send` panicked and nobody looked: Cannot block the current thread from within a runtime. This happens because a function attempted to block the current thread while the thread is being used to drive asynchronous tasks. at examples/asyncio/concurrency_and_multithreading.rs:91:19 (spawned at examples/asyncio/concurrency_and_multithreading.rs:107:5)
//!   task 2, polls 1, busy 407us, age 681us
//!   help: await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_panic/
//!     at tokio::sync::mpsc::bounded::Sender<T>::blocking_send (/…/tokio-1.54.1/src/sync/mpsc/bounded.rs:1047:9)
//!     at concurrency_and_multithreading::send (examples/asyncio/concurrency_and_multithreading.rs:91:19)
//!     at concurrency_and_multithreading::main (examples/asyncio/concurrency_and_multithreading.rs:145:10)
//!     (89 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::never_polled: task `concurrency_and_multithreading::coro_func` was never polled: its runtime had shut down when it was spawned (spawned at examples/asyncio/concurrency_and_multithreading.rs:114:10)
//!   age 106us
//!   help: spawn it while the runtime runs; awaiting its handle gives a `JoinError` that is cancelled; `detach()` the handle if the task does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/
//!     at concurrency_and_multithreading::wrong (examples/asyncio/concurrency_and_multithreading.rs:114:10)
//!     at concurrency_and_multithreading::main (examples/asyncio/concurrency_and_multithreading.rs:148:22)
//!     at concurrency_and_multithreading::main (examples/asyncio/concurrency_and_multithreading.rs:145:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Done right:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example concurrency_and_multithreading -- fixed
//! result: Ok(42)
//! called on the runtime: true
//! received: Some(1)
//! cancelled: true
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading

use std::thread;
use std::time::Duration;

use debug_async::runtime::{Builder, Handle, run_threadsafe};
use debug_async::task;
use tokio::sync::mpsc::{Sender, channel};

async fn coro_func() -> u32 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    42
}

async fn send(queue: Sender<u32>) {
    let _ = queue.blocking_send(1);
}

async fn wrong() {
    let handle = Handle::current();

    // Waits for what only this thread can do.
    let mut future = run_threadsafe(&handle, coro_func());
    match future.result() {
        Ok(answer) => println!("result: {answer}"),
        Err(error) => println!("no result: {error}"),
    }
    println!("awaited: {:?}", future.await);

    // Blocks the thread that would empty the queue.
    let (queue, _received) = channel(1);
    debug_async::spawn!(send(queue)); // BUG[production, debug]: unretrieved_panic of concurrency_and_multithreading::send
    task::yield_now().await;

    // Comes too late.
    let other = Builder::new_multi_thread().build().expect("a runtime");
    let gone = other.handle().clone();
    other.shutdown_background();
    gone.spawn(coro_func()); // BUG[production, debug]: never_polled of concurrency_and_multithreading::coro_func
}

async fn fixed() {
    let handle = Handle::current();
    let (queue, mut received) = channel(1);
    let waits = task::spawn(std::future::pending::<()>());
    let abort = waits.abort_handle();

    let thread = thread::spawn(move || {
        // A coroutine, and its result.
        let result = run_threadsafe(&handle, coro_func()).result();
        println!("result: {result:?}");
        // A callback.
        let callback = || println!("called on the runtime: {}", Handle::try_current().is_ok());
        let called = run_threadsafe(&handle, async move { callback() }).result();
        called.expect("it does not panic");
        // What is thread safe is so anywhere, and here a queue may block.
        abort.abort();
        queue.blocking_send(1).expect("somebody receives");
    });
    println!("received: {:?}", received.recv().await);
    println!("cancelled: {}", waits.await.is_err());

    let joined = task::spawn_blocking(move || thread.join()).await;
    joined
        .expect("it does not panic")
        .expect("nor does the thread");
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => fixed().await,
        _ => wrong().await,
    }
    println!("main returns");
}
