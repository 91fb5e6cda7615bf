//! asyncio's "Create asynchronous generators only when the event loop is running", for
//! tokio.
//!
//! The program of [Python's page][page]:
//!
//! ```python
//! async def agenfn():
//!     try:
//!         yield 10
//!     finally:
//!         await asyncio.sleep(0)
//!
//! with asyncio.Runner() as runner:
//!     agen = agenfn()
//!     print(runner.run(anext(agen)))
//!     del agen
//! ```
//!
//! of which Python says `RuntimeError: async generator ignored GeneratorExit`: nobody runs
//! what is in the `finally`.
//!
//! To make a stream before its runtime is no mistake by itself here: it belongs to the
//! runtime that it is first polled in. But this runtime runs only while it is in
//! `block_on`, and the stream is dropped after that. Its cleanup waits for a `block_on`
//! that never comes, and goes down with the runtime. Production says so too.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example generators_outside
//! got Some(10)
//! main returns
//! $ cargo run --example generators_outside
//! got Some(10)
//! main returns
//!  WARN debug_async::outside_runtime: stream `generators_outside::generator` was dropped outside of a runtime, not closed: its cleanup is run only if its runtime runs again (created at examples/asyncio/generators_outside.rs:66:23)
//!   help: make the stream and close it within the runtime: `close().await` it before `block_on` returns, or let `shutdown_streams().await` be the last thing that runs there; see https://docs.rs/debug-async/latest/debug_async/findings/outside_runtime/
//! $ ASYNC_DEBUG=1 cargo run --example generators_outside
//! got Some(10)
//! main returns
//!  WARN debug_async::outside_runtime: stream `generators_outside::generator` was dropped outside of a runtime, not closed: its cleanup is run only if its runtime runs again (created at examples/asyncio/generators_outside.rs:66:23)
//!   polls 1, items 1, busy 6us, age 4ms
//!   help: make the stream and close it within the runtime: `close().await` it before `block_on` returns, or let `shutdown_streams().await` be the last thing that runs there; see https://docs.rs/debug-async/latest/debug_async/findings/outside_runtime/
//!     at generators_outside::generator (examples/asyncio/generators_outside.rs:66:23)
//!     at generators_outside::main (examples/asyncio/generators_outside.rs:82:34)
//!     (31 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! What is made, iterated over and closed within the runtime is cleaned up:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example generators_outside -- fixed
//! got Some(10)
//! cleaned up
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#create-asynchronous-generators-only-when-the-event-loop-is-running

use async_stream::stream;
use debug_async::prelude::*;
use debug_async::runtime::Builder;
use debug_async::stream::ClosingStream;
use futures::{Stream, StreamExt as _};

fn generator() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let items = stream! { yield 10 };
    let items = items.tracked(); // BUG[production, debug]: outside_runtime of generators_outside::generator
    items.on_close(async {
        tokio::task::yield_now().await;
        println!("cleaned up");
    })
}

fn main() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    if std::env::args().nth(1).as_deref() == Some("fixed") {
        runtime.block_on(async {
            let mut items = Box::pin(generator());
            println!("got {:?}", items.next().await);
            items.close().await;
        });
    } else {
        let mut items = Box::pin(generator());
        println!("got {:?}", runtime.block_on(items.next()));
        drop(items);
    }
    println!("main returns");
    Ok(())
}
