//! Where every task waits: what is alive in debug mode, at one moment.
//!
//! [`dump`] gives a [`Snapshot`], which is plain data, and reads in two ways, as
//! Python's `asyncio ps` and `asyncio pstree` do. Printed as it is, it is a table;
//! [`Snapshot::tree`] shows who spawned whom, the tracked futures in each task, and
//! the awaits down to each leaf that is waited on, what waits longest first:
//!
//! ```text
//! #3 task `app::serve` (waiting 12s, polls 4), spawned at src/main.rs:31:5
//!   #7 future `app::fetch` (waiting 12s, polls 2), created at src/main.rs:40:9
//!     waits 12s in tokio::sync::mutex::Mutex::lock
//!       at app::store::{{closure}} (src/store.rs:88:21)
//!       at app::fetch::{{closure}} (src/main.rs:52:18)
//! ```
//!
//! In debug mode a signal asks for the tree too ([`Config::dump_signal`]), on Linux: a
//! program that hangs tells where by `kill -USR1`, on stderr.
//!
//! A leaf is seen because it clones the waker that it is polled with: no future has to
//! help. What is spawned or polled without this crate is not seen but for its number,
//! where a runtime is one of [`debug_async::runtime`](crate::runtime)
//! ([`Snapshot::untracked`]). A value is never shown.
//!
//! [`Config::dump_signal`]: crate::config::Config::dump_signal
//!
//! With the feature `serde` a snapshot is `Serialize`: a [`Duration`] as serde has it, a
//! site as `file:line:column`, an [`AwaitStack`] as `called` and `frames`.
//!
//! # Examples
//!
//! ```
//! use debug_async::dump::State;
//! use debug_async::runtime::Builder;
//!
//! let runtime = Builder::new_current_thread().debug(true).build()?;
//! runtime.block_on(async {
//!     let (_kept, waits) = tokio::sync::oneshot::channel::<()>();
//!     debug_async::spawn!(name = "waiter", async { waits.await.is_ok() }).detach();
//!     tokio::task::yield_now().await;
//!
//!     let snapshot = debug_async::dump();
//!     let waiter = snapshot.objects.iter().find(|object| object.name == "waiter").unwrap();
//!     assert_eq!(waiter.state, State::Waiting);
//!     let leaf = &waiter.leaves[0];
//!     assert_eq!(leaf.stack.called(), Some("tokio::sync::oneshot::Receiver"));
//!     println!("{snapshot}\n{}", snapshot.tree());
//! });
//! # Ok::<(), std::io::Error>(())
//! ```

mod delays;
mod ps;
#[cfg(feature = "serde")]
mod serial;
#[cfg(target_os = "linux")]
mod signal;
mod snapshot;
mod tree;

pub use self::delays::SiteDelay;
pub use self::snapshot::{AwaitStack, Kind, Leaf, Snapshot, State, Tracked};
pub use self::tree::Tree;
pub use crate::delay::Delay;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::config::Settings;
use crate::mode::Scope;

thread_local! {
    /// When the last dump of this thread was done, and how long it took.
    static TAKEN: Cell<Option<(Tick, Duration)>> = const { Cell::new(None) };
}

/// What is alive now, in debug mode, and where it waits. Of everything that is tracked
/// in this process; nothing, if nothing was created in debug mode.
///
/// It stops no worker and polls nothing, so what it shows of one task may be a little
/// later than what it shows of another. The first one of a process loads the
/// program's symbols, which may take some 100 ms; a thread that runs tasks had better
/// leave it to another.
///
/// ```
/// println!("{}", debug_async::dump());
/// ```
pub fn dump() -> Snapshot {
    let start = clock::tick();
    let snapshot = Snapshot::take(None);
    let _ = TAKEN.try_with(|taken| taken.set(Some((clock::tick(), start.elapsed()))));
    snapshot
}

/// The same of one scope.
pub(crate) fn of(scope: &Arc<Scope>) -> Snapshot {
    Snapshot::take(Some(scope))
}

/// How long the last dump took, if this thread has taken one since: the poll in progress
/// is not to blame for it.
pub(crate) fn taken_since(start: Tick) -> Duration {
    match TAKEN.try_with(Cell::get).ok().flatten() {
        Some((at, took)) if at.is_since(start) => took,
        _ => Duration::ZERO,
    }
}

/// From now on a signal asks for a dump.
pub(crate) fn listen(settings: &Settings) {
    #[cfg(target_os = "linux")]
    signal::listen(settings.dump_signal);
    #[cfg(not(target_os = "linux"))]
    let _ = settings;
}
