//! What a runtime is to be like.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, LocalOptions, RuntimeFlavor};

use super::owned::Origin;
use super::{LocalRuntime, Runtime};
use crate::config::{Config, Environment, SwitchedTo};
use crate::detect::blocking_pool_full;
use crate::mode::{self, Mode, Scope};
use crate::watchdog;

/// Builds a runtime: [`tokio::runtime::Builder`] with [`debug`](Builder::debug)
/// and [`config`](Builder::config).
///
/// A method that is not here is reached through [`as_tokio`](Builder::as_tokio).
///
/// # Examples
///
/// ```
/// use debug_async::runtime::Builder;
///
/// let mut builder = Builder::new_current_thread();
/// builder.enable_all().debug(true);
/// let runtime = builder.build()?;
/// assert!(runtime.block_on(async { debug_async::is_debug() }));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Builder {
    inner: tokio::runtime::Builder,
    debug: Option<bool>,
    config: Config,
    is_test: bool,
    time_limit: Option<Duration>,
    max_blocking_threads: usize,
    on_thread_start: Option<Callback>,
    on_thread_park: Option<Callback>,
    event_interval: Option<u32>,
    on_thread_stop: Option<Callback>,
    #[cfg(tokio_unstable)]
    pub(super) callbacks: super::hooks::Callbacks,
}

/// What tokio takes if nothing is said.
const MAX_BLOCKING_THREADS: usize = 512;

type Callback = Arc<dyn Fn() + Send + Sync>;

