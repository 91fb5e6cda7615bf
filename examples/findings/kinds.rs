//! All findings, for the programs and for the test that runs them.

macro_rules! kinds {
    ($emit:ident) => {
        $emit! {
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
    };
}
