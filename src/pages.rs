//! The pages of `docs/`, as modules that have nothing else in them.

#[doc = include_str!("../docs/from-asyncio.md")]
pub mod from_asyncio {}

#[doc = include_str!("../docs/beside.md")]
pub mod beside {}

macro_rules! findings {
    ($($kind:ident)*) => {
        // The index links to files, which is right where files are read. Of two
        // definitions of a link the first counts.
        $(#[doc = concat!("[`", stringify!($kind), "`]: ", stringify!($kind), "/index.html")])*
        #[doc = ""]
        #[doc = include_str!("../docs/findings/README.md")]
        pub mod findings {
            $(
                #[doc = include_str!(concat!("../docs/findings/", stringify!($kind), ".md"))]
                pub mod $kind {}
            )*
        }
    };
}

findings! {
    never_polled
    unretrieved_error
    unretrieved_panic
    slow_poll
    blocked
    slow_drop
    lost_waker
    starved
    busy
    polled_after_completion
    wrong_runtime
    polled_by_two_tasks
    span_across_await
    abandoned
    unjoined_results
    dropped_midway
    cancelled
    large_future
    stream_not_closed
    cleanup_failed
    outside_runtime
    pending_at_shutdown
    untracked_tasks
    blocking_pool_full
    shutdown_hang
    unflushed_io
    slow_io
    summary
}
