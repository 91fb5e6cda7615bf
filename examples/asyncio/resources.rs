//! asyncio's `ResourceWarning`, for tokio: what a `Drop` does, and what it cannot do.
//!
//! [Python's page][page] says to run a program with `-W default`, so that it warns of a
//! transport that nobody closed:
//!
//! ```python
//! async def main():
//!     reader, writer = await asyncio.open_connection("127.0.0.1", 8080)
//!     writer.write(b"<html></html>")
//! # ResourceWarning: unclosed transport <_SelectorSocketTransport fd=6>
//! ```
//!
//! Here a `Drop` closes every socket and every file, and whoever reads sees the end. What
//! a `Drop` cannot do is to wait, and so it cannot flush. tokio says nothing of it, and
//! gives what was buffered to nobody:
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example resources
//! the client got "", and the end
//! $ cargo run --example resources
//! the client got "", and the end
//! $ ASYNC_DEBUG=1 cargo run --example resources
//! the client got "", and the end
//!  WARN debug_async::unflushed_io: I/O object `page` was dropped with 13 bytes written after its last flush (created at examples/asyncio/resources.rs:48:43)
//!   polls 1, busy 3us, age 1ms
//!   help: a drop does not flush: what it still held is lost, and so is the error of its last write. `flush().await` or `shutdown().await` it before, or say `.buffered(false)` if it does not matter; see https://docs.rs/debug-async/latest/debug_async/findings/unflushed_io/
//!     at resources::answer (examples/asyncio/resources.rs:48:43)
//!     at resources::main (examples/asyncio/resources.rs:60:27)
//!     at resources::main (examples/asyncio/resources.rs:57:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! Flushed or shut down, it is all there:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example resources -- fixed
//! the client got "<html></html>", and the end
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#debug-mode

use std::io;

use debug_async::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter, DuplexStream};

async fn answer(socket: DuplexStream, flush: bool) -> io::Result<()> {
    let mut page = BufWriter::new(socket).tracked_as("page"); // BUG: unflushed_io of page
    page.write_all(b"<html></html>").await?;
    if flush {
        page.flush().await?;
    }
    Ok(())
}

#[debug_async::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let flush = std::env::args().nth(1).as_deref() == Some("fixed");
    let (socket, mut client) = tokio::io::duplex(1024);
    answer(socket, flush).await?;
    let mut received = String::new();
    client.read_to_string(&mut received).await?;
    println!("the client got {received:?}, and the end");
    Ok(())
}
