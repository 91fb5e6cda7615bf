//! Each finding as a program that makes it, and as one that does not: the programs of
//! the pages in `docs/findings/`.
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example findings -- never_polled
//! $ ASYNC_DEBUG=1 cargo run --example findings -- never_polled fixed
//! ```
//!
//! The first makes one report, the second none. Each is a whole program, as it stands on
//! its page: here a module, so that all of them are linked once.

use std::process::{ExitCode, Termination};

// First, so that its lines stay the same in the stacks of all reports.
macro_rules! programs {
    ($($kind:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        fn program(kind: &str, is_fixed: bool) -> Option<fn() -> ExitCode> {
            match kind {
                $(stringify!($kind) if is_fixed => Some(|| $kind::fixed::main().report()),)*
                $(stringify!($kind) => Some(|| $kind::bug::main().report()),)*
                _ => None,
            }
        }
    };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = match arguments[..] {
        [kind] => program(kind, false),
        [kind, "fixed"] => program(kind, true),
        _ => None,
    };
    let Some(program) = program else {
        eprintln!("findings <kind> [fixed], where <kind> is one of:");
        KINDS.iter().for_each(|kind| eprintln!("  {kind}"));
        return ExitCode::from(2);
    };
    program()
}

mod never_polled {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod unretrieved_error {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod unretrieved_panic {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod slow_poll {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod blocked {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod slow_drop {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod lost_waker {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod starved {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod busy {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod polled_after_completion {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod wrong_runtime {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod polled_by_two_tasks {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod span_across_await {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod abandoned {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod unjoined_results {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod dropped_midway {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod cancelled {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod large_future {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod stream_not_closed {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod cleanup_failed {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod outside_runtime {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod pending_at_shutdown {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod untracked_tasks {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod blocking_pool_full {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod shutdown_hang {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod unflushed_io {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod slow_io {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod summary {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}

#[macro_use]
mod kinds;

kinds!(programs);
