//! asyncio's "Close asynchronous generators explicitly", for tokio: the first half.
//!
//! The program of [Python's page][page]:
//!
//! ```python
//! async def gen():
//!   yield 1
//!   yield 2
//!
//! async def func():
//!   async with contextlib.aclosing(gen()) as g:
//!     async for x in g:
//!       break  # Don't iterate until the end
//!
//! asyncio.run(func())
//! ```
//!
//! A generator is a stream here, and what would stand in its `finally` is attached with
//! `on_close`. Without the `aclosing` it is run by a task of its own, some time after the
//! loop was left: in asyncio so, and here so. It is run in every mode; debug mode says that
//! it was left to chance.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example generators_close
//! got 1
//! main returns
//! cleaned up
//! $ cargo run --example generators_close
//! got 1
//! main returns
//! cleaned up
//! $ ASYNC_DEBUG=1 cargo run --example generators_close
//! got 1
//! main returns
//! cleaned up
//!  WARN debug_async::stream_not_closed: stream `generators_close::generator` was dropped before it ended or was closed; its cleanup runs later (created at examples/asyncio/generators_close.rs:70:23)
//!   polls 1, items 1, busy 8us, age 1ms
//!   help: a task of its own runs the cleanup, after what comes next here: `close().await` the stream, iterate over it within `aclosing(stream, async |s| …).await`, which closes it on every way out, or `.discard()` it if the order does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/stream_not_closed/
//!     at generators_close::generator (examples/asyncio/generators_close.rs:70:23)
//!     at generators_close::leave_it (examples/asyncio/generators_close.rs:78:30)
//!     at generators_close::main (examples/asyncio/generators_close.rs:99:25)
//!     at generators_close::main (examples/asyncio/generators_close.rs:96:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! `aclosing` closes the stream when its body is done, however that ends:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example generators_close -- fixed
//! got 1
//! cleaned up
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#close-asynchronous-generators-explicitly

// The loops are the page's.
#![allow(clippy::never_loop)]

use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::{ClosingStream, aclosing};
use futures::{Stream, StreamExt as _};

fn generator() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let items = stream! {
        yield 1;
        yield 2;
    };
    let items = items.tracked(); // BUG: stream_not_closed of generators_close::generator
    items.on_close(async {
        tokio::task::yield_now().await; // something to wait for
        println!("cleaned up");
    })
}

async fn leave_it() {
    let mut items = Box::pin(generator());
    while let Some(item) = items.next().await {
        println!("got {item}");
        break; // Don't iterate until the end
    }
}

async fn close_it() {
    aclosing(generator(), async |mut items| {
        while let Some(item) = items.next().await {
            println!("got {item}");
            break; // Don't iterate until the end
        }
    })
    .await;
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => close_it().await,
        _ => leave_it().await,
    }
    println!("main returns");
}
