//! asyncio's debug mode, for tokio.
//!
//! Set `ASYNC_DEBUG=1` and the same program tells, through `tracing`, which
//! future was never polled, which task's error or panic nobody looked at, and
//! which poll blocked its thread: by the name of your function, at your line,
//! with the stack of where the thing was created. On stable Rust.
//!
//! ```
//! use debug_async::prelude::*;
//!
//! #[debug_async::tracked]                      // an async fn whose futures are tracked
//! async fn fetch(id: u32) -> Result<String, String> {
//!     Err(format!("no {id}"))
//! }
//!
//! # async fn other() {}
//! # fn expensive() {}
//! #[debug_async::main]                         // #[tokio::main], with the debug mode in it
//! async fn main() {
//!     let _forgotten = fetch(1);               // never polled
//!     debug_async::spawn!(fetch(2));           // its Err is never looked at
//!     debug_async::spawn!(name = "hasher", async { expensive() });
//!     other().tracked().await;                 // any future, any stream, any writer
//! }
//! ```
//!
//! # Switching on
//!
//! | mode | how | what is on |
//! |---|---|---|
//! | off | `ASYNC_DEBUG=off` | nothing: wrappers pass through, no thread is started |
//! | production | unset, empty, `0`, `false` | never polled, lost errors and panics, the shutdown summary; with the creation site only |
//! | debug | `1`, `true` | everything below, with stacks and times |
//!
//! An argument (`#[debug_async::main(debug = true)]`,
//! [`runtime::Builder::debug`], [`set_debug`]) beats the environment, which beats
//! the default. Each runtime made here has a switch of its own; elsewhere the
//! process's holds. An object keeps the mode it was created in. The other settings
//! are in [`config`].
//!
//! # Findings
//!
//! | kind | level | mode | when |
//! |---|---|---|---|
//! | `never_polled` | WARN | both | a future, stream or task was dropped without one poll; in debug also: it lives and was not polled for 5 s |
//! | `unretrieved_error` | ERROR | both | a task returned an `Err` and nobody looked |
//! | `unretrieved_panic` | ERROR | both | a task panicked and nobody looked |
//! | `slow_poll` | WARN | debug | one poll took 100 ms or more; with the line that blocked |
//! | `blocked` | WARN | debug | a poll has been running for 1 s, and still is; with the line that blocks |
//! | `slow_drop` | WARN | debug | dropping a future took 100 ms or more |
//! | `lost_waker` | WARN | debug | a task waits, and nobody is left who can wake it |
//! | `starved` | WARN | debug | a future was woken and has not been polled for 2 s, although its task has (a futurelock); with what both wait in |
//! | `busy` | WARN | debug | a task is polled more than 10 000 times a second, for seconds, because it wakes itself |
//! | `polled_after_completion` | WARN | debug | a future was polled again after it was ready; a stream panicked when it was polled again after its end |
//! | `wrong_runtime` | WARN | debug | a future was first polled in one runtime, and then in another |
//! | `polled_by_two_tasks` | WARN | debug | a future or stream is polled by one task while another waits on it, and then by that one again |
//! | `span_across_await` | WARN | debug | a `tracing` span was left entered across an await |
//! | `abandoned` | WARN | debug | 100 tasks of one site (200, 400, …) live on whose handles were polled and then dropped |
//! | `dropped_midway` | WARN | debug | a future that is `.must_complete()` was dropped between two polls |
//! | `cancelled` | DEBUG | debug | any other was; only with a subscriber that takes `DEBUG` |
//! | `unjoined_results` | WARN | debug | 1 000 results of a `JoinSet` or more have waited for 60 s |
//! | `large_future` | DEBUG | debug | a future of 16 KiB or more was spawned |
//! | `blocking_pool_full` | WARN | debug | a `spawn_blocking` closure waited 100 ms or more for a thread |
//! | `stream_not_closed` | WARN | debug | a stream with async cleanup was dropped before it ended or was closed |
//! | `cleanup_failed` | ERROR | both | the async cleanup of a stream failed and nobody looked, or could not be run |
//! | `outside_runtime` | WARN | both | a stream with async cleanup was dropped where no runtime runs |
//! | `pending_at_shutdown` | INFO, WARN | both | tasks were left when the runtime ended |
//! | `unflushed_io` | WARN | debug | a writer was dropped with bytes written after its last flush, and loses them |
//! | `slow_io` | DEBUG | debug | one read, write or flush took 100 ms or more |
//! | `shutdown_hang` | WARN | debug | the drop of a runtime has waited 5 s for blocking closures |
//! | `untracked_tasks` | INFO | debug | most tasks of the runtime are not tracked |
//!
//! Each is one `tracing` event with the target `debug_async::<kind>`; if no
//! subscriber is installed it is printed on stderr. [`report`] tells how to catch
//! them yourself. Idioms that look like a bug and are not (a `select!` branch that
//! lost, a `timeout` that fired, an aborted task, …) are left alone, and every
//! finding can be silenced for one object:
//! [`discard()`](future::TrackedFuture::discard),
//! [`slow_ok()`](future::TrackedFuture::slow_ok),
//! [`parked()`](future::TrackedFuture::parked),
//! [`detach()`](task::JoinHandle::detach),
//! [`buffered()`](io::TrackedIo::buffered),
//! [`expected()`](future::TrackFuture::expected).
//!
//! [`findings`] has a page for each: the bug as a program, the report that it makes, the
//! fix, what is never flagged, how to silence it, and what it costs.
//!
//! [`from_asyncio`] sets asyncio's page "Developing with asyncio" beside this; [`beside`]
//! sets tokio-console, tokio-metrics, dial9 and others, and says when to take which.
//!
//! # Async cleanup
//!
//! Beside the finding of mistakes there is one thing that asyncio has and Rust lacks:
//! streams with async cleanup. `.on_close(async { … })` attaches it to a tracked stream,
//! `close().await` and `aclosing(stream, async |stream| …).await` run it, and what is left
//! at the end of `#[debug_async::main]` is closed then. See the module `stream`.
//!
//! # What blocks a worker
//!
//! A watchdog looks at the polls in progress, and at the workers of the runtimes made
//! here and of those given to [`watch`]. When a poll has run for too long, it has the
//! thread copy its stack (on Linux, x86-64 and aarch64; by a signal,
//! [`sample_signal`](config::Config::sample_signal)), so the report names the line that blocked, also of tasks
//! that are not tracked, and of polls that never end. The watchdog's thread is there
//! while such a runtime or poll is, in debug mode only. It looks 50 times a second while
//! nothing is at work and some 80 times else, less often where
//! [`slow_poll`](config::Config::slow_poll) is longer than 100 ms and more often where it
//! is shorter. Most of what it costs is to wake up: 0.2 to 0.3 % of one core with 2
//! workers, or 8 and 20 blocking threads, or 16 and 200, while most of them wait; with 2
//! workers that compute without a pause, 0.4 %, with 8 such on two cores 0.5 %.
//!
//! # Where everything waits
//!
//! [`dump()`] shows what is alive in debug mode: for each task and tracked future its
//! state, and the awaits down to each leaf that it waits on, by your lines. No future
//! has to help: see [`mod@dump`].
//!
//! # Observe only
//!
//! A program behaves as it would without this crate: results, order of polls and
//! drops, panics, wake-ups, `Send` and `Unpin`. Four things can be noticed. In
//! debug mode a tracked object keeps the `tracing` span that it was created in
//! open for as long as it lives, so that its reports can carry it. And a panic
//! hook is put before the one that is there when the first task is spawned; it
//! notes the place of the panic and calls the other. A thread that blocks is sent a
//! signal, once or a few times; [`sample_signal`](config::Config::sample_signal) says what may notice.
//! And in debug mode a future that compares wakers
//! ([`Waker::will_wake`](std::task::Waker::will_wake)) finds that its own is not the
//! one it was polled with the last time, and registers again, unless
//! [`await_stacks`](config::Config::await_stacks) is off.
//!
//! # With `--cfg tokio_unstable`
//!
//! Nothing here needs it. Where it is set all the same, tokio's hooks tell of every
//! task of a runtime of [`runtime`], wrapped or not. In debug mode `slow_poll`,
//! `span_across_await` and `pending_at_shutdown` then hold for those that nobody
//! wrapped too, with the line and the stack of their spawn. What they return or panic
//! with is not seen, nor whether they were aborted, nor the tasks of a `LocalSet`.
//! The hooks of a [`runtime::Builder`] call yours.
//!
//! # In tests
//!
//! `#[debug_async::test]` is `#[tokio::test]` in debug mode, and fails if the test
//! made a report of level `WARN` or above.
//!
//! # What it cannot see
//!
//! Futures that nobody wrapped, and tasks that libraries spawn (but see
//! [above](#with---cfg-tokio_unstable)). The value of a
//! task's output beyond `Ok` and `Err`. A future that is dropped before a single
//! other one of its site has been polled, in a combinator of your own: it may be
//! reported as never polled although the combinator only did not come to it.

