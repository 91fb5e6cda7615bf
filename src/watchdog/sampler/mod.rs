//! The stack of another thread of this process, while it blocks.
//!
//! A signal makes the thread copy its registers and its stack, in a handler that
//! does nothing else; the copy is walked here. Linux on x86-64 and aarch64 can do
//! it; elsewhere every answer is that it cannot be done.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[path = "linux/mod.rs"]
mod platform;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "unsupported.rs"]
mod platform;

pub(crate) use self::platform::{Sampler, Thread};

use std::fmt;

use crate::config;
use crate::stack::Captured;

/// A thread as it was at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) stack: Captured,
    /// Whether the outer end of the stack is missing: it is longer than what is
    /// copied of it, or code stands in the way of which no table tells.
    pub(crate) cut: bool,
    /// What the mark was at that moment.
    pub(crate) mark: u64,
    /// The task that the thread was polling.
    pub(crate) task: Option<tokio::task::Id>,
}

/// Why there is no sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This platform has none.
    #[cfg_attr(
        all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ),
        expect(dead_code)
    )]
    Unsupported,
    /// The signal has another meaning, or there is no such signal.
    Unusable(i32),
    /// There is one already.
    Taken,
    /// Somebody put another handler over ours, when there was one.
    Replaced { signal: i32 },
    /// The system did not accept our handler.
    Failed { signal: i32, errno: i32 },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no stacks are taken of threads that block: ")?;
        match *self {
            Refused::Unsupported => f.write_str("this platform has no way to do it"),
            Refused::Unusable(signal) => {
                let name = config::name_of(signal);
                write!(f, "{name} cannot be used for it")
            }
            Refused::Taken => f.write_str("something in this process does it already"),
            Refused::Replaced { signal } => {
                let name = config::name_of(signal);
                write!(
                    f,
                    "the program has installed a handler for {name} since it began"
                )
            }
            Refused::Failed { signal, errno } => {
                let name = config::name_of(signal);
                let error = std::io::Error::from_raw_os_error(errno);
                write!(f, "the system refused a handler for {name} ({error})")
            }
        }
    }
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Somebody put another handler over ours. There will be no more samples.
    Replaced { signal: i32 },
    /// The thread has ended.
    Gone,
    /// The thread did not answer in time: it holds the signal back, waits for what
    /// no signal interrupts (a disk, say), or gets no CPU.
    Unanswered,
    /// The system refused to send the signal.
    Failed { signal: i32, errno: i32 },
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Missed::Replaced { signal } => {
                let name = config::name_of(signal);
                write!(
                    f,
                    "the program has installed a handler for {name}, so no more stacks are \
                     taken of threads that block; ASYNC_DEBUG_SAMPLE_SIGNAL takes another signal"
                )
            }
            Missed::Gone => f.write_str("the thread has ended"),
            Missed::Unanswered => f.write_str("the thread did not answer the signal"),
            Missed::Failed { signal, errno } => {
                let name = config::name_of(signal);
                let error = std::io::Error::from_raw_os_error(errno);
                write!(f, "the system refused to send {name} ({error})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_named() {
        let refused = Sampler::install(9).err().expect("not that one");
        let text = refused.to_string();
        let names_it = text.contains("SIGKILL") || cfg!(not(target_os = "linux"));
        assert!(names_it, "{text}");
        let text = Missed::Replaced { signal: 23 }.to_string();
        assert!(text.contains("ASYNC_DEBUG_SAMPLE_SIGNAL"), "{text}");
    }
}