macro_rules! forward {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {$(
        $(#[$attribute])*
        #[doc = concat!("See [`tokio::runtime::Builder::", stringify!($name), "`].")]
        pub fn $name(&mut self, $($argument: $type),*) -> &mut Self {
            self.inner.$name($($argument),*);
            self
        }
    )*};
}

impl Builder {
    fn new(inner: tokio::runtime::Builder) -> Builder {
        Builder {
            inner,
            debug: None,
            config: Config::new(),
            is_test: false,
            time_limit: None,
            max_blocking_threads: MAX_BLOCKING_THREADS,
            on_thread_start: None,
            on_thread_park: None,
            event_interval: None,
            on_thread_stop: None,
            #[cfg(tokio_unstable)]
            callbacks: super::hooks::Callbacks::default(),
        }
    }

    /// See [`tokio::runtime::Builder::new_current_thread`].
    pub fn new_current_thread() -> Builder {
        Builder::new(tokio::runtime::Builder::new_current_thread())
    }

    /// See [`tokio::runtime::Builder::new_multi_thread`].
    #[cfg(feature = "rt-multi-thread")]
    pub fn new_multi_thread() -> Builder {
        Builder::new(tokio::runtime::Builder::new_multi_thread())
    }

    /// Switches debug mode on (`true`) or to production (`false`), whatever the
    /// environment says. Without this, the environment decides.
    pub fn debug(&mut self, debug: bool) -> &mut Self {
        self.debug = Some(debug);
        self
    }

    /// Settings that hold for this runtime, over those of the environment.
    pub fn config(&mut self, config: Config) -> &mut Self {
        self.config = config;
        self
    }

    /// The threshold of slow polls: [`Config::slow_poll`] alone.
    pub fn slow_poll(&mut self, threshold: Duration) -> &mut Self {
        self.config = std::mem::take(&mut self.config).slow_poll(threshold);
        self
    }

    /// tokio's builder in it, for what is not forwarded here.
    ///
    /// The callbacks of `on_thread_start`, `on_thread_stop` and `on_thread_park` are this
    /// crate's, which calls yours: set them with the methods of those names here. So are
    /// those for tasks, which tokio has under `--cfg tokio_unstable`. And say [`max_blocking_threads`](Builder::max_blocking_threads) here, or a pool that
    /// is full is not known to be.
    pub fn as_tokio(&mut self) -> &mut tokio::runtime::Builder {
        &mut self.inner
    }

    /// See [`tokio::runtime::Builder::on_thread_start`].
    pub fn on_thread_start<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.on_thread_start = Some(Arc::new(f));
        self
    }

    /// See [`tokio::runtime::Builder::on_thread_stop`].
    pub fn on_thread_stop<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.on_thread_stop = Some(Arc::new(f));
        self
    }

    /// See [`tokio::runtime::Builder::on_thread_park`].
    pub fn on_thread_park<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.on_thread_park = Some(Arc::new(f));
        self
    }

    /// See [`tokio::runtime::Builder::on_thread_unpark`].
    pub fn on_thread_unpark<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.inner.on_thread_unpark(f);
        self
    }

    /// See [`tokio::runtime::Builder::thread_name_fn`].
    pub fn thread_name_fn<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.inner.thread_name_fn(f);
        self
    }

    /// See [`tokio::runtime::Builder::max_blocking_threads`].
    #[track_caller]
    pub fn max_blocking_threads(&mut self, val: usize) -> &mut Self {
        self.inner.max_blocking_threads(val);
        self.max_blocking_threads = val;
        self
    }

    forward! {
        enable_all();
        #[cfg(feature = "net")]
        enable_io();
        #[cfg(feature = "time")]
        enable_time();
        #[cfg(feature = "test-util")]
        start_paused(start_paused: bool);
        #[track_caller]
        worker_threads(val: usize);
        #[track_caller]
        name(val: impl Into<String>);
        thread_name(val: impl Into<String>);
        thread_stack_size(val: usize);
        thread_keep_alive(duration: Duration);
        #[track_caller]
        global_queue_interval(val: u32);
    }

    /// See [`tokio::runtime::Builder::event_interval`].
    ///
    /// In debug mode it is also what tells a long poll of an untracked task from
    /// many short ones: see [`watch`](crate::watch).
    #[track_caller]
    pub fn event_interval(&mut self, val: u32) -> &mut Self {
        self.inner.event_interval(val);
        self.event_interval = Some(val);
        self
    }

    /// See [`tokio::runtime::Builder::build`].
    ///
    /// # Errors
    ///
    /// As tokio's: if threads or the I/O driver cannot be had.
    pub fn build(&mut self) -> io::Result<Runtime> {
        let origin = self.origin();
        let runtime = self.inner.build()?;
        self.limit_threads(&origin.scope, runtime.handle());
        Ok(Runtime::new_in(runtime, origin))
    }

    /// See [`tokio::runtime::Builder::build_local`].
    ///
    /// # Errors
    ///
    /// As tokio's.
    ///
    /// # Panics
    ///
    /// As tokio's: if this is not a builder of a `current_thread` runtime.
    #[track_caller]
    pub fn build_local(&mut self, options: LocalOptions) -> io::Result<LocalRuntime> {
        let origin = self.origin();
        let runtime = self.inner.build_local(options)?;
        self.limit_threads(&origin.scope, runtime.handle());
        Ok(LocalRuntime::new_in(runtime, origin))
    }

    /// A runtime that runs a test: debug mode is on by itself.
    pub(super) fn for_test(&mut self) -> &mut Self {
        self.is_test = true;
        self
    }

    /// How long the body of a test may take; for `#[test(timeout = "…")]`.
    #[doc(hidden)]
    pub fn test_timeout(&mut self, limit: Duration) -> &mut Self {
        self.time_limit = Some(limit);
        self
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// What the runtime to be built is to have: the switch and settings, which its
    /// threads enter as they start, and a number for the watchdog, to which they say
    /// what they run.
    fn origin(&mut self) -> Origin {
        // Says what is wrong in the environment, once.
        let process = Scope::process();
        let environment = Environment::get();
        // `set_slow_poll` may have been called before.
        let slow_poll = process.settings().slow_poll();
        let below = environment.config.clone().slow_poll(slow_poll);
        let config = self.config.clone().over(below);
        let scope = Scope::new(self.mode(environment.switch), config);
        let number = watchdog::number();
        let (entered, user) = (Arc::clone(&scope), self.on_thread_start.clone());
        self.inner.on_thread_start(move || {
            mode::stay_in(&entered);
            if entered.mode() == Mode::Debug {
                watchdog::on_worker(number, None);
            }
            entered.threads().began();
            if let Some(user) = &user {
                user();
            }
            // What the callback takes is part of the start.
            blocking_pool_full::thread_began();
        });
        let (left, user) = (Arc::clone(&scope), self.on_thread_stop.clone());
        self.inner.on_thread_stop(move || {
            if let Some(user) = &user {
                user();
            }
            left.threads().ended();
        });
        let (entered, user) = (Arc::clone(&scope), self.on_thread_park.clone());
        self.inner.on_thread_park(move || {
            if entered.mode() == Mode::Debug {
                watchdog::on_worker(number, tokio::runtime::worker_index());
            }
            if let Some(user) = &user {
                user();
            }
        });
        #[cfg(tokio_unstable)]
        self.callbacks.chain(&mut self.inner, &scope);
        Origin {
            scope,
            number,
            event_interval: self.event_interval,
        }
    }

    /// Says how many threads the runtime may have.
    fn limit_threads(&self, scope: &Scope, runtime: &Handle) {
        let workers = match runtime.runtime_flavor() {
            // The worker is the thread that calls `block_on`.
            RuntimeFlavor::CurrentThread => 0,
            _ => runtime.metrics().num_workers(),
        };
        scope
            .threads()
            .set_most(self.max_blocking_threads.saturating_add(workers));
    }

    fn mode(&self, switch: Option<SwitchedTo>) -> Mode {
        match (self.debug, switch) {
            // In a report hook.
            _ if mode::is_silent() => Mode::Off,
            (Some(true), _) => Mode::Debug,
            (Some(false), _) => Mode::Production,
            (None, Some(SwitchedTo::Off)) if self.is_test => Mode::Off,
            (None, _) if self.is_test => Mode::Debug,
            // As the process is: `set_debug` may have been called before.
            (None, _) => Scope::process().mode(),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("inner", &self.inner)
            .field("debug", &self.debug)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
