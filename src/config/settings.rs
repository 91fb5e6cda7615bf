//! The settings in force: a [`Config`] with the defaults filled in, and the one
//! value that can change while the program runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{Config, Deny, Signal, StackMode};

pub(super) const SLOW_POLL: Duration = Duration::from_millis(100);
const BLOCKED: Duration = Duration::from_secs(1);
const NEVER_POLLED_AFTER: Duration = Duration::from_secs(5);
const UNRETRIEVED_AFTER: Duration = Duration::from_secs(5);
const SHUTDOWN_HANG: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const LARGE_FUTURE: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Settings {
    slow_poll: AtomicU64,
    pub(crate) stack: StackMode,
    pub(crate) await_stacks: bool,
    pub(crate) blocked: Duration,
    pub(crate) never_polled_after: Duration,
    pub(crate) unretrieved_after: Duration,
    pub(crate) large_future: usize,
    pub(crate) shutdown_hang: Duration,
    #[cfg_attr(not(feature = "stream"), allow(dead_code))]
    pub(crate) close_timeout: Duration,
    pub(crate) deny: Deny,
    pub(crate) sample_signal: Signal,
    /// `None`: `SIGUSR1`, unless the program handles it.
    pub(crate) dump_signal: Option<Signal>,
}

impl Settings {
    pub(crate) fn new(config: Config) -> Settings {
        let settings = Settings {
            slow_poll: AtomicU64::new(0),
            stack: config.stack.unwrap_or_default(),
            await_stacks: config.await_stacks.unwrap_or(true),
            blocked: config.blocked.unwrap_or(BLOCKED),
            never_polled_after: config.never_polled_after.unwrap_or(NEVER_POLLED_AFTER),
            unretrieved_after: config.unretrieved_after.unwrap_or(UNRETRIEVED_AFTER),
            large_future: config.large_future.unwrap_or(LARGE_FUTURE),
            shutdown_hang: config.shutdown_hang.unwrap_or(SHUTDOWN_HANG),
            close_timeout: config.close_timeout.unwrap_or(CLOSE_TIMEOUT),
            deny: config.deny.unwrap_or_default(),
            sample_signal: config.sample_signal.unwrap_or(Signal::URG),
            dump_signal: config.dump_signal,
        };
        settings.set_slow_poll(config.slow_poll.unwrap_or(SLOW_POLL));
        settings
    }

    pub(crate) fn slow_poll(&self) -> Duration {
        Duration::from_nanos(self.slow_poll_nanos())
    }

    #[inline]
    pub(crate) fn slow_poll_nanos(&self) -> u64 {
        self.slow_poll.load(Relaxed)
    }

    pub(crate) fn set_slow_poll(&self, threshold: Duration) {
        let nanos = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self.slow_poll.store(nanos, Relaxed);
    }
}
