//! The arms that need no flag: ours, and the peers.

use std::future::Future;
use std::sync::LazyLock;

use await_tree::{InstrumentAwait as _, Registry};
use debug_async::prelude::*;
use tokio::task::JoinError;
use tokio_metrics::TaskMonitor;
use tracing::{Instrument as _, info_span};

pub use crate::loops::Bare;
use crate::loops::{Arm, Flavor, on_tokio};

/// The name of an arm, and the environment that it is run in.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it is called.
    pub name: &'static str,
    /// The variables that its child is given.
    pub env: &'static [(&'static str, &'static str)],
}

const fn spec(name: &'static str, env: &'static [(&'static str, &'static str)]) -> Spec {
    Spec { name, env }
}

const DEBUG: (&str, &str) = ("ASYNC_DEBUG", "1");
const NO_STACKS: (&str, &str) = ("ASYNC_DEBUG_STACK", "off");
const NO_AWAIT_STACKS: (&str, &str) = ("ASYNC_DEBUG_AWAIT_STACKS", "off");

/// On a busy machine any poll may take long; what is compared costs the same.
const QUIET: (&str, &str) = ("ASYNC_DEBUG_SLOW_POLL", "1h");

/// All of them, the one that others are compared with first.
pub const ARMS: &[Spec] = &[
    spec("bare", &[]),
    spec("off", &[("ASYNC_DEBUG", "off")]),
    spec("production", &[]),
    spec("debug", &[DEBUG, QUIET]),
    spec("debug, no await stacks", &[DEBUG, QUIET, NO_AWAIT_STACKS]),
    spec(
        "debug, no stacks",
        &[DEBUG, QUIET, NO_STACKS, NO_AWAIT_STACKS],
    ),
    spec("debug, subscriber", &[DEBUG, QUIET]),
    spec("tokio-metrics", &[]),
    spec("async-backtrace", &[]),
    spec("await-tree", &[]),
    spec("tracing", &[]),
];

/// Calls a function of an arm, by the arm's name; those that need a subscriber
/// have one then.
macro_rules! with_arm {
    ($name:expr, $module:ident::$function:ident $(, $argument:expr)*) => {{
        match $name {
            "bare" => crate::$module::$function::<crate::arms::Bare>($($argument),*),
            "off" | "production" | "debug" | "debug, no await stacks" | "debug, no stacks" => {
                crate::$module::$function::<crate::arms::Ours>($($argument),*)
            }
            "debug, subscriber" => {
                crate::arms::subscribe();
                crate::$module::$function::<crate::arms::Ours>($($argument),*)
            }
            "tokio-metrics" => crate::$module::$function::<crate::arms::Metrics>($($argument),*),
            "async-backtrace" => crate::$module::$function::<crate::arms::Backtrace>($($argument),*),
            "await-tree" => crate::$module::$function::<crate::arms::Tree>($($argument),*),
            "tracing" => {
                crate::arms::subscribe();
                crate::$module::$function::<crate::arms::Spans>($($argument),*)
            }
            name => panic!("no arm `{name}`"),
        }
    }};
}

pub(crate) use with_arm;

/// The subscriber that programs install, printing to nowhere.
pub fn subscribe() {
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
}

/// `tokio-metrics`: one monitor for all tasks, as its examples have it.
#[derive(Debug)]
pub struct Metrics;

static MONITOR: LazyLock<TaskMonitor> = LazyLock::new(TaskMonitor::new);

on_tokio!(
    Metrics,
    |future| TaskMonitor::instrument(&MONITOR, future),
    |future| TaskMonitor::instrument(&MONITOR, future)
);

/// `async-backtrace`: `frame!` around every future.
#[derive(Debug)]
pub struct Backtrace;

on_tokio!(
    Backtrace,
    |future| async_backtrace::frame!(future),
    |future| async_backtrace::frame!(future)
);

/// `await-tree`: every task is a root, every future a span with a fixed name.
#[derive(Debug)]
pub struct Tree;

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::new(await_tree::Config::default()));

fn in_tree<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let root = REGISTRY.register_anonymous("task");
    await_tree::TreeRoot::instrument(root, future)
}

on_tokio!(
    Tree,
    |future| in_tree(future),
    |future| future.instrument_await("future"),
    |future| in_tree(future)
);

/// `tracing`: a span around every future, and a `fmt` subscriber to see it.
#[derive(Debug)]
pub struct Spans;

on_tokio!(
    Spans,
    |future| future.instrument(info_span!("task")),
    |future| future.instrument(info_span!("future"))
);

/// `debug_async`, in the mode of the environment.
#[derive(Debug)]
pub struct Ours;

impl Arm for Ours {
    type Runtime = debug_async::runtime::Runtime;

    fn runtime(flavor: Flavor) -> Self::Runtime {
        let mut builder = match flavor {
            Flavor::Current | Flavor::CurrentDrivers => {
                debug_async::runtime::Builder::new_current_thread()
            }
            Flavor::Multi(workers) => {
                let mut builder = debug_async::runtime::Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
        };
        if flavor == Flavor::CurrentDrivers {
            builder.enable_all();
        }
        builder.build().expect("a runtime")
    }

    fn block_on<F: Future>(runtime: &Self::Runtime, future: F) -> F::Output {
        runtime.block_on(future)
    }

    #[inline]
    fn spawn<F>(future: F) -> impl Future<Output = Result<F::Output, JoinError>> + Send
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        debug_async::spawn!(future)
    }

    #[inline]
    fn spawn_on<F>(runtime: &Self::Runtime, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.handle().spawn(future);
    }

    #[inline]
    fn wrap<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        future.tracked()
    }
}
