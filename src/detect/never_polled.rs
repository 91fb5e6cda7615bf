//! `never_polled`: an object was dropped without one poll, or lives and is not
//! polled.
//!
//! Futures are dropped unpolled all the time: `select!` makes them for branches
//! that it then disables, a cache has the answer, an error comes first. So a drop
//! is judged a second later, and not reported if
//!
//! - any object of its site has been polled by then,
//! - it was aborted, or the user said `discard()` or `parked()`,
//! - its thread was unwinding, or it went down with a future around it,
//! - the stack of the drop shows that it had been handed to something that polls
//!   (`select!`, `join!`, `timeout`), which then did not come to it, or made room for
//!   another that was set in its place.

use std::sync::Arc;
use std::time::Duration;

use crate::brackets::with_depths;
use crate::clock;
use crate::mode::Scope;
use crate::record::{Debugged, Flag, Object, Record, Step};
use crate::report::{self, Deferred, Report, ReportKind, Until};
use crate::stack::{self, Captured, Frame};

/// How long after a drop another object of its site may still be polled.
const GRACE: Duration = Duration::from_secs(1);

const KIND: ReportKind = ReportKind::NeverPolled;

/// Whether it may be dropped unpolled.
pub(crate) fn is_silenced(record: &Record) -> bool {
    let silenced = [
        Flag::DISCARDED,
        Flag::PARKED,
        Flag::ABORTED,
        Flag::SAID_UNPOLLED,
    ];
    silenced.into_iter().any(|flag| record.is(flag)) || std::thread::panicking()
}

/// An object was dropped that had not been polled.
#[cold]
pub(crate) fn dropped(record: &Arc<Record>) {
    if record.site().polled() || is_silenced(record) {
        return;
    }
    report::defer(KIND, Some(record.site()), &record.scope(), || {
        let site = record.site();
        // A task is dropped by the runtime, whatever its owner did.
        let drop_stack = match record.object() {
            object if object.is_part() => stack::capture_always(),
            _ => Captured::NONE,
        };
        let kept = Arc::clone(record);
        let is_told = move || kept.is(Flag::SAID_UNPOLLED);
        Deferred {
            report: make(record, "and was dropped"),
            due: clock::now() + GRACE,
            until: Until::Grace,
            stands: Box::new(move || !site.polled() && !is_told() && !was_handed_on(drop_stack)),
        }
    });
}

/// A task was spawned on a runtime that had shut down, and dropped at once. Whoever
/// looks at its handle is told by that.
pub(crate) fn refused(record: &Arc<Record>, scope: &Arc<Scope>) {
    refused_if(record, scope, || true);
}

/// The same, unless the stack shows that this thread runs a runtime, or drops what was
/// in one: it may be one that is about to end.
pub(crate) fn refused_here(record: &Arc<Record>, scope: &Arc<Scope>) {
    let spawn_stack = stack::capture_always();
    refused_if(record, scope, move || is_outside(&spawn_stack.frames()));
}

fn refused_if(
    record: &Arc<Record>,
    scope: &Arc<Scope>,
    had_shut_down: impl Fn() -> bool + Send + 'static,
) {
    record.set(Flag::SAID_UNPOLLED);
    let kept = Arc::clone(record);
    report::defer(KIND, None, scope, || Deferred {
        report: make_refused(record),
        due: clock::now() + GRACE,
        until: Until::Grace,
        stands: Box::new(move || {
            let looked = kept.has(Step::Read) || kept.is(Flag::ABORTED);
            !looked && !kept.has(Step::Polled) && had_shut_down()
        }),
    });
}

fn is_outside(spawn_stack: &[Frame]) -> bool {
    let is_inside = |frame: &Frame| {
        let function = frame.function.trim_start_matches('<');
        function.starts_with("tokio::runtime::")
            || dropped_type(&frame.function).is_some_and(|dropped| !dropped.is_empty())
    };
    !spawn_stack.is_empty() && !spawn_stack.iter().any(is_inside)
}

/// These live, and may have been forgotten.
pub(super) fn judge(forgotten: &[Arc<Record>]) {
    for record in forgotten {
        if record.set(Flag::SAID_UNPOLLED) {
            let make = || make(record, "although it has been there for a while");
            report::raise(KIND, Some(record.site()), &record.scope(), make);
        }
    }
}

