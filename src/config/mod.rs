//! The settings: what they are, where they come from, what they start as.
//!
//! Three layers, each over the one before: the defaults, the environment
//! ([`VARS`] is the whole table), and what the program says itself with a
//! [`Config`] given to [`runtime::Builder::config`](crate::runtime::Builder::config).
//!
//! A bad value in the environment gives one warning that names the variable and
//! what it accepts; the default then holds and the program goes on. To have an
//! error instead, read it yourself with [`Config::from_env`].
//!
//! ```
//! use std::time::Duration;
//! use debug_async::config::{Config, StackMode};
//!
//! let config = Config::new()
//!     .slow_poll(Duration::from_millis(50))
//!     .stack(StackMode::Off);
//! assert_eq!(config.get_slow_poll(), Duration::from_millis(50));
//! ```

mod env;
mod settings;
mod signal;

pub use self::env::{ConfigError, VARS, Var};
pub(crate) use self::env::{Environment, SwitchedTo};
pub(crate) use self::settings::Settings;
pub use self::signal::Signal;
pub(crate) use self::signal::{is_usable, name_of};

use std::time::Duration;

use crate::kind::ReportKind;

/// How much of the stack is kept and shown of where a thing was created.
///
/// Only debug mode takes stacks at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StackMode {
    /// None. The creation site (file, line, column) is always there.
    Off,
    /// Your own frames and the first library frame they called; the number of
    /// frames that were hidden. The default.
    #[default]
    Short,
    /// Every frame.
    Full,
}

/// Which findings a program is not allowed to make.
///
/// Given by `ASYNC_DEBUG_DENY` or [`Config::deny`]; `#[debug_async::main]` then
/// exits with a failure if one of them was made.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Deny {
    /// Nothing is denied. The default.
    #[default]
    Nothing,
    /// Every report of level `WARN` or above.
    All,
    /// The named kinds.
    Kinds(Vec<ReportKind>),
}

impl Deny {
    pub(crate) fn denies(&self, kind: ReportKind) -> bool {
        match self {
            Deny::Nothing => false,
            Deny::All => true,
            // A block is a slow poll that was told before its end.
            Deny::Kinds(kinds) => {
                kinds.contains(&kind)
                    || kind == ReportKind::Blocked && kinds.contains(&ReportKind::SlowPoll)
            }
        }
    }
}

/// Settings, built by value. What is not set is left to the layer below.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use debug_async::{config::Config, runtime::Builder};
///
/// let runtime = Builder::new_current_thread()
///     .debug(true)
///     .config(Config::new().slow_poll(Duration::from_millis(20)))
///     .build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a `Config` does nothing until it is given to a `runtime::Builder`"]
pub struct Config {
    slow_poll: Option<Duration>,
    blocked: Option<Duration>,
    stack: Option<StackMode>,
    await_stacks: Option<bool>,
    never_polled_after: Option<Duration>,
    unretrieved_after: Option<Duration>,
    large_future: Option<usize>,
    shutdown_hang: Option<Duration>,
    close_timeout: Option<Duration>,
    deny: Option<Deny>,
    sample_signal: Option<Signal>,
    dump_signal: Option<Signal>,
}

impl Config {
    /// No setting at all: everything is as the environment and the defaults say.
    pub fn new() -> Config {
        Config::default()
    }

    /// A poll, or a drop, that takes this long is reported. Default: 100 ms
    /// (asyncio's `slow_callback_duration`). Zero reports every one.
    pub fn slow_poll(mut self, threshold: Duration) -> Config {
        self.slow_poll = Some(threshold);
        self
    }

    /// A poll that has been running for this long is reported while it still runs, and
    /// again at 10 times and 100 times that. Default: 1 s.
    pub fn blocked(mut self, age: Duration) -> Config {
        self.blocked = Some(age);
        self
    }

    /// How much of a creation stack is kept. Default: [`StackMode::Short`].
    pub fn stack(mut self, stack: StackMode) -> Config {
        self.stack = Some(stack);
        self
    }

    /// Whether the stack of each leaf that is waited on is kept, which
    /// [`dump`](crate::dump()) shows as the awaits down to it. It is taken whenever a
    /// waker is cloned; without it clones are only counted. Default: on, in debug mode.
    pub fn await_stacks(mut self, on: bool) -> Config {
        self.await_stacks = Some(on);
        self
    }

