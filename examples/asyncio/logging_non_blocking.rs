//! asyncio's "Logging", for tokio: to a file or over the network, without blocking.
//!
//! [Python's page][page]: "Network logging can block the event loop. It is recommended to
//! use a separate thread for handling logs or use non-blocking IO."
//!
//! So it is here with the logs of the application: an event is written where it is made,
//! on the worker. Below, a log server takes 150 ms for a line, and each line of the
//! handler's is a slow poll. (The reports themselves do not block: they are made on a
//! thread of their own.)
//!
//! ```console
//! $ cargo run --example logging_non_blocking
//!  INFO logging_non_blocking: order paid
//! served
//! ERROR debug_async::unretrieved_error: task `logging_non_blocking::receipt` failed and nobody looked: "no such address" (spawned at examples/asyncio/logging_non_blocking.rs:80:5) name="logging_non_blocking::receipt" site="examples/asyncio/logging_non_blocking.rs:80:5" task.id=1 count=1 error="\"no such address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/"
//! main returns
//! $ ASYNC_DEBUG=1 cargo run --example logging_non_blocking
//!  INFO logging_non_blocking: order paid
//! served
//! ERROR debug_async::unretrieved_error: task `logging_non_blocking::receipt` failed and nobody looked: "no such address" (spawned at examples/asyncio/logging_non_blocking.rs:80:5) name="logging_non_blocking::receipt" site="examples/asyncio/logging_non_blocking.rs:80:5" task.id=1 polls=1 busy=6us age=728us count=1 error="\"no such address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging_non_blocking::handler (examples/asyncio/logging_non_blocking.rs:80:5)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:89:15)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:88:10)
//!     at logging_non_blocking::main (examples/asyncio/logging_non_blocking.rs:98:13)
//!     (70 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//!  WARN debug_async::slow_poll: one poll of future `logging_non_blocking::handler` took 151ms, waiting: it blocked its thread (created at examples/asyncio/logging_non_blocking.rs:89:5) name="logging_non_blocking::handler" site="examples/asyncio/logging_non_blocking.rs:89:5" blocked_at="<logging_non_blocking::SlowServer as std::io::Write>::write (examples/asyncio/logging_non_blocking.rs:148:9), in `std::thread::functions::sleep`" elapsed=151ms polls=1 busy=152ms age=152ms count=1 help="no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`; see https://docs.rs/debug-async/latest/debug_async/findings/slow_poll/" stack=
//!     at <logging_non_blocking::SlowServer as std::io::Write>::write (examples/asyncio/logging_non_blocking.rs:148:9)
//!     at logging_non_blocking::handler (examples/asyncio/logging_non_blocking.rs:79:5)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:89:15)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:88:10)
//!     at logging_non_blocking::main (examples/asyncio/logging_non_blocking.rs:98:13)
//!     (73 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! ```
//!
//! `tracing_appender::non_blocking` gives that to a thread, whatever it writes to. Its
//! guard waits for the rest when it is dropped. Reports are made till the runtime has
//! ended, so the guard belongs to what comes after that: to a `main` around the
//! `#[debug_async::main]`.
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example logging_non_blocking -- network
//! served
//!  INFO logging_non_blocking: order paid
//! ERROR debug_async::unretrieved_error: task `logging_non_blocking::receipt` failed and nobody looked: "no such address" (spawned at examples/asyncio/logging_non_blocking.rs:80:5) name="logging_non_blocking::receipt" site="examples/asyncio/logging_non_blocking.rs:80:5" task.id=1 polls=1 busy=3us age=474us count=1 error="\"no such address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging_non_blocking::handler (examples/asyncio/logging_non_blocking.rs:80:5)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:89:15)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:88:10)
//!     at logging_non_blocking::main (examples/asyncio/logging_non_blocking.rs:106:13)
//!     (70 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! $ ASYNC_DEBUG=1 cargo run --example logging_non_blocking -- file
//! served
//!  INFO logging_non_blocking: order paid
//! ERROR debug_async::unretrieved_error: task `logging_non_blocking::receipt` failed and nobody looked: "no such address" (spawned at examples/asyncio/logging_non_blocking.rs:80:5) name="logging_non_blocking::receipt" site="examples/asyncio/logging_non_blocking.rs:80:5" task.id=1 polls=1 busy=3us age=473us count=1 error="\"no such address\"" help="await its handle and handle the result inside or outside the task, or `detach()` the handle if the result is not wanted; see https://docs.rs/debug-async/latest/debug_async/findings/unretrieved_error/" stack=
//!     at logging_non_blocking::handler (examples/asyncio/logging_non_blocking.rs:80:5)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:89:15)
//!     at logging_non_blocking::serve (examples/asyncio/logging_non_blocking.rs:88:10)
//!     at logging_non_blocking::main (examples/asyncio/logging_non_blocking.rs:114:13)
//!     (70 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! main returns
//! ```
//!
//! [page]: https://docs.python.org/3/library/asyncio-dev.html#logging

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Logs while it handles a request, and starts what nobody will look at.
#[debug_async::tracked]
async fn handler() {
    tracing::info!("order paid");
    debug_async::spawn!(receipt()); // BUG[production, debug]: unretrieved_error of logging_non_blocking::receipt
}

async fn receipt() -> Result<(), String> {
    Err("no such address".to_owned())
}

#[debug_async::main(flavor = "current_thread")]
async fn serve() {
    handler().await; // BUG[debug]: slow_poll of logging_non_blocking::handler
    tokio::task::yield_now().await;
    println!("served");
}

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => {
            log_to(|| SlowServer);
            serve();
        }
        Some("network") => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let server = thread::spawn(move || SlowServer.collect(listener));
            let (writer, guard) = non_blocking(TcpStream::connect(address)?);
            log_to(writer);
            serve();
            drop(guard);
            server.join().expect("it does not panic")?;
        }
        Some(_) => {
            let path = std::env::temp_dir().join(format!("app-{}.log", std::process::id()));
            let (writer, guard) = non_blocking(File::create(&path)?);
            log_to(writer);
            serve();
            drop(guard);
            io::stderr().write_all(&std::fs::read(&path)?)?;
            std::fs::remove_file(path)?;
        }
    }
    println!("main returns");
    Ok(())
}

fn log_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("debug_async=info"));
    let own = "logging_non_blocking=info".parse().expect("a directive");
    let log = tracing_subscriber::fmt().without_time().with_ansi(false);
    log.with_env_filter(filter.add_directive(own))
        .with_writer(writer)
        .init();
}

/// Prints what it gets, and takes its time.
struct SlowServer;

impl SlowServer {
    fn collect(mut self, listener: TcpListener) -> io::Result<()> {
        let (mut connection, _) = listener.accept()?;
        let mut log = Vec::new();
        connection.read_to_end(&mut log)?;
        self.write_all(&log)
    }
}

impl Write for SlowServer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(150));
        io::stderr().write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
