//! A scenario on a runtime.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::future::Future;

use debug_async::config::Config;
use debug_async::runtime::Builder;

use super::child::{self, Program};
use super::{Expected, Output, Seen, check, collect, take_seen};

/// Whose runtime it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// This crate's: the mode is the runtime's.
    Ours,
    /// tokio's own: the mode is the process's.
    Tokio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
}

/// Where a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) host: Host,
    pub(crate) flavor: Flavor,
    pub(crate) debug: bool,
}

pub(crate) const fn case(host: Host, flavor: Flavor, debug: bool) -> Case {
    Case {
        host,
        flavor,
        debug,
    }
}

const ALL: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Ours, Flavor::MultiThread, true),
    case(Host::Ours, Flavor::CurrentThread, false),
    case(Host::Ours, Flavor::MultiThread, false),
    case(Host::Tokio, Flavor::MultiThread, true),
];

/// Of the eight, four in which each pair of things meets: for what must hold in
/// all of them anyway.
const SOME: &[Case] = &[
    case(Host::Ours, Flavor::CurrentThread, true),
    case(Host::Tokio, Flavor::MultiThread, true),
    case(Host::Ours, Flavor::MultiThread, false),
    case(Host::Tokio, Flavor::CurrentThread, false),
];

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.debug { "debug" } else { "production" };
        write!(f, "{:?} {:?} {mode}", self.host, self.flavor)
    }
}

/// A runtime of some sort, on which a scenario runs.
pub(crate) struct Run {
    pub(crate) case: Case,
    config: RefCell<Config>,
    runtime: OnceCell<AnyRuntime>,
    checked: bool,
}

enum AnyRuntime {
    Ours(debug_async::runtime::Runtime),
    Tokio(tokio::runtime::Runtime),
}

impl Run {
    fn new(case: Case) -> Run {
        Run {
            case,
            config: RefCell::new(Config::new()),
            runtime: OnceCell::new(),
            checked: false,
        }
    }

    /// Settings for the runtime, before it first runs; ours only.
    pub(crate) fn config(&self, config: Config) {
        assert!(self.runtime.get().is_none(), "it runs already");
        *self.config.borrow_mut() = config;
    }

    fn runtime(&self) -> &AnyRuntime {
        self.runtime.get_or_init(|| self.build())
    }

    fn build(&self) -> AnyRuntime {
        let config = self.config.borrow().clone();
        match self.case.host {
            Host::Ours => {
                let mut builder = match self.case.flavor {
                    Flavor::CurrentThread => Builder::new_current_thread(),
                    Flavor::MultiThread => Builder::new_multi_thread(),
                };
                builder.enable_all().worker_threads(2);
                let builder = builder.debug(self.case.debug).config(config);
                AnyRuntime::Ours(builder.build().expect("a runtime can be built"))
            }
            Host::Tokio => {
                debug_async::set_debug(self.case.debug);
                let mut builder = match self.case.flavor {
                    Flavor::CurrentThread => tokio::runtime::Builder::new_current_thread(),
                    Flavor::MultiThread => tokio::runtime::Builder::new_multi_thread(),
                };
                builder.enable_all().worker_threads(2);
                AnyRuntime::Tokio(builder.build().expect("a runtime can be built"))
            }
        }
    }

    #[track_caller]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.runtime() {
            AnyRuntime::Ours(runtime) => runtime.block_on(future),
            AnyRuntime::Tokio(runtime) => runtime.block_on(future),
        }
    }

    pub(crate) fn handle(&self) -> debug_async::runtime::Handle {
        match self.runtime() {
            AnyRuntime::Ours(runtime) => runtime.handle().clone(),
            AnyRuntime::Tokio(runtime) => runtime.handle().clone().into(),
        }
    }

    /// Drops the runtime; another is built when it is next needed.
    pub(crate) fn restart(&mut self) {
        drop(self.runtime.take());
    }

    /// Drops the runtime, and gives what was reported.
    pub(crate) fn finish(&mut self) -> Vec<Seen> {
        self.checked = true;
        drop(self.runtime.take());
        debug_async::flush();
        take_seen()
    }

    /// Drops the runtime, and fails unless exactly this was reported.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[Expected]) {
        let seen = self.finish();
        if let Err(wrong) = check(&seen, expected) {
            panic!("{}:\n{wrong}", self.case);
        }
    }
}

/// Runs a scenario in each of these cases, each in a process of its own.
#[track_caller]
pub(crate) fn on<F: Fn(&mut Run)>(cases: &[Case], scenario: F) {
    on_as(std::any::type_name::<F>(), cases, scenario);
}

#[track_caller]
fn on_as(closure: &str, cases: &[Case], scenario: impl Fn(&mut Run)) {
    let outputs = cases.iter().zip(outputs_as(closure, cases, scenario));
    let failures: Vec<String> = outputs
        .filter(|(_, output)| output.code != Some(0))
        .map(|(case, output)| format!("in {case}: {output}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The same, and gives what the processes said.
#[track_caller]
pub(crate) fn outputs<F: Fn(&mut Run)>(cases: &[Case], scenario: F) -> Vec<Output> {
    outputs_as(std::any::type_name::<F>(), cases, scenario)
}

/// The name of the test is in the name of a closure of it.
#[track_caller]
fn outputs_as(closure: &str, cases: &[Case], scenario: impl Fn(&mut Run)) -> Vec<Output> {
    let in_child = || {
        let name = child::case();
        let case = ALL.iter().chain(SOME).find(|case| case.to_string() == name);
        let mut run = Run::new(*case.expect("the parent names one of them"));
        collect();
        scenario(&mut run);
        assert!(run.checked, "the scenario does not look at the reports");
    };
    let Some(program) = Program::of(closure, in_child) else {
        std::process::exit(0)
    };
    let outputs = cases
        .iter()
        .map(|case| program.run_case(&case.to_string(), &[]));
    outputs.collect()
}

/// Runs a scenario in every flavour, in debug and in production.
#[track_caller]
pub(crate) fn everywhere<F: Fn(&mut Run)>(scenario: F) {
    on(ALL, scenario);
}

/// Runs a scenario in every flavour in debug mode.
#[track_caller]
pub(crate) fn in_debug<F: Fn(&mut Run)>(scenario: F) {
    let cases: Vec<Case> = ALL.iter().copied().filter(|case| case.debug).collect();
    on(&cases, scenario);
}

/// Runs a future in both flavours and both modes, and fails if there is any report.
#[track_caller]
pub(crate) fn silent<F: AsyncFn()>(scenario: F) {
    silent_as::<F>(scenario);
}

/// The same, for a test that the closure of type `T` is in.
#[track_caller]
pub(crate) fn silent_as<T>(scenario: impl AsyncFn()) {
    on_as(std::any::type_name::<T>(), SOME, |run| {
        run.block_on(scenario());
        run.expect(&[]);
    });
}
