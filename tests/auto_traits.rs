//! Send, Sync, Unpin and unwind safety of each public type: tokio's where tokio
//! has the thing.

#![cfg(all(feature = "io", feature = "rt-multi-thread"))]

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use debug_async::config::{Config, ConfigError, Deny, Signal, StackMode, Var};
use debug_async::future::{Expected, TrackedFuture};
use debug_async::io::{IoCounts, TrackedIo};
use debug_async::report::{Doing, Frame, Hook, Report, ReportKind, Stack, Wait};
#[cfg(feature = "stream")]
use debug_async::stream::{Aclosing, Close, ClosingStream, TrackedStream};
use debug_async::{dump, runtime, task};

/// Whether a type has a trait, at compile time: the inherent constant wins where
/// its bound holds.
macro_rules! has {
    ($type:ty: $trait:path) => {{
        #[allow(dead_code)]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Ask<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ?Sized + $trait> Ask<T> {
            const HAS: bool = true;
        }
        <Ask<$type>>::HAS
    }};
}

/// The auto traits of a type: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe.
macro_rules! traits {
    ($type:ty) => {
        [
            has!($type: Send),
            has!($type: Sync),
            has!($type: Unpin),
            has!($type: UnwindSafe),
            has!($type: RefUnwindSafe),
        ]
    };
}

macro_rules! alike {
    ($($ours:ty = $theirs:ty;)*) => {$(
        assert_eq!(
            traits!($ours),
            traits!($theirs),
            "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe of {} and {}",
            stringify!($ours),
            stringify!($theirs)
        );
    )*};
}

macro_rules! all {
    ($($type:ty,)*) => {$(
        assert_eq!(traits!($type), [true; 5], "{}", stringify!($type));
    )*};
}

#[test]
fn the_question_is_answered() {
    assert_eq!(traits!(u8), [true; 5]);
    assert_eq!(traits!(Rc<u8>), [false, false, true, true, true]);
    assert_eq!(traits!(Cell<u8>), [true, false, true, true, false]);
    assert_eq!(traits!(PhantomPinned), [true, true, false, true, true]);
    assert_eq!(traits!(&mut u8), [true, true, true, false, true]);
}

#[test]
fn what_tokio_has_is_as_tokio_has_it() {
    alike! {
        task::JoinHandle<u8> = tokio::task::JoinHandle<u8>;
        task::JoinHandle<Cell<u8>> = tokio::task::JoinHandle<Cell<u8>>;
        task::JoinHandle<Rc<u8>> = tokio::task::JoinHandle<Rc<u8>>;
        task::JoinHandle<PhantomPinned> = tokio::task::JoinHandle<PhantomPinned>;
        task::JoinHandle<&'static mut u8> = tokio::task::JoinHandle<&'static mut u8>;
        runtime::RemoteHandle<u8> = tokio::task::JoinHandle<u8>;
        runtime::RemoteHandle<Cell<u8>> = tokio::task::JoinHandle<Cell<u8>>;
        runtime::RemoteHandle<Rc<u8>> = tokio::task::JoinHandle<Rc<u8>>;
        runtime::RemoteHandle<PhantomPinned> = tokio::task::JoinHandle<PhantomPinned>;
        runtime::Panic = tokio::task::JoinError;
        runtime::RemoteError = tokio::task::JoinError;
        task::AbortHandle = tokio::task::AbortHandle;
        task::JoinSet<u8> = tokio::task::JoinSet<u8>;
        task::JoinSet<Rc<u8>> = tokio::task::JoinSet<Rc<u8>>;
        task::JoinSet<Cell<u8>> = tokio::task::JoinSet<Cell<u8>>;
        task::JoinSet<PhantomPinned> = tokio::task::JoinSet<PhantomPinned>;
        task::LocalSet = tokio::task::LocalSet;
        runtime::Runtime = tokio::runtime::Runtime;
        runtime::LocalRuntime = tokio::runtime::LocalRuntime;
        runtime::Handle = tokio::runtime::Handle;
        runtime::EnterGuard<'static> = tokio::runtime::EnterGuard<'static>;
        runtime::Builder = tokio::runtime::Builder;
    }
}

