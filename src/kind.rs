//! The kinds of finding: one table for names, levels and what each is.

use std::fmt;

use tracing::Level;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident, $name:ident, $level:ident;)*) => {
        /// What was found.
        ///
        /// Each kind has a `tracing` target of its own, `debug_async::<name>`, so
        /// that a filter such as
        /// `RUST_LOG=debug_async=warn,debug_async::slow_poll=off` works.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ReportKind {
            $($(#[$doc])* $variant,)*
        }

        impl ReportKind {
            /// Every kind.
            pub const ALL: &[ReportKind] = &[$(ReportKind::$variant),*];

            /// Its name, as `ASYNC_DEBUG_DENY` takes it: `never_polled`.
            pub const fn name(self) -> &'static str {
                match self { $(ReportKind::$variant => stringify!($name)),* }
            }

            /// Its `tracing` target: `debug_async::never_polled`.
            pub const fn target(self) -> &'static str {
                match self { $(ReportKind::$variant => concat!("debug_async::", stringify!($name))),* }
            }

            /// The address of the page about it in [`findings`](mod@crate::findings), which
            /// the `help` of each report ends with.
            pub const fn page(self) -> &'static str {
                match self { $(ReportKind::$variant => concat!(
                    "https://docs.rs/debug-async/latest/debug_async/findings/", stringify!($name), "/",
                )),* }
            }

            /// The level at which it is reported, unless a report says otherwise.
            pub const fn level(self) -> Level {
                match self { $(ReportKind::$variant => Level::$level),* }
            }
        }

        /// Calls `$emit!(target)` with the target of a kind as a constant: the
        /// metadata of a `tracing` event cannot be made at run time.
        macro_rules! with_target {
            ($kind:expr, $emit:ident) => {
                match $kind { $(ReportKind::$variant => $emit!(concat!("debug_async::", stringify!($name))),)* }
            };
        }
        pub(crate) use with_target;

        /// Calls `$emit!` with the names of all kinds.
        macro_rules! with_names {
            ($emit:ident) => { $emit! { $($name)* } };
        }
        pub(crate) use with_names;
    };
}

kinds! {
    /// A future, a stream or a task was dropped without one poll, or is alive and was
    /// never polled. asyncio: "coroutine … was never awaited".
    NeverPolled, never_polled, WARN;
    /// A task returned an `Err` that nobody looked at. asyncio: "Task exception
    /// was never retrieved".
    UnretrievedError, unretrieved_error, ERROR;
    /// A task panicked and nobody looked at its result.
    UnretrievedPanic, unretrieved_panic, ERROR;
    /// One poll took longer than the threshold: it blocked its thread. asyncio:
    /// `slow_callback_duration`.
    SlowPoll, slow_poll, WARN;
    /// A poll has been running for long, and still is: it blocks its thread.
    Blocked, blocked, WARN;
    /// Dropping a future took longer than the threshold.
    SlowDrop, slow_drop, WARN;
    /// A task waits, and nobody is left who can wake it: a future in it returned
    /// `Pending` and did not keep its waker, or somebody threw it away.
    LostWaker, lost_waker, WARN;
    /// A future was woken and is not polled, although its task is: whatever waits for
    /// what it was given waits for ever (a futurelock).
    Starved, starved, WARN;
    /// A task is polled again and again because it wakes itself: it waits for something
    /// by asking all the time.
    Busy, busy, WARN;
    /// A future was polled again after it had completed; a stream panicked when it was
    /// polled again after its end.
    PolledAfterCompletion, polled_after_completion, WARN;
    /// A future was first polled in one runtime, and then in another.
    WrongRuntime, wrong_runtime, WARN;
    /// Two tasks poll one future or stream in turn, although it keeps the waker of one.
    PolledByTwoTasks, polled_by_two_tasks, WARN;
    /// A `tracing` span was entered across an await point: it now covers what
    /// other tasks do on that thread.
    SpanAcrossAwait, span_across_await, WARN;
    /// Many tasks of one site live on that somebody waited for, and then did not: a
    /// `timeout` or a `select!` dropped their handles, which does not stop them.
    Abandoned, abandoned, WARN;
    /// A `JoinSet` keeps many results that nobody takes.
    UnjoinedResults, unjoined_results, WARN;
    /// A future that must complete was dropped between two polls.
    DroppedMidway, dropped_midway, WARN;
    /// A future or a task was dropped between two polls.
    Cancelled, cancelled, DEBUG;
    /// A large future was spawned.
    LargeFuture, large_future, DEBUG;
    /// A stream with async cleanup was dropped before it ended or was closed. asyncio
    /// closes such a generator in silence, and late.
    StreamNotClosed, stream_not_closed, WARN;
    /// The async cleanup of a stream failed where nobody looked, or could not be run.
    CleanupFailed, cleanup_failed, ERROR;
    /// A stream with async cleanup was dropped where no runtime runs that could close
    /// it.
    OutsideRuntime, outside_runtime, WARN;
    /// Tasks were left when main returned. asyncio: "Task was destroyed but it is
    /// pending".
    PendingAtShutdown, pending_at_shutdown, INFO;
    /// Most tasks of the runtime are not tracked: findings about them are missing.
    UntrackedTasks, untracked_tasks, INFO;
    /// A closure given to `spawn_blocking` waited long for a thread: all threads of
    /// the pool were taken.
    BlockingPoolFull, blocking_pool_full, WARN;
    /// The drop of a runtime waits for blocking closures that do not end.
    ShutdownHang, shutdown_hang, WARN;
    /// A writer was dropped with bytes written after its last flush, and loses them.
    UnflushedIo, unflushed_io, WARN;
    /// One operation of a reader or writer took long.
    SlowIo, slow_io, DEBUG;
    /// How often each finding was made whose repeats were held back.
    Summary, summary, INFO;
}

impl ReportKind {
    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<ReportKind> {
        ReportKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == name)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
