//! asyncio's "Detect never-awaited coroutines", for tokio.
//!
//! The program of [Python's page][page]:
//!
//! ```python
//! async def test():
//!     print("never scheduled")
//!
//! async def main():
//!     test()
//!
//! asyncio.run(main())
//! ```
//!
//! of which Python says `RuntimeWarning: coroutine 'test' was never awaited`, and in
//! debug mode also where it was created.
//!
//! rustc warns of a bare `test();` by itself, and clippy of `let _ = test();`. They say
//! nothing any more once the future has a name, is stored, or is passed to something
//! that drops it: that is what is found here, at run time. The warning is about the place, not about one object:
//! as soon as any future made at that line has been polled, dropping others of that
//! line is taken for intent (a `select!` branch that lost, a cache that had the
//! answer).
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example detect_never_awaited
//! main returns
//! $ cargo run --example detect_never_awaited
//! main returns
//!  WARN debug_async::never_polled: future `detect_never_awaited::test` was never polled, and was dropped (created at examples/asyncio/detect_never_awaited.rs:61:22)
//!   help: a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/
//! $ ASYNC_DEBUG=1 cargo run --example detect_never_awaited
//! main returns
//!  WARN debug_async::never_polled: future `detect_never_awaited::test` was never polled, and was dropped (created at examples/asyncio/detect_never_awaited.rs:61:22)
//!   age 526us
//!   help: a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it if it is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/never_polled/
//!     at detect_never_awaited::test (examples/asyncio/detect_never_awaited.rs:56:10)
//!     at detect_never_awaited::bug (examples/asyncio/detect_never_awaited.rs:61:22)
//!     at detect_never_awaited::main (examples/asyncio/detect_never_awaited.rs:76:20)
//!     at detect_never_awaited::main (examples/asyncio/detect_never_awaited.rs:73:10)
//!     (64 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```
//!
//! The usual fix, in Rust as in Python, is to await it or to spawn it:
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example detect_never_awaited -- fixed
//! never scheduled
//! never scheduled
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#detect-never-awaited-coroutines

#[debug_async::tracked]
async fn test() {
    println!("never scheduled");
}

async fn bug() {
    let _forgotten = test(); // BUG[production, debug]: never_polled of detect_never_awaited::test
}

async fn fixed() {
    test().await;
    debug_async::spawn!(test())
        .await
        .expect("it does not panic");
}

// asyncio's loop runs on one thread, and so does this runtime.
#[debug_async::main(flavor = "current_thread")]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fixed") => fixed().await,
        _ => bug().await,
    }
    println!("main returns");
}
