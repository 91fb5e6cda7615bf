//! A function that panics as tokio's does names the caller's line, as tokio's does.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Handle};
use debug_async::task::{self, JoinSet, LocalSet};
use support::{Expected, Program, collect, take_seen};

/// Where the panic of `f` was: file and line.
fn panics_at(f: impl FnOnce()) -> (String, u32) {
    static ONE: Mutex<()> = Mutex::new(());
    static PLACE: Mutex<Option<(String, u32)>> = Mutex::new(None);
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| (at.file().to_owned(), at.line()));
        *PLACE.lock().expect("no panic") = place;
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    assert!(result.is_err(), "it does not panic");
    let place = PLACE.lock().expect("no panic").take();
    place.expect("the hook is called")
}

/// Fails unless the expression panics at the line it stands on.
macro_rules! panics_here {
    ($expression:expr) => {
        assert_eq!(
            panics_at(|| {
                let _result = $expression;
            }),
            (file!().to_owned(), line!()),
            "{}",
            stringify!($expression)
        );
    };
}

/// Fails unless both panic at the same place.
macro_rules! alike {
    ($ours:expr; $theirs:expr) => {
        let (ours, theirs) = (panics_at(|| drop($ours)), panics_at(|| drop($theirs)));
        assert_eq!(ours, theirs, "{}", stringify!($ours));
    };
}

#[test]
#[rustfmt::skip] // Each on one line.
fn outside_a_runtime() {
    panics_here!(debug_async::spawn(ready(())));
    panics_here!(debug_async::spawn!(ready(())));
    panics_here!(debug_async::spawn!(name = "x", ready(())));
    panics_here!(task::spawn(ready(())));
    panics_here!(task::spawn_blocking(|| ()));
    panics_here!(Handle::current());
    panics_here!(JoinSet::new().spawn(ready(())));
    panics_here!(JoinSet::new().spawn_blocking(|| ()));
    panics_here!(JoinSet::new().extend([ready(())]));
    assert!(Handle::try_current().is_err());
}

#[test]
#[rustfmt::skip] // Each on one line.
fn as_tokio_does() {
    // So that the macro itself is known to be right.
    panics_here!(tokio::spawn(ready(())));
    panics_here!(tokio::task::JoinSet::new().spawn(ready(())));
}

#[test]
#[rustfmt::skip] // Each on one line.
fn in_a_runtime_of_the_wrong_sort() {
    let runtime = Builder::new_current_thread().build().expect("it can be built");
    let _entered = runtime.enter();
    panics_here!(runtime.block_on(async { task::block_in_place(|| ()) }));
}

#[test]
#[rustfmt::skip] // Each on one line.
fn within_a_runtime_that_runs() {
    let runtime = Builder::new_current_thread().build().expect("it can be built");
    let other = Builder::new_current_thread().build().expect("it can be built");
    runtime.block_on(async {
        panics_here!(other.block_on(ready(())));
        panics_here!(other.handle().block_on(ready(())));
    });
}

#[test]
#[rustfmt::skip] // Each on one line.
fn settings_that_tokio_refuses() {
    panics_here!(Builder::new_multi_thread().worker_threads(0));
    panics_here!(Builder::new_multi_thread().max_blocking_threads(0));
    panics_here!(Builder::new_multi_thread().global_queue_interval(0));
}

#[test]
#[rustfmt::skip] // Each on one line.
fn where_tokio_names_a_line_of_its_own() {
    alike!(task::spawn_local(ready(())); tokio::task::spawn_local(ready(())));
    alike!(JoinSet::new().spawn_local(ready(())); tokio::task::JoinSet::new().spawn_local(ready(())));
    alike!(
        Builder::new_multi_thread().build_local(Default::default());
        tokio::runtime::Builder::new_multi_thread().build_local(Default::default())
    );
}

#[test]
fn the_site_of_a_task_is_the_caller_s_line_whatever_spawned_it() {
    let program = Program::new(|| {
        collect();
        let mut lines = Vec::new();
        macro_rules! here {
            ($expression:expr) => {{
                lines.push(line!());
                let _result = $expression;
            }};
        }
        let fails = || ready(Err::<(), u8>(1));
        let runtime = Builder::new_current_thread()
            .build()
            .expect("it can be built");
        let local = LocalSet::new();
        runtime.block_on(local.run_until(async {
            here!(debug_async::spawn(fails()));
            here!(debug_async::spawn!(fails()));
            here!(debug_async::spawn!(name = "x", fails()));
            here!(task::spawn_blocking(|| Err::<(), u8>(1)));
            here!(task::spawn_local(fails()));
            here!(local.spawn_local(fails()));
            here!(Handle::current().spawn(fails()));
            here!(Handle::current().spawn_blocking(|| Err::<(), u8>(1)));
            here!(runtime.spawn(fails()));
            here!(runtime.spawn_blocking(|| Err::<(), u8>(1)));
            let mut set = JoinSet::new();
            here!(set.spawn(fails()));
            here!(set.spawn_local(fails()));
            here!(set.spawn_blocking(|| Err::<(), u8>(1)));
            here!(set.spawn_on(fails(), &Handle::current()));
            here!(set.spawn_blocking_on(|| Err::<(), u8>(1), &Handle::current()));
            here!(set.spawn_local_on(fails(), &local));
            here!(set.extend([fails()]));
            for _ in 0..100 {
                tokio::task::yield_now().await;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            drop(set);
        }));
        drop(runtime);
        debug_async::flush();
        let lost = |line: &u32| Expected::new(ReportKind::UnretrievedError).at(*line);
        let expected: Vec<_> = lines.iter().map(lost).collect();
        support::check(&take_seen(), &expected).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
    program.run(&[]).succeeded();
    program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
}
