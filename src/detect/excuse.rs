//! Why a long poll may have been in order.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use super::Whose;
use crate::clock;
use crate::kind::ReportKind;
use crate::mode::Scope;
use crate::report::{self, Deferred, Frame, Live, Report, Until};
use crate::site::Site;

/// Reports a block, unless the stack that was seen meanwhile shows that it held
/// nobody up. That takes symbols, so the reporter's thread looks.
pub(super) fn raise_unless_in_place(
    kind: ReportKind,
    site: Option<&'static Site>,
    scope: &Arc<Scope>,
    live: Option<Live>,
    make: impl FnOnce() -> Report,
) {
    let Some(live) = live else {
        report::raise(kind, site, scope, make);
        return;
    };
    let stands = |place| place != Place::MayBlock;
    raise_by_place(kind, scope, live, stands, make);
}

/// Reports a block of a thread that was not seen to poll anything tracked, if the stack
/// that was seen shows that it polled something. Of a stack that is cut the end which
/// shows it may be missing; then it takes that there is no doubt about the thread.
pub(super) fn raise_if_in_poll(
    kind: ReportKind,
    whose: &Whose<'_>,
    live: Live,
    make: impl FnOnce() -> Report,
) {
    if being_debugged() {
        return;
    }
    let is_enough = live.cut && whose.certain;
    let stands = move |place| match place {
        Place::Poll => true,
        Place::MayBlock => false,
        Place::Elsewhere => is_enough,
    };
    raise_by_place(kind, whose.scope, live, stands, make);
}

fn raise_by_place(
    kind: ReportKind,
    scope: &Arc<Scope>,
    live: Live,
    stands: impl Fn(Place) -> bool + Send + 'static,
    make: impl FnOnce() -> Report,
) {
    report::defer(kind, None, scope, || Deferred {
        report: make().seen_live(live),
        due: clock::now(),
        until: Until::Grace,
        stands: Box::new(move || stands(Place::of(&live.stack.frames()))),
    });
}

/// What a thread was doing for tokio, by the stack that it was seen with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Polling a task, or the future of a `block_on`.
    Poll,
    /// Running a closure that may block.
    MayBlock,
    /// Nothing, as far as can be seen.
    Elsewhere,
}

impl Place {
    /// That of the innermost frame which tells.
    fn of(frames: &[Frame]) -> Place {
        let told = frames.iter().find_map(Place::told_by);
        told.unwrap_or(Place::Elsewhere)
    }

    fn told_by(frame: &Frame) -> Option<Place> {
        let function = &*frame.function;
        // The message of a panic is being printed, which takes its time. Older standard
        // libraries call it `rust_panic_with_hook`.
        if function.starts_with("std::panicking::") && function.ends_with("panic_with_hook") {
            return Some(Place::MayBlock);
        }
        let inside = match function.trim_start_matches('<').strip_prefix("tokio::") {
            Some(inside) => inside,
            None => &path_by_file(frame)?,
        };
        // Generic arguments say what is in it, not what it is.
        let inside = inside.split('<').next().unwrap_or_default();
        if inside.contains("block_in_place") || inside.starts_with("runtime::blocking::") {
            Some(Place::MayBlock)
        } else if POLLS.iter().any(|path| inside.starts_with(path)) {
            Some(Place::Poll)
        } else {
            None
        }
    }
}

const POLLS: &[&str] = &[
    "runtime::scheduler::multi_thread::worker::",
    "runtime::scheduler::current_thread::",
    "runtime::task::",
    "task::local::",
];

/// The path of a function of tokio's within its crate, by the source file: line tables
/// name an inlined function without its path.
fn path_by_file(frame: &Frame) -> Option<String> {
    let file = frame.file.as_ref()?.replace('\\', "/");
    let (directory, file) = file.rsplit_once("/src/")?;
    let (_, krate) = directory.rsplit_once('/').unwrap_or(("", directory));
    // `tokio-1.54.1`, or `tokio` where it is not from a registry.
    let version = krate.strip_prefix("tokio")?;
    let is_tokio = version.is_empty()
        || version.starts_with('-') && version[1..].starts_with(|c: char| c.is_ascii_digit());
    let module = file.strip_suffix(".rs").filter(|_| is_tokio)?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    Some(format!("{}::{}", module.replace('/', "::"), frame.function))
}

/// Whether a poll on this thread that just took long did not hold anything up.
///
/// Only asked when a poll was slow: it may read a file.
pub(crate) fn excused() -> bool {
    worker_moved_on() || clock::was_suspended() || being_debugged()
}

/// `tokio::task::block_in_place` hands the worker to another thread, and this one
/// goes on without. What is to be woken later is then woken at once, because there
/// is no later on this thread: `yield_now` shows it.
fn worker_moved_on() -> bool {
    // Outside of a worker, it is woken at once too.
    tokio::runtime::worker_index().is_some() && !wakes_later()
}

