//! asyncio's "Debug mode", for tokio: the ways to switch it on.
//!
//! | [Python's page][page]                    | here                                 |
//! |------------------------------------------|--------------------------------------|
//! | `PYTHONASYNCIODEBUG=1`                   | `ASYNC_DEBUG=1`                      |
//! | `asyncio.run(main(), debug=True)`        | `#[debug_async::main(debug = true)]` |
//! | a loop of one's own                      | `runtime::Builder::debug(true)`      |
//! | `loop.set_debug(True)`                   | `debug_async::set_debug(true)`       |
//! | `loop.slow_callback_duration = 0.3`      | `debug_async::set_slow_poll(…)`      |
//!
//! What is said in the program beats the environment, also where that says `off`; and
//! as in Python, the switch is the loop's: each runtime below has its own.
//!
//! Of the other things that Python's debug mode does, calling an API from the wrong
//! thread is a compile error in Rust, and the slow selector was dropped from Python
//! in 3.8.
//!
//! ```console
//! $ ASYNC_DEBUG=off cargo run --example debug_mode
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 231ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:136:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 231ms, age 232ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:136:12)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:135:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:166:5)
//!     (60 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:147:9)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:147:16)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:146:13)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:168:5)
//!     (58 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 152ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:155:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 152ms, age 152ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:155:12)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:153:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:169:5)
//!     (57 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! $ cargo run --example debug_mode
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:136:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:136:12)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:135:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:166:5)
//!     (60 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:147:9)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:147:16)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:146:13)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:168:5)
//!     (58 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 277ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:155:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 277ms, age 299ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:155:12)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:153:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:169:5)
//!     (57 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! $ ASYNC_DEBUG=1 cargo run --example debug_mode
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:131:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::as_the_environment_says (examples/asyncio/debug_mode.rs:131:12)
//!     at debug_mode::as_the_environment_says (examples/asyncio/debug_mode.rs:130:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:165:5)
//!     (60 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:136:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:136:12)
//!     at debug_mode::with_an_argument (examples/asyncio/debug_mode.rs:135:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:166:5)
//!     (60 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:147:9)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:147:16)
//!     at debug_mode::with_a_builder (examples/asyncio/debug_mode.rs:146:13)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:168:5)
//!     (58 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `debug_mode::step` took 150ms, waiting: it blocked its thread (created at examples/asyncio/debug_mode.rs:155:5)
//!   blocked at debug_mode::step (examples/asyncio/debug_mode.rs:126:5), in `std::thread::functions::sleep`
//!   polls 1, busy 150ms, age 150ms
//!   help: no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/
//!     at debug_mode::step (examples/asyncio/debug_mode.rs:126:5)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:155:12)
//!     at debug_mode::while_it_runs (examples/asyncio/debug_mode.rs:153:10)
//!     at debug_mode::main (examples/asyncio/debug_mode.rs:169:5)
//!     (60 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#debug-mode

use std::time::Duration;

use debug_async::runtime::Builder;

/// What asyncio calls a slow callback: one step that takes longer than 100 ms.
#[debug_async::tracked]
async fn step() {
    std::thread::sleep(Duration::from_millis(150));
}

#[debug_async::main(flavor = "current_thread")]
async fn as_the_environment_says() {
    step().await; // BUG[debug]: slow_poll of debug_mode::step
}

#[debug_async::main(flavor = "current_thread", debug = true)]
async fn with_an_argument() {
    step().await; // BUG[off, production, debug]: slow_poll of debug_mode::step
}

#[debug_async::main(flavor = "current_thread", debug = false)]
async fn with_an_argument_against_it() {
    step().await;
}

fn with_a_builder() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().debug(true).build()?;
    runtime.block_on(async {
        step().await; // BUG[off, production, debug]: slow_poll of debug_mode::step
    });
    Ok(())
}

#[debug_async::main(flavor = "current_thread")]
async fn while_it_runs() {
    debug_async::set_debug(true);
    step().await; // BUG[off, production, debug]: slow_poll of debug_mode::step

    debug_async::set_slow_poll(Duration::from_secs(1));
    step().await;

    debug_async::set_debug(false);
    step().await;
}

fn main() -> std::io::Result<()> {
    as_the_environment_says();
    with_an_argument();
    with_an_argument_against_it();
    with_a_builder()?;
    while_it_runs();
    println!("main returns");
    Ok(())
}
