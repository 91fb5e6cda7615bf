//! What `#[debug_async::main]` and `#[debug_async::test]` run.

use std::future::Future;
use std::panic::Location;
#[cfg(feature = "stream")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::LocalOptions;

#[cfg(feature = "stream")]
use super::Handle;
use super::time_limit::TimedOut;
use super::{Builder, LocalRuntime, Runtime};
use crate::clock;
use crate::config::Deny;
use crate::kind::ReportKind;
#[cfg(feature = "stream")]
use crate::mode;
use crate::mode::Scope;
use crate::notice;
use crate::report;
#[cfg(feature = "stream")]
use crate::stream;

type Place = &'static Location<'static>;

/// A runtime of either sort, as far as a main function is concerned.
trait Runs: Sized {
    fn build(builder: &mut Builder) -> std::io::Result<Self>;
    fn scope(&self) -> &Arc<Scope>;
    fn run<F: Future>(
        &self,
        limit: Option<Duration>,
        body: F,
        name: Option<String>,
        at: Place,
    ) -> Result<F::Output, TimedOut>;

    /// For a future of ours.
    #[cfg(feature = "stream")]
    fn run_quietly<F: Future>(&self, future: F) -> F::Output;
    #[cfg(feature = "stream")]
    fn handle(&self) -> &Handle;
}

macro_rules! runs {
    ($runtime:ident, |$builder:ident| $build:expr) => {
        impl Runs for $runtime {
            fn build($builder: &mut Builder) -> std::io::Result<Self> {
                $build
            }
            fn scope(&self) -> &Arc<Scope> {
                $runtime::scope(self)
            }
            fn run<F: Future>(
                &self,
                limit: Option<Duration>,
                body: F,
                name: Option<String>,
                at: Place,
            ) -> Result<F::Output, TimedOut> {
                self.block_on_within(limit, body, name, at)
            }
            #[cfg(feature = "stream")]
            fn run_quietly<F: Future>(&self, future: F) -> F::Output {
                let _entered = mode::enter(Some(Arc::clone(self.scope())));
                tokio::runtime::$runtime::block_on(self, future)
            }
            #[cfg(feature = "stream")]
            fn handle(&self) -> &Handle {
                $runtime::handle(self)
            }
        }
    };
}

runs!(Runtime, |builder| builder.build());
runs!(LocalRuntime, |builder| {
    builder.build_local(LocalOptions::default())
});

/// Tells all there is to tell when it is dropped: also when main panics.
struct Ending(Arc<Scope>);

impl Drop for Ending {
    fn drop(&mut self) {
        report::flush_at_end(&self.0);
    }
}

fn run<R: Runs, F: Future>(
    mut builder: Builder,
    body: F,
    name: Option<String>,
    at: Place,
) -> (Result<F::Output, TimedOut>, Arc<Scope>) {
    let limit = builder.time_limit();
    let runtime = R::build(&mut builder).expect("Failed building the Runtime");
    let scope = Arc::clone(runtime.scope());
    let ending = Ending(Arc::clone(&scope));
    let output = {
        // Dropped before `ending`, and so are the tasks that it leaves.
        let runtime = runtime;
        #[cfg(feature = "stream")]
        let _closing = Closing(&runtime);
        runtime.run(limit, body, name, at)
    };
    drop(ending);
    (output, scope)
}

/// Closes the streams that are left when it is dropped: also when main panics. No
/// frame of its own is around main, as one that catches would be.
#[cfg(feature = "stream")]
struct Closing<'a, R: Runs>(&'a R);

#[cfg(feature = "stream")]
impl<R: Runs> Drop for Closing<'_, R> {
    fn drop(&mut self) {
        if stream::has_open(self.0.handle().id()) {
            // A runtime that a task has shut down by its panic does not run again.
            let close = AssertUnwindSafe(|| self.0.run_quietly(stream::shutdown_streams()));
            let _ = catch_unwind(close);
        }
    }
}

/// The findings that are denied, as a line to read, if there are any: those of the
/// runtime, and those that were made outside of any.
fn denied(scope: &Arc<Scope>) -> Option<String> {
    let deny = &scope.settings().deny;
    if *deny == Deny::Nothing {
        return None;
    }
    report::flush_all_at_end();
    let scopes = [scope, Scope::process()];
    if *deny == Deny::All && scopes.iter().all(|scope| scope.severe() == 0) {
        return None;
    }
    let found = scopes.iter().flat_map(|scope| scope.found());
    let denied: Vec<_> = found.filter(|(kind, _)| deny.denies(*kind)).collect();
    (!denied.is_empty()).then(|| list(&denied))
}

fn list(found: &[(ReportKind, u64)]) -> String {
    let found: Vec<String> = found
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    found.join(", ")
}

/// The output of a body; panics if its time ran out.
#[track_caller]
fn in_time<T>(output: Result<T, TimedOut>) -> T {
    match output {
        Ok(output) => output,
        Err(TimedOut { limit, dump }) => {
            let limit = clock::human(limit);
            panic!("the test did not end within {limit}; this is where it was:\n{dump}");
        }
    }
}

fn main_in<R: Runs, F>(builder: Builder, body: F, at: Place) -> F::Output
where
    F: Future,
    F::Output: Termination,
{
    let (output, scope) = run::<R, F>(builder, body, None, at);
    let output = in_time(output);
    if let Some(denied) = denied(&scope) {
        // What main returned is said as it would have been, an `Err` for one.
        let _code: ExitCode = output.report();
        notice::to_stderr(&format!(
            "ERROR debug_async: denied by ASYNC_DEBUG_DENY: {denied}\n"
        ));
        std::process::exit(1);
    }
    output
}

#[track_caller]
fn test_in<R: Runs, F: Future>(mut builder: Builder, body: F, at: Place) -> F::Output {
    builder.for_test();
    // The attribute gives the body as a trait object, whose type says nothing; the
    // harness names its threads after the tests.
    let name = std::thread::current().name().map(str::to_owned);
    let (output, scope) = run::<R, F>(builder, body, name, at);
    let output = in_time(output);
    if scope.severe() > 0 {
        let lines: Vec<String> = scope
            .lines()
            .iter()
            .map(|line| format!("\n  {line}"))
            .collect();
        panic!(
            "debug_async made reports in this test: {}{}",
            list(&scope.found()),
            lines.concat()
        );
    }
    output
}

macro_rules! runners {
    ($($main:ident, $other:ident, $test:ident: $runtime:ty;)*) => {$(
        #[doc(hidden)]
        #[track_caller]
        pub fn $main<F>(builder: Builder, body: F) -> F::Output
        where
            F: Future,
            F::Output: Termination,
        {
            main_in::<$runtime, F>(builder, body, Location::caller())
        }

        #[doc(hidden)]
        #[track_caller]
        pub fn $other<F: Future>(builder: Builder, body: F) -> F::Output {
            in_time(run::<$runtime, F>(builder, body, None, Location::caller()).0)
        }

        #[doc(hidden)]
        #[track_caller]
        pub fn $test<F: Future>(builder: Builder, body: F) -> F::Output {
            test_in::<$runtime, F>(builder, body, Location::caller())
        }
    )*};
}

runners! {
    run_main, run_entry, run_test: Runtime;
    run_main_local, run_entry_local, run_test_local: LocalRuntime;
}