#[test]
fn a_wrapper_is_as_what_it_wraps() {
    alike! {
        TrackedFuture<u8> = u8;
        TrackedFuture<Rc<u8>> = Rc<u8>;
        TrackedFuture<Cell<u8>> = Cell<u8>;
        TrackedFuture<PhantomPinned> = PhantomPinned;
        TrackedFuture<&'static mut u8> = &'static mut u8;
        TrackedIo<u8> = u8;
        TrackedIo<Rc<u8>> = Rc<u8>;
        TrackedIo<Cell<u8>> = Cell<u8>;
        TrackedIo<PhantomPinned> = PhantomPinned;
        TrackedIo<&'static mut u8> = &'static mut u8;
        Expected<Rc<u8>, u8> = Rc<u8>;
        Expected<u8, Rc<u8>> = Rc<u8>;
        Expected<PhantomPinned, u8> = PhantomPinned;
        // Only the future is ever pinned.
        Expected<u8, PhantomPinned> = u8;
    }
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_is_as_what_it_wraps() {
    alike! {
        TrackedStream<u8> = u8;
        TrackedStream<Rc<u8>> = Rc<u8>;
        TrackedStream<Cell<u8>> = Cell<u8>;
        TrackedStream<PhantomPinned> = PhantomPinned;
        TrackedStream<&'static mut u8> = &'static mut u8;
        // What the cleanup gives is shared by those who may take it.
        ClosingStream<u8, Cell<u8>> = u8;
        ClosingStream<Rc<u8>, u8> = Rc<u8>;
        ClosingStream<Cell<u8>, PhantomPinned> = Cell<u8>;
        ClosingStream<PhantomPinned, u8> = PhantomPinned;
        ClosingStream<&'static mut u8, u8> = &'static mut u8;
        Close<Cell<u8>> = u8;
        Close<PhantomPinned> = u8;
    }
    type Body<T> = std::future::Ready<T>;
    let sends = |traits: [bool; 5]| traits[0];
    assert!(sends(traits!(Aclosing<Body<u8>, Cell<u8>>)));
    assert!(!sends(traits!(Aclosing<Body<Rc<u8>>, u8>)));
}

#[test]
fn plain_data_has_all_of_them() {
    all! {
        Config, ConfigError, Deny, Signal, StackMode, Var, ReportKind, Frame, Stack,
        IoCounts, Doing, Wait,
        dump::Snapshot, dump::Tracked, dump::Kind, dump::State, dump::Leaf, dump::AwaitStack,
        dump::SiteDelay, dump::Delay, dump::Tree<'static>,
        runtime::Snapshot, runtime::Worker, runtime::WorkerState,
    }
}

#[test]
fn a_report_and_a_hook_go_to_another_thread() {
    let [send, sync, ..] = traits!(Report);
    assert!(send && sync, "a hook may share it with threads of its own");
    let [send, sync, ..] = traits!(Hook);
    assert!(send && sync);
}

#[cfg(all(tokio_unstable, feature = "tracing"))]
#[test]
fn the_builders_of_tasks_are_as_tokio_s() {
    alike! {
        task::Builder<'static> = tokio::task::Builder<'static>;
        task::join_set::Builder<'static, u8> = tokio::task::join_set::Builder<'static, u8>;
        task::join_set::Builder<'static, Rc<u8>> = tokio::task::join_set::Builder<'static, Rc<u8>>;
    }
}

/// None is left out: every public type of a public module is asked for above.
#[test]
fn all_public_types_are_here() {
    // Names for macros, and for `fuzz/`.
    const HIDDEN: [&str; 3] = ["__private.rs", "outcome.rs", "fuzzing.rs"];
    fn visit(directory: &std::path::Path, missing: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("a directory of sources") {
            let path = entry.expect("a source").path();
            if path.is_dir() {
                visit(&path, missing);
                continue;
            }
            if HIDDEN.iter().any(|hidden| path.ends_with(hidden)) {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source");
            for line in source.lines().map(str::trim_start) {
                let rest = ["pub struct ", "pub enum ", "pub union ", "pub type "]
                    .iter()
                    .find_map(|begin| line.strip_prefix(begin));
                let Some(rest) = rest else { continue };
                let end = rest
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                let name = &rest[..end];
                let asked = include_str!("auto_traits.rs");
                let asks = |line: &str| {
                    line.contains(&format!("{name}<"))
                        || line.contains(&format!("{name},"))
                        || line.contains(&format!("{name} ="))
                        || line.contains(&format!("!({name})"))
                };
                if !asked.lines().any(asks) {
                    missing.push(format!("{name} in {}", path.display()));
                }
            }
        }
    }
    let mut missing = Vec::new();
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    visit(&sources, &mut missing);
    assert!(missing.is_empty(), "{missing:#?}");
}