#![cfg_attr(docsrs, feature(doc_cfg))]
// What is public here must be able to grow; the other packages are nobody's dependencies.
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod brackets;
mod clock;
pub mod config;
#[cfg(feature = "io")]
mod counts;
mod delay;
mod detect;
pub mod dump;
pub mod future;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod ids;
#[cfg(feature = "io")]
pub mod io;
mod kind;
mod mode;
mod name;
mod notice;
mod observe;
mod pages;
mod panics;
mod record;
mod registry;
pub mod report;
pub mod runtime;
#[cfg(target_os = "linux")]
mod sigaction;
mod site;
mod stack;
#[cfg(feature = "stream")]
pub mod stream;
pub mod task;
mod waker;
mod watchdog;

pub use crate::dump::dump;
pub use crate::mode::{is_debug, set_debug, set_slow_poll};
pub use crate::pages::{beside, findings, from_asyncio};
pub use crate::report::flush;
pub use crate::task::spawn;
pub use crate::watchdog::watch;

/// A main function that runs in a runtime: `#[tokio::main]`, with the debug mode
/// in it.
///
/// Takes every argument that tokio's takes (`flavor`, `worker_threads`,
/// `start_paused`, `unhandled_panic`, `name`, `crate`), and
///
/// - `debug = true` or `false`: the mode, whatever the environment says,
/// - `slow_poll = "50ms"`: the threshold of slow polls.
///
/// When main returns, it reports the tasks that are left, hands on all reports
/// that are due, and exits with a failure if one was made that `ASYNC_DEBUG_DENY`
/// denies.
///
/// # Examples
///
/// ```
/// #[debug_async::main(flavor = "current_thread", debug = true, slow_poll = "50ms")]
/// async fn main() -> Result<(), std::io::Error> {
///     assert!(debug_async::is_debug());
///     Ok(())
/// }
/// ```
#[cfg(feature = "macros")]
pub use debug_async_macros::main;

