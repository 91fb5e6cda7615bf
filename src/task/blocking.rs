//! Calls that block.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::JoinHandle;
use super::outcome::{self, ByType};
use crate::clock::{self, Instant, Tick};
use crate::detect::blocking_pool_full;
use crate::mode::Scope;
use crate::observe::{self, Watch};
use crate::record::{Debugged, Object, Record};

/// Runs a closure where it may block, as [`tokio::task::spawn_blocking`] does,
/// and watches it: a lost error or panic of it is reported.
///
/// # Panics
///
/// As [`tokio::task::spawn_blocking`]: outside a runtime.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let sum = debug_async::task::spawn_blocking(|| (1..=10).sum::<u32>());
/// assert_eq!(sum.await.unwrap(), 55);
/// # }
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (call, record) = Call::new(f, None, Location::caller(), None);
    JoinHandle::new::<ByType>(tokio::task::spawn_blocking(move || call.run()), record)
}

/// A closure to be called where it may block.
pub(crate) struct Call<F> {
    f: Option<F>,
    /// Since when it waits for a thread; in debug mode.
    queued: Option<Instant>,
    watch: Watch,
}

impl<F> Call<F> {
    pub(crate) fn new(
        f: F,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> (Self, Option<Arc<Record>>) {
        let watch = Watch::new::<F>(Object::BlockingTask, name, location, scope);
        let record = watch.record().cloned();
        let in_debug = record
            .as_ref()
            .is_some_and(|record| record.debug().is_some());
        let queued = in_debug.then(clock::now);
        let f = Some(f);
        (Call { f, queued, watch }, record)
    }

    pub(crate) fn run<R>(mut self) -> R
    where
        F: FnOnce() -> R,
    {
        let Some(f) = self.f.take() else {
            unreachable!("it is run once")
        };
        let Some(record) = self.watch.record() else {
            return f();
        };
        let timing = self.queued.and_then(|queued| Timing::begin(record, queued));
        let result = catch_unwind(AssertUnwindSafe(|| observe::call(record, f)));
        // Before the result is judged: what is reported of it says how long it took.
        if let Some(timing) = timing {
            timing.end();
        }
        match result {
            Ok(output) => {
                outcome::returned::<R, ByType>(record, &output, false);
                output
            }
            Err(payload) => {
                outcome::panicked(record, &*payload);
                resume_unwind(payload)
            }
        }
    }
}

/// A call in debug mode that is being timed.
struct Timing<'a> {
    record: &'a Record,
    debug: &'a Debugged,
    start: Tick,
}

impl<'a> Timing<'a> {
    fn begin(record: &'a Record, queued: Instant) -> Option<Timing<'a>> {
        let debug = record.debug()?;
        blocking_pool_full::began(record, queued);
        debug.poll_begins();
        let start = clock::tick();
        Some(Timing {
            record,
            debug,
            start,
        })
    }

    fn end(self) {
        let ran = self.start.elapsed();
        self.debug.polled_for(ran.as_nanos() as u64);
        blocking_pool_full::ended(self.record, ran);
    }
}

impl<F> Drop for Call<F> {
    fn drop(&mut self) {
        self.watch.begin_drop();
    }
}

/// Blocks here and now, as [`tokio::task::block_in_place`] does. The time it takes
/// is no slow poll.
///
/// # Panics
///
/// As [`tokio::task::block_in_place`]: on a runtime of one thread.
///
/// # Examples
///
/// ```
/// # #[tokio::main] async fn main() {
/// let sum = debug_async::task::block_in_place(|| (1..=10).sum::<u32>());
/// assert_eq!(sum, 55);
/// # }
/// ```
#[cfg(feature = "rt-multi-thread")]
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    let start = clock::now();
    let result = tokio::task::block_in_place(f);
    observe::excuse(start.elapsed());
    result
}
