//! asyncio's "Running blocking code", for tokio.
//!
//! [Python's page][page]: "Blocking (CPU-bound) code should not be called directly.
//! For example, if a function performs a CPU-intensive calculation for 1 second, all
//! concurrent asyncio tasks and IO operations would be delayed by 1 second. An
//! executor can be used to run a task in a different thread":
//!
//! ```python
//! blocking()                                   # delays everything
//! await loop.run_in_executor(None, blocking)   # does not
//! ```
//!
//! In debug mode asyncio logs every callback that takes longer than 100 ms
//! (`loop.slow_callback_duration`), and so does this crate with every poll. It blames
//! the innermost tracked future, here `handler`, and not the futures that await it, and
//! says on which line the thread was.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example running_blocking_code
//! called directly: other tasks ran not once
//! in spawn_blocking: other tasks ran all the time
//! $ cargo run --example running_blocking_code
//! called directly: other tasks ran not once
//! in spawn_blocking: other tasks ran all the time
//! $ ASYNC_DEBUG=1 cargo run --example running_blocking_code
//! called directly: other tasks ran not once
//! in spawn_blocking: other tasks ran all the time
//!  WARN debug_async::slow_poll: one poll of future `running_blocking_code::handler` took 500ms, computing: it blocked its thread (created at examples/asyncio/running_blocking_code.rs:81:5)
//!   blocked at running_blocking_code::blocking (examples/asyncio/running_blocking_code.rs:49:17), in `<std::time::Instant>::elapsed`
//!   polls 1, busy 500ms, age 500ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at running_blocking_code::blocking (examples/asyncio/running_blocking_code.rs:49:17)
//!     at running_blocking_code::handler (examples/asyncio/running_blocking_code.rs:57:5)
//!     at running_blocking_code::main (examples/asyncio/running_blocking_code.rs:81:15)
//!     at running_blocking_code::main (examples/asyncio/running_blocking_code.rs:77:10)
//!     (61 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A CPU-intensive calculation. It takes half a second: one that takes a whole one is
/// reported before it ends.
fn blocking() -> u64 {
    let start = Instant::now();
    let mut sum: u64 = 0;
    while start.elapsed() < Duration::from_millis(500) {
        sum = std::hint::black_box(sum.wrapping_add(1));
    }
    sum
}

#[debug_async::tracked]
async fn handler() -> u64 {
    blocking()
}

#[debug_async::tracked]
async fn polite_handler() -> u64 {
    let sum = debug_async::task::spawn_blocking(blocking).await;
    sum.expect("it does not panic")
}

static TICKS: AtomicU32 = AtomicU32::new(0);

/// Stands for all the other tasks of the program.
async fn tick() {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        TICKS.fetch_add(1, Relaxed);
    }
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    let others = debug_async::spawn!(tick());
    tokio::task::yield_now().await;

    handler().await; // BUG[debug]: slow_poll of running_blocking_code::handler
    println!("called directly: other tasks ran {}", times(&TICKS));

    polite_handler().await;
    println!("in spawn_blocking: other tasks ran {}", times(&TICKS));

    others.abort();
    let _ = others.await;
}

fn times(ticks: &AtomicU32) -> &'static str {
    match ticks.swap(0, Relaxed) {
        0 => "not once",
        1..5 => "hardly",
        _ => "all the time",
    }
}