    /// In debug mode, an object that is this old and was never polled is
    /// reported although it is still alive. Default: 5 s.
    pub fn never_polled_after(mut self, age: Duration) -> Config {
        self.never_polled_after = Some(age);
        self
    }

    /// An error or a panic of a task is reported when nobody has looked at it
    /// for this long, although the handle is still there. Default: 5 s.
    pub fn unretrieved_after(mut self, age: Duration) -> Config {
        self.unretrieved_after = Some(age);
        self
    }

    /// A future of at least so many bytes is reported when it is spawned, at
    /// level `DEBUG`, once a site. Default: 16 384.
    pub fn large_future(mut self, bytes: usize) -> Config {
        self.large_future = Some(bytes);
        self
    }

    /// A runtime whose drop has waited this long for blocking closures is reported.
    /// Default: 5 s.
    pub fn shutdown_hang(mut self, limit: Duration) -> Config {
        self.shutdown_hang = Some(limit);
        self
    }

    /// How long `stream::shutdown_streams`, and with it the end of
    /// `#[debug_async::main]`, waits for the cleanups of streams. Default: 5 s.
    pub fn close_timeout(mut self, limit: Duration) -> Config {
        self.close_timeout = Some(limit);
        self
    }

    /// Which findings make `#[debug_async::main]` exit with a failure.
    /// Default: none.
    pub fn deny(mut self, deny: Deny) -> Config {
        self.deny = Some(deny);
        self
    }

    /// The signal that takes the stack of a thread while it blocks. Default: `SIGURG`.
    ///
    /// Only Linux on x86-64 and aarch64 takes such stacks; elsewhere the setting has no
    /// effect. A handler that the program had installed before keeps getting the signals
    /// that are not ours; if it installs one later, no more stacks are taken, and a
    /// warning says so.
    ///
    /// The thread goes on with the system call in which the signal met it. There are a
    /// few that never go on after a signal, whatever the program asks for: `poll`,
    /// `epoll_wait`, `nanosleep` and some more, which `signal(7)` lists. The standard
    /// library and tokio begin those anew; so must code that calls them itself.
    pub fn sample_signal(mut self, signal: Signal) -> Config {
        self.sample_signal = Some(signal);
        self
    }

    /// The signal that writes a [`dump`](crate::dump()) to stderr, as a tree, in debug
    /// mode: `kill -USR1` shows where a program hangs. Default: `SIGUSR1`, unless the
    /// program handles it.
    ///
    /// Only on Linux; elsewhere the setting has no effect. It is for the whole process,
    /// and the first thing that is tracked in debug mode says which it is. From then on
    /// `SIGUSR1` does not end the program. A signal that is set here dumps whoever else
    /// handles it: a handler that was there before is called too.
    pub fn dump_signal(mut self, signal: Signal) -> Config {
        self.dump_signal = Some(signal);
        self
    }

    /// The threshold of slow polls that is set here, or the default.
    pub fn get_slow_poll(&self) -> Duration {
        self.slow_poll.unwrap_or(settings::SLOW_POLL)
    }

    /// The settings that the environment gives as it is now. Those that this crate
    /// goes by itself it has read once: give these to a
    /// [`runtime::Builder`](crate::runtime::Builder::config) to have them hold.
    ///
    /// # Errors
    ///
    /// If any variable of [`VARS`] has a value that it does not accept, or a
    /// variable begins with `ASYNC_DEBUG_` and is none of them.
    pub fn from_env() -> Result<Config, ConfigError> {
        let environment = Environment::read();
        match environment.problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(environment.config),
        }
    }

    /// The same, bad settings passed over in silence.
    pub fn from_env_lossy() -> Config {
        Environment::read().config
    }

    /// These settings over those of `below`.
    pub(crate) fn over(self, below: Config) -> Config {
        Config {
            slow_poll: self.slow_poll.or(below.slow_poll),
            blocked: self.blocked.or(below.blocked),
            stack: self.stack.or(below.stack),
            await_stacks: self.await_stacks.or(below.await_stacks),
            never_polled_after: self.never_polled_after.or(below.never_polled_after),
            unretrieved_after: self.unretrieved_after.or(below.unretrieved_after),
            large_future: self.large_future.or(below.large_future),
            shutdown_hang: self.shutdown_hang.or(below.shutdown_hang),
            close_timeout: self.close_timeout.or(below.close_timeout),
            deny: self.deny.or(below.deny),
            sample_signal: self.sample_signal.or(below.sample_signal),
            dump_signal: self.dump_signal.or(below.dump_signal),
        }
    }
}
