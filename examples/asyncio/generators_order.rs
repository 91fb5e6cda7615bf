//! asyncio's "Close asynchronous generators explicitly", for tokio: the second half.
//!
//! The program of [Python's page][page]:
//!
//! ```python
//! work_done = False
//!
//! async def cursor():
//!     try:
//!         yield 1
//!     finally:
//!         assert work_done
//!
//! async def rows():
//!     global work_done
//!     try:
//!         yield 2
//!     finally:
//!         await asyncio.sleep(0.1) # imitate some async work
//!         work_done = True
//!
//! async def main():
//!     async for c in cursor():
//!         async for r in rows():
//!             break
//!         break
//!
//! asyncio.run(main())
//! ```
//!
//! of which Python says `unhandled exception during asyncio.run() shutdown`, with an
//! `AssertionError`: the cursor was finalized before the rows.
//!
//! It comes to the same here. Each of the two cleanups is handed to a task of its own, and
//! that of the cursor does not wait for that of the rows. Its panic is `cleanup_failed`,
//! which production reports too; debug mode says besides why it came to that.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example generators_order
//! main returns
//! thread 'main' (27424) panicked at examples/asyncio/generators_order.rs:112:9:
//! the rows are not done
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! rows closed
//! $ cargo run --example generators_order
//! main returns
//! thread 'main' (27429) panicked at examples/asyncio/generators_order.rs:112:9:
//! the rows are not done
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! ERROR debug_async::cleanup_failed: the cleanup of stream `generators_order::cursor` panicked: the rows are not done at examples/asyncio/generators_order.rs:112:9 (created at examples/asyncio/generators_order.rs:110:23)
//!   help: `close().await` the stream where the error can be handled; see https://docs.rs/debug-async/latest/debug_async/findings/cleanup_failed/
//! rows closed
//! $ ASYNC_DEBUG=1 cargo run --example generators_order
//! main returns
//! thread 'main' (27435) panicked at examples/asyncio/generators_order.rs:112:9:
//! the rows are not done
//! note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
//! rows closed
//!  WARN debug_async::stream_not_closed: stream `generators_order::rows` was dropped before it ended or was closed; its cleanup runs later (created at examples/asyncio/generators_order.rs:119:23)
//!   polls 1, items 1, busy 1us, age 469us
//!   help: a task of its own runs the cleanup, after what comes next here: `close().await` the stream, iterate over it within `aclosing(stream, async |s| …).await`, which closes it on every way out, or `.discard()` it if the order does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/stream_not_closed/
//!     at generators_order::rows (examples/asyncio/generators_order.rs:119:23)
//!     at generators_order::leave_them (examples/asyncio/generators_order.rs:130:33)
//!     at generators_order::main (examples/asyncio/generators_order.rs:157:27)
//!     at generators_order::main (examples/asyncio/generators_order.rs:154:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::stream_not_closed: stream `generators_order::cursor` was dropped before it ended or was closed; its cleanup runs later (created at examples/asyncio/generators_order.rs:110:23)
//!   polls 1, items 1, busy 5us, age 981us
//!   help: a task of its own runs the cleanup, after what comes next here: `close().await` the stream, iterate over it within `aclosing(stream, async |s| …).await`, which closes it on every way out, or `.discard()` it if the order does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/stream_not_closed/
//!     at generators_order::cursor (examples/asyncio/generators_order.rs:110:23)
//!     at generators_order::leave_them (examples/asyncio/generators_order.rs:128:31)
//!     at generators_order::main (examples/asyncio/generators_order.rs:157:27)
//!     at generators_order::main (examples/asyncio/generators_order.rs:154:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ERROR debug_async::cleanup_failed: the cleanup of stream `generators_order::cursor` panicked: the rows are not done at examples/asyncio/generators_order.rs:112:9 (created at examples/asyncio/generators_order.rs:110:23)
//!   polls 1, items 1, busy 5us, age 2ms
//!   help: `close().await` the stream where the error can be handled; see https://docs.rs/debug-async/latest/debug_async/findings/cleanup_failed/
//!     at core::panicking::panic_fmt (/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/panicking.rs:80:14)
//!     at generators_order::cursor (examples/asyncio/generators_order.rs:112:9)
//!     at generators_order::main (examples/asyncio/generators_order.rs:154:10)
//!     (109 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Closed explicitly, the inner comes before the outer:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example generators_order -- fixed
//! rows closed
//! cursor closed
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#close-asynchronous-generators-explicitly

// The loops are the page's.
#![allow(clippy::never_loop)]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::{ClosingStream, aclosing};
use futures::{Stream, StreamExt as _};

static WORK_DONE: AtomicBool = AtomicBool::new(false);

fn cursor() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let items = stream! { yield 1 };
    let items = items.tracked(); // BUG: stream_not_closed of generators_order::cursor // BUG[production, debug]: cleanup_failed of generators_order::cursor
    items.on_close(async {
        assert!(WORK_DONE.load(Relaxed), "the rows are not done");
        println!("cursor closed");
    })
}

fn rows() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let items = stream! { yield 2 };
    let items = items.tracked(); // BUG: stream_not_closed of generators_order::rows
    items.on_close(async {
        tokio::time::sleep(Duration::from_millis(100)).await; // imitate some async work
        WORK_DONE.store(true, Relaxed);
        println!("rows closed");
    })
}

async fn leave_them() {
    let mut cursor = Box::pin(cursor());
    while let Some(_c) = cursor.next().await {
        let mut rows = Box::pin(rows());
        while let Some(_r) = rows.next().await {
            break;
        }
        break;
    }
}

async fn close_them() {
    aclosing(cursor(), async |mut cursor| {
        while let Some(_c) = cursor.next().await {
            aclosing(rows(), async |mut rows| {
                while let Some(_r) = rows.next().await {
                    break;
                }
            })
            .await;
            break;
        }
    })
    .await;
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => close_them().await,
        _ => leave_them().await,
    }
    println!("main returns");
}