/// Whether something that lives and was not polled may have been forgotten.
pub(super) fn may_be_forgotten(record: &Record, debug: &Debugged) -> bool {
    let known = [Flag::DISCARDED, Flag::ABORTED, Flag::SAID_UNPOLLED];
    // A blocking task that has not begun waits for a thread, which is another
    // finding.
    !matches!(record.object(), Object::Root | Object::BlockingTask)
        && !record.site().polled()
        && !known.into_iter().any(|flag| record.is(flag))
        && debug.age() >= debug.scope.settings().never_polled_after
}

fn make_refused(record: &Record) -> Report {
    let verb = match record.object() {
        Object::BlockingTask => "run",
        _ => "polled",
    };
    let message = format!(
        "{} was never {verb}: its runtime had shut down when it was spawned ({})",
        super::subject(record),
        super::origin(record),
    );
    Report::about(record, KIND, message).help_with(
        "spawn it while the runtime runs; awaiting its handle gives a `JoinError` that is \
         cancelled; `detach()` the handle if the task does not matter",
    )
}

fn make(record: &Record, what_then: &str) -> Report {
    let (verb, help) = match record.object() {
        Object::BlockingTask => (
            "run",
            "the runtime ended before a thread was free for it: await its handle before main \
             returns",
        ),
        Object::Task | Object::UnwrappedTask | Object::LocalTask => (
            "polled",
            "its runtime ended, or never ran: await its handle, or keep the runtime running",
        ),
        Object::Stream => (
            "polled",
            "a stream does nothing until it is polled: iterate over it, or `.discard()` it if it \
             is not wanted",
        ),
        Object::Future | Object::Root | Object::Io => (
            "polled",
            "a future does nothing until it is polled: `.await` it, spawn it, or `.discard()` it \
             if it is not wanted",
        ),
    };
    let message = format!(
        "{} was never {verb}, {what_then} ({})",
        super::subject(record),
        super::origin(record),
    );
    Report::about(record, KIND, message).help_with(help)
}

/// Whether a future was dropped as a part of something that polls what is in it,
/// or of an async function that was itself cancelled.
fn was_handed_on(drop_stack: Captured) -> bool {
    let frames = drop_stack.frames();
    let ours = frames
        .iter()
        .position(|frame| dropped_type(&frame.function).is_some_and(is_ours));
    // An optimised build may lose the scopes of the drop glue in between. Where it
    // has them at all, their absence leaves open what the future was a part of.
    let next = ours.and_then(|at| frames.get(at + 1));
    if next.is_some_and(|f| f.file.is_some() && dropped_type(&f.function).is_none()) {
        return true;
    }
    for frame in &frames[ours.map_or(0, |at| at + 1)..] {
        match dropped_type(&frame.function) {
            Some(dropped) if polls_what_is_in_it(dropped) => return true,
            // What is shared is not a part of whoever lets go of it last.
            Some(dropped) if is_shared(dropped) => return false,
            Some(_) => {}
            None => return is_of_a_combinator(frame) || is_set_anew(frame),
        }
    }
    false
}

/// Where the types live that poll the futures they are given: paths, and the
/// directories of their sources. Not all of tokio: a channel of futures is a place
/// to forget them.
const COMBINATORS: &[(&str, &str)] = &[
    ("tokio::future::", "/tokio-1.*/src/future/"),
    ("tokio::time::", "/tokio-1.*/src/time/"),
    ("tokio::task::", "/tokio-1.*/src/task/"),
    ("tokio_util::", "/tokio-util-0.*/src/"),
    ("tokio_stream::", "/tokio-stream-0.*/src/"),
    ("futures_util::", "/futures-util-0.*/src/"),
    ("tower::", "/tower-0.*/src/"),
    ("async_stream::", "/async-stream-0.*/src/"),
    // A body of HTTP that nobody read.
    ("axum_core::body::", "/axum-core-0.*/src/body.rs"),
    ("http_body_util::", "/http-body-util-0.*/src/"),
];