/// A test that runs in a runtime: `#[tokio::test]`, in debug mode.
///
/// Takes the arguments of [`main`](macro@main). The test fails if what ran in it
/// made a report of level `WARN` or above. `debug = false` and `ASYNC_DEBUG=off`
/// switch debug mode off.
///
/// # Examples
///
/// ```no_run
/// #[debug_async::test]
/// async fn answers() {
///     let answer = debug_async::spawn!(async { 42 });
///     assert_eq!(answer.await.unwrap(), 42);
/// }
/// ```
#[cfg(feature = "macros")]
pub use debug_async_macros::test;

/// Tracks the futures of an `async fn`: each call makes a
/// [`TrackedFuture`](future::TrackedFuture) whose site is the line of the call.
///
/// On a function, a method, a trait, an `impl` block, or an inline `mod` (each
/// `async fn` in it, but those with `#[tracked(skip)]`). Arguments:
/// `name = "…"` on a single function, `crate = "…"` for a renamed crate.
///
/// # Examples
///
/// ```
/// struct Client;
///
/// #[debug_async::tracked]
/// impl Client {
///     async fn get(&self, path: &str) -> String {
///         path.to_owned()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(Client.get("/").await, "/");
/// Client.get("/").discard();
/// # }
/// ```
#[cfg(feature = "macros")]
pub use debug_async_macros::tracked;

/// The traits behind `.tracked()`: `use debug_async::prelude::*;`.
pub mod prelude {
    pub use crate::future::TrackFuture as _;
    #[cfg(feature = "io")]
    pub use crate::io::{TrackIo as _, TrackRead as _};
    #[cfg(feature = "stream")]
    pub use crate::stream::TrackStream as _;
}

#[doc(hidden)]
pub mod __private;