/// Whether what asks here to be woken later is, by a scheduler that has others to run
/// on this thread: it polls, and has not handed its work to another.
fn wakes_later() -> bool {
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
    !woken.0.load(Relaxed)
}

/// Whether this thread is in a poll by a runtime of tokio, which waits if it does.
///
/// A thread of `spawn_blocking` is not, nor is one within `block_in_place`, or that has
/// only entered a runtime's context.
pub(crate) fn is_in_poll() -> bool {
    wakes_later() || has_budget()
}

/// Whether what runs here has a budget, as all has that tokio polls, the future of a
/// `block_on` included. It can be told only by using it up; it is given back.
fn has_budget() -> bool {
    const MORE_THAN_ALL: usize = 256;
    let mut context = Context::from_waker(Waker::noop());
    let mut taken = Vec::new();
    let mut is_finite = false;
    while !is_finite && taken.len() < MORE_THAN_ALL {
        match tokio::task::coop::poll_proceed(&mut context) {
            Poll::Ready(unit) => taken.push(unit),
            Poll::Pending => is_finite = true,
        }
    }
    // Each puts back what was there before it: the first one last.
    while taken.pop().is_some() {}
    is_finite
}

/// A debugger stops threads at will.
#[cfg(target_os = "linux")]
pub(crate) fn being_debugged() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    tracer(&status).is_some_and(|pid| pid != 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn being_debugged() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn tracer(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_frame_that_tells_decides() {
        let place = |functions: &[&str]| {
            let frame = |function: &&str| Frame::new((*function).to_owned(), None);
            Place::of(&functions.iter().map(frame).collect::<Vec<_>>())
        };
        let worker = [
            "tokio::runtime::scheduler::multi_thread::worker::run",
            "tokio::runtime::blocking::pool::Inner::run",
        ];
        assert_eq!(
            place(&[&["app::f", "tokio::runtime::task::raw::poll"], &worker[..]].concat()),
            Place::Poll
        );
        let in_place = "tokio::runtime::scheduler::multi_thread::worker::block_in_place";
        assert_eq!(
            place(&[&["app::f", in_place], &worker[..]].concat()),
            Place::MayBlock
        );
        let blocking = "<tokio::runtime::blocking::task::BlockingTask<T> as core::future::future::Future>::poll";
        assert_eq!(
            place(&[
                "app::f",
                "tokio::runtime::runtime::Runtime::block_on",
                blocking
            ]),
            Place::MayBlock
        );
        assert_eq!(place(&["app::f", "std::rt::lang_start"]), Place::Elsewhere);
        let core = "tokio::runtime::task::core::Core<app::block_in_place::{{closure}}, S>::poll";
        assert_eq!(place(&["app::f", core]), Place::Poll);
    }

    #[test]
    fn a_function_without_its_path_is_known_by_its_file() {
        let place = |functions: &[(&str, &str)]| {
            let frame = |(function, file): &(&str, &str)| {
                Frame::new((*function).to_owned(), Some((*file).to_owned()))
            };
            Place::of(&functions.iter().map(frame).collect::<Vec<_>>())
        };
        let app = ("{async_fn#0}", "src/main.rs");
        let core = (
            "call_once<(), tokio::runtime::blocking::task::{closure_env#0}<()>>",
            "/rustc/1/library/core/src/ops/function.rs",
        );
        let registry = "/home/a/.cargo/registry/src/crates-1949cf8c6b5b557f";
        let task = format!("{registry}/tokio-1.54.1/src/runtime/task/mod.rs");
        let task = ("poll<app::block_in_place::{async_fn_env#0}>", &*task);
        assert_eq!(place(&[app, core, task]), Place::Poll);
        let worker = "vendor/tokio/src/runtime/scheduler/multi_thread/worker.rs";
        let in_place = ("block_in_place<app::main::{closure_env#0}, ()>", worker);
        assert_eq!(place(&[app, core, in_place, task]), Place::MayBlock);
        let blocking = r"C:\tokio-1.54.1\src\runtime\blocking\task.rs";
        assert_eq!(place(&[app, ("poll<()>", blocking), task]), Place::MayBlock);
        for other in ["tokio-util-0.7.1", "tokio-stream", "mytokio"] {
            let file = format!("{registry}/{other}/src/task/local.rs");
            assert_eq!(place(&[app, ("poll", &*file)]), Place::Elsewhere);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod linux_tests {
    #[test]
    fn the_tracer_is_read() {
        assert_eq!(
            super::tracer("Name:\tx\nTracerPid:\t42\nUid:\t0\n"),
            Some(42)
        );
        assert_eq!(super::tracer("Name:\tx\n"), None);
        assert!(!super::being_debugged());
    }
}
