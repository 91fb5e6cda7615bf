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
//! $ cargo run --example debug_mode
//! $ ASYNC_DEBUG=1 cargo run --example debug_mode
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