/// The type that a function of drop glue drops; `""` where it does not say.
pub(super) fn dropped_type(function: &str) -> Option<&str> {
    // Line tables name an inlined function without its path.
    let path = function.strip_prefix("core::ptr::").unwrap_or(function);
    for glue in ["drop_in_place<", "drop_glue<"] {
        if let Some(rest) = path.strip_prefix(glue) {
            return Some(rest.strip_suffix('>').unwrap_or(rest));
        }
    }
    if let Some(implementor) = path.strip_suffix(" as core::ops::drop::Drop>::drop") {
        return Some(implementor.trim_start_matches('<'));
    }
    let passes = [
        "drop<",
        "core::mem::",
        "<alloc::",
        "alloc::",
        "<core::",
        "drop_in_place",
    ];
    passes
        .iter()
        .any(|pass| path.starts_with(pass))
        .then_some("")
}

/// The drop that all wrappers end in. Theirs may be inlined into what is around.
fn is_ours(dropped: &str) -> bool {
    dropped == "debug_async::observe::Watch"
}

fn polls_what_is_in_it(dropped: &str) -> bool {
    // The tuple in which `select!` and `join!` keep their futures.
    dropped.starts_with('(') && dropped.contains(',')
        || is_state(dropped)
        || COMBINATORS
            .iter()
            .any(|(path, _)| dropped.starts_with(path))
}

/// Whether it is a future, as far as its name says: the state of an async function, or
/// something that polls what is in it.
#[cfg(feature = "io")]
pub(super) fn is_future_s(dropped: &str) -> bool {
    let ours = ["debug_async::future::", "debug_async::task::tracked::"];
    let begins = |path: &&str| dropped.starts_with(*path);
    is_state(dropped) || ours.iter().any(begins) || COMBINATORS.iter().any(|(path, _)| begins(path))
}

/// Whether it is the state of an async function or block that did not run to its end.
fn is_state(dropped: &str) -> bool {
    const NAMES: &[&str] = &["{{closure}}", "{closure#", "{closure_env#", "{async_"];
    // What it is stands outside of its arguments: `app::run<T>::{{closure}}`.
    let outside = with_depths(dropped).filter(|(_, _, depth)| *depth == 0);
    let outside: String = outside.map(|(_, c, _)| c).collect();
    let last = outside.rsplit("::").next().unwrap_or(&outside);
    NAMES.iter().any(|name| last.starts_with(name))
}

fn is_shared(dropped: &str) -> bool {
    let shared = ["alloc::sync::Arc<", "alloc::rc::Rc<"];
    let content = shared
        .iter()
        .find_map(|shared| dropped.strip_prefix(shared));
    content.is_some_and(|content| {
        !COMBINATORS
            .iter()
            .any(|(path, _)| content.starts_with(path))
    })
}

/// Whether the code that dropped it is a combinator's.
fn is_of_a_combinator(frame: &Frame) -> bool {
    let function = frame.function.trim_start_matches(['<', '&']);
    let file = frame.file.as_deref().unwrap_or("");
    COMBINATORS
        .iter()
        .any(|(path, sources)| function.starts_with(path) || is_among(file, sources))
}

/// Whether it made room for another in its place, by `Pin::set`: a timer that a `select!`
/// polls by reference, set anew before its turn came.
fn is_set_anew(frame: &Frame) -> bool {
    let function = &*frame.function;
    let by_path = function.starts_with("core::pin::Pin<") && function.ends_with("::set");
    // Line tables name an inlined function without its path.
    let by_file = || {
        let file = frame.file.as_deref().unwrap_or("").replace('\\', "/");
        let is_pin = file.ends_with("/core/src/pin.rs") || file.ends_with("/core/src/pin/mod.rs");
        is_pin && function.split('<').next() == Some("set")
    };
    by_path || by_file()
}

