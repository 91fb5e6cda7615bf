//! asyncio's "Avoid concurrent iteration and closure of the same generator", for tokio.
//!
//! The program of [Python's page][page], in short:
//!
//! ```python
//! async def consumer():
//!     for idx in range(100):
//!         await asyncio.sleep(0)
//!         message = yield idx
//!         print('received', message)
//!
//! async def amain():
//!     agenerator = consumer()
//!     await agenerator.asend(None)
//!
//!     fa = asyncio.create_task(agenerator.asend('A'))
//!     fb = asyncio.create_task(agenerator.asend('B'))
//!     await fa
//!     await fb
//! ```
//!
//! of which Python says `RuntimeError: anext(): asynchronous generator is already running`.
//!
//! rustc does not compile that: `next` borrows the stream mutably, so two tasks cannot be
//! in it at once (E0499), nor can each have it (E0382). They can take turns, with the stream
//! behind a `tokio::sync::Mutex`. What is left to get wrong is its closure: each task
//! leaves it to the other, and the last one to go drops it unclosed.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example generators_concurrently
//! A received Some(0)
//! B received Some(1)
//! A received Some(2)
//! B received Some(3)
//! cleaned up
//! main returns
//! $ cargo run --example generators_concurrently
//! A received Some(0)
//! B received Some(1)
//! A received Some(2)
//! B received Some(3)
//! cleaned up
//! main returns
//! $ ASYNC_DEBUG=1 cargo run --example generators_concurrently
//! A received Some(0)
//! B received Some(1)
//! A received Some(2)
//! B received Some(3)
//! cleaned up
//! main returns
//!  WARN debug_async::stream_not_closed: stream `generators_concurrently::numbers` was dropped before it ended or was closed; its cleanup runs later (created at examples/asyncio/generators_concurrently.rs:92:23)
//!   polls 8, items 4, busy 623us, age 2ms
//!   help: a task of its own runs the cleanup, after what comes next here: `close().await` the stream, iterate over it within `aclosing(stream, async |s| …).await`, which closes it on every way out, or `.discard()` it if the order does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/stream_not_closed/
//!     at generators_concurrently::numbers (examples/asyncio/generators_concurrently.rs:92:23)
//!     at generators_concurrently::main (examples/asyncio/generators_concurrently.rs:116:29)
//!     at generators_concurrently::main (examples/asyncio/generators_concurrently.rs:113:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Whoever shares the stream closes it, when the others are done:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example generators_concurrently -- fixed
//! A received Some(0)
//! B received Some(1)
//! A received Some(2)
//! B received Some(3)
//! cleaned up
//! main returns
//! ```
//!
//! Where one task may close it while another still iterates, that one gets a `None`.
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#avoid-concurrent-iteration-and-closure-of-the-same-generator

use std::pin::Pin;
use std::sync::Arc;

use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::{ClosingStream, aclosing};
use futures::{Stream, StreamExt as _};
use tokio::sync::Mutex;

fn numbers() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let items = stream! {
        for idx in 0..100 {
            tokio::task::yield_now().await;
            yield idx;
        }
    };
    let items = items.tracked(); // BUG: stream_not_closed of generators_concurrently::numbers
    items.on_close(async { println!("cleaned up") })
}

async fn take_two<S: Stream<Item = u32>>(who: &str, items: Arc<Mutex<Pin<Box<S>>>>) {
    for _ in 0..2 {
        let item = items.lock().await.next().await;
        println!("{who} received {item:?}");
    }
}

/// Two tasks that take turns.
async fn share<S: Stream<Item = u32> + Send + 'static>(items: Pin<Box<S>>) {
    let items = Arc::new(Mutex::new(items));
    let a = debug_async::spawn!(take_two("A", Arc::clone(&items)));
    let b = debug_async::spawn!(take_two("B", items));
    a.await.expect("it does not panic");
    b.await.expect("it does not panic");
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => aclosing(numbers(), share).await,
        _ => share(Box::pin(numbers())).await,
    }
    println!("main returns");
}