fn is_among(file: &str, sources: &str) -> bool {
    let (krate, inside) = sources.split_once('*').unwrap_or((sources, ""));
    let is_released = file
        .find(krate)
        .is_some_and(|at| file[at..].contains(inside));
    // A copy that is not from a registry, as `cargo vendor` makes them, has no version.
    let copy = krate
        .rsplit_once('-')
        .map(|(name, _)| [name, inside].concat());
    let is_copied = copy
        .is_some_and(|copy| file.contains(&copy) || file.starts_with(copy.trim_start_matches('/')));
    is_released || is_copied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_glue_is_told_from_code() {
        assert_eq!(
            dropped_type("core::ptr::drop_in_place<(A, B)>"),
            Some("(A, B)")
        );
        assert_eq!(
            dropped_type("<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop"),
            Some("alloc::vec::Vec<T>")
        );
        assert_eq!(dropped_type("app::main::{{closure}}"), None);
    }

    #[test]
    fn a_spawn_in_a_runtime_or_in_a_drop_is_told_from_one_outside() {
        let outside = |functions: &[&str]| {
            let frame = |function: &&str| Frame::new((*function).to_owned(), None);
            is_outside(&functions.iter().map(frame).collect::<Vec<_>>())
        };
        let thread = "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once";
        assert!(outside(&["app::work", thread]));
        assert!(!outside(&[]));
        for around in [
            "<app::Lock as core::ops::drop::Drop>::drop",
            "core::ptr::drop_in_place<app::Lock>",
            "tokio::runtime::scheduler::current_thread::shutdown2",
            "<tokio::runtime::blocking::task::BlockingTask<T> as core::future::Future>::poll",
        ] {
            assert!(!outside(&["app::work", around, thread]), "{around}");
        }
    }

    #[test]
    fn what_is_shared_is_nobody_s_part() {
        assert!(is_shared("alloc::sync::Arc<app::Queue>"));
        assert!(!is_shared(
            "alloc::sync::Arc<futures_util::stream::futures_unordered::Task<F>>"
        ));
        assert!(!is_shared("alloc::vec::Vec<app::A>"));
    }

    #[test]
    fn a_combinator_is_known_by_its_path_or_its_sources() {
        let of = |function: &str, file: Option<&str>| {
            is_of_a_combinator(&Frame::new(function.into(), file.map(Into::into)))
        };
        assert!(of(
            "<futures_util::stream::FuturesUnordered<F>>::release_task",
            None
        ));
        assert!(of(
            "release_task<F>",
            Some("/registry/src/x/futures-util-0.3.34/src/stream/a.rs")
        ));
        for copy in [
            "/app/vendor/tokio-util/src/sync/a.rs",
            "tokio-util/src/a.rs",
        ] {
            assert!(of("{async_fn#0}<F>", Some(copy)), "{copy}");
        }
        assert!(!of("send<F>", Some("/app/vendor/my-tokio-util/src/a.rs")));
        assert!(!of(
            "send<F>",
            Some("/registry/src/x/tokio-1.54.1/src/sync/mpsc/chan.rs")
        ));
        assert!(!of("app::main", Some("/home/u/app/src/main.rs")));
    }

    #[test]
    fn what_sets_a_pin_anew_is_known_by_its_path_or_its_sources() {
        let is = |function: &str, file: &str| {
            is_set_anew(&Frame::new(function.into(), Some(file.into())))
        };
        assert!(is(
            "core::pin::Pin<Ptr>::set",
            "/rustc/1/library/core/src/pin.rs"
        ));
        assert!(is("set<&mut app::A>", "/rustc/1/library/core/src/pin.rs"));
        assert!(!is("app::Cell<T>::set", "/home/u/app/src/main.rs"));
        assert!(!is("set<app::A>", "/home/u/app/src/pin.rs"));
        assert!(!is(
            "core::cell::Cell<T>::set",
            "/rustc/1/library/core/src/cell.rs"
        ));
    }

    #[test]
    fn what_polls_what_is_in_it() {
        for yes in [
            "(app::A, app::B)",
            "tokio::future::maybe_done::MaybeDone<debug_async::future::TrackedFuture<app::A>>",
            "app::main::{{closure}}::{{closure}}",
            "app::main::{closure#0}",
            "app::main::{async_block#0}::{async_block_env#0}",
            "app::run<alloc::string::String>::{{closure}}",
            "app::run::{async_fn_env#0}<fn() -> u8>",
            "<app::A<u8> as app::B>::run::{{closure}}",
        ] {
            assert!(polls_what_is_in_it(yes), "{yes}");
        }
        for no in [
            "debug_async::future::TrackedFuture<app::main::{{closure}}>",
            "debug_async::future::TrackedFuture<app::main::{async_fn_env#0}>",
            "app::Held",
            "app::main::{{closure}}::Held",
            "alloc::vec::Vec<app::A>",
            "core::option::Option<app::A>",
            "(app::A)",
            "()",
        ] {
            assert!(!polls_what_is_in_it(no), "{no}");
        }
    }
}
