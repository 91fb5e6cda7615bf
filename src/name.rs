//! The name of a future, as its author would say it.
//!
//! `type_name` of an async fn's future is `app::fetch::{{closure}}`; people say
//! `app::fetch`. Library types lose their paths, our own wrappers vanish.

use crate::brackets::with_depths;

/// Crates whose paths say nothing to the reader of a report.
const LIBRARIES: &[&str] = &[
    "core",
    "alloc",
    "std",
    "tokio",
    "tokio_util",
    "tokio_stream",
    "futures",
    "futures_core",
    "futures_util",
    "futures_channel",
    "async_stream",
    "tracing",
    "debug_async",
    "hyper",
    "hyper_util",
    "tower",
    "axum",
];

/// Wrappers that stand for what they wrap.
const TRANSPARENT: &[&str] = &[
    "TrackedFuture",
    "TrackedStream",
    "ClosingStream",
    "TrackedIo",
    "Expected",
    "TrackedTask",
    "Pin",
    "Box",
    "Instrumented",
    "WithDispatch",
    "AssertUnwindSafe",
];

/// The name of a future of type `type_name`, created at `line`.
pub(crate) fn of_future(type_name: &str, line: u32) -> String {
    let cleaned = clean(type_name);
    match cleaned.strip_suffix(BLOCK) {
        Some(function) => format!("async block in {function}, line {line}"),
        None => without_blocks(&cleaned),
    }
}

/// Where the line is that of something else, a block is named by its function alone.
fn without_blocks(cleaned: &str) -> String {
    cleaned.replace(BLOCK, "")
}

/// The name of a stream of type `type_name`, created at `line`. A library's stream over
/// closures is named by the function that these are in.
pub(crate) fn of_stream(type_name: &str, line: u32) -> String {
    let plain = without_lifetimes(type_name);
    let Some((head, arguments)) = arguments_of(&plain) else {
        return of_future(type_name, line);
    };
    let outer = last_segment(head);
    match *arguments {
        [first] if TRANSPARENT.contains(&outer) => of_stream(first, line),
        [_, body] if outer == "AsyncStream" => of_future(body, line),
        _ if is_library(head) => match closure_in(&plain) {
            Some(function) => format!("{outer} in {function}"),
            None => without_blocks(&clean(&plain)),
        },
        _ => of_future(type_name, line),
    }
}

/// The function of the user's in which the first of the closures in a type is.
fn closure_in(type_name: &str) -> Option<String> {
    let type_name = type_name.trim();
    if type_name.ends_with(CLOSURE) {
        let function = strip_closures(type_name);
        return (!is_library(function)).then(|| clean_path(function));
    }
    let (_, arguments) = arguments_of(type_name)?;
    arguments.into_iter().find_map(closure_in)
}

/// The name of a closure given to `spawn_blocking`.
pub(crate) fn of_closure(type_name: &str, line: u32) -> String {
    match type_name.strip_suffix(CLOSURE) {
        Some(function) => {
            let function = without_lifetimes(strip_closures(function));
            format!("closure in {function}, line {line}")
        }
        None => without_blocks(&clean(type_name)),
    }
}

/// The name of a task of which no more is known than where it was spawned.
pub(crate) fn of_place(file: &str, line: u32) -> String {
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!("{file}:{line}")
}

/// The `E` of a `Result<T, E>`, or what was given.
pub(crate) fn error_type(type_name: &str) -> String {
    let arguments = type_name
        .strip_prefix(RESULT)
        .and_then(|rest| rest.strip_suffix('>'));
    let error = match arguments.map(split_arguments).as_deref() {
        Some([_, error]) => clean(error),
        _ => clean(type_name),
    };
    without_blocks(&error)
}

/// How `type_name` begins for a `Result`, whatever alias it was written by.
pub(crate) const RESULT: &str = "core::result::Result<";

const CLOSURE: &str = "::{{closure}}";
/// Stands for "an async block in" while a name is being cleaned.
const BLOCK: &str = "\u{1}";

fn clean(type_name: &str) -> String {
    clean_type(&without_lifetimes(type_name))
}

/// Some versions of the compiler write erased lifetimes: `app::fetch<'_, T>`.
fn without_lifetimes(type_name: &str) -> String {
    let shorter = type_name.replace("'_, ", "").replace("<'_>", "");
    shorter.replace("'_ ", "")
}

/// `Head<A, B>` is `Head` and its arguments.
fn arguments_of(name: &str) -> Option<(&str, Vec<&str>)> {
    let inside = name.strip_suffix('>')?;
    let opens = |(at, c, depth)| (c == '<' && depth == 0).then_some(at);
    let open = with_depths(inside).filter_map(opens).last()?;
    (open > 0).then(|| (&inside[..open], split_arguments(&inside[open + 1..])))
}

fn clean_type(type_name: &str) -> String {
    let name = type_name.trim();
    let Some((head, arguments)) = arguments_of(name) else {
        return clean_path(name);
    };
    let head = clean_path(head);
    match *arguments {
        [first, ..] if TRANSPARENT.contains(&last_segment(&head)) => clean_type(first),
        _ => with_arguments(&head, &arguments),
    }
}

/// So many characters of a type's arguments are read; of a stack of adapters there are
/// thousands.
const READ: usize = 60;

fn with_arguments(head: &str, arguments: &[&str]) -> String {
    let cleaned: Vec<String> = arguments.iter().map(|it| clean_type(it)).collect();
    let cleaned = cleaned.join(", ");
    if cleaned.chars().count() > READ {
        format!("{head}<…>")
    } else {
        format!("{head}<{cleaned}>")
    }
}

fn clean_path(path: &str) -> String {
    if let Some(object) = path.strip_prefix("dyn ") {
        let first = object.split(" + ").next().unwrap_or(object);
        let name = first.split('<').next().unwrap_or(first);
        return format!("dyn {}", last_segment(name));
    }
    let function = strip_closures(path);
    let depth = path[function.len()..].matches(CLOSURE).count();
    // The arguments of a generic function stand before the closure in it.
    let (function, arguments) = arguments_of(function).unwrap_or((function, Vec::new()));
    let shown = if is_library(function) {
        last_segment(function).to_owned()
    } else if arguments.is_empty() {
        function.to_owned()
    } else {
        with_arguments(function, &arguments)
    };
    // One closure is the body of an async fn; more are blocks inside it.
    let block = if depth > 1 { BLOCK } else { "" };
    format!("{shown}{block}")
}

fn is_library(path: &str) -> bool {
    let krate = path.split("::").next().unwrap_or(path);
    LIBRARIES.contains(&krate)
}

fn strip_closures(path: &str) -> &str {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(CLOSURE) {
        path = shorter;
    }
    path
}

fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Splits `A, B<C, D>` at the commas of its own level.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut start, mut parts) = (0, Vec::new());
    for (at, c, depth) in with_depths(text) {
        if c == ',' && depth == 0 {
            parts.push(text[start..at].trim());
            start = at + 1;
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn futures() {
        for (given, expected) in [
            ("app::fetch::{{closure}}", "app::fetch"),
            (
                "app::main::{{closure}}::{{closure}}",
                "async block in app::main, line 7",
            ),
            ("tokio::time::sleep::Sleep", "Sleep"),
            (
                "tokio::time::timeout::Timeout<app::fetch::{{closure}}>",
                "Timeout<app::fetch>",
            ),
            (
                "core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output = ()> + core::marker::Send>>",
                "dyn Future",
            ),
            (
                "debug_async::future::TrackedFuture<app::fetch::{{closure}}>",
                "app::fetch",
            ),
            (
                "app::run<alloc::string::String>::{{closure}}",
                "app::run<String>",
            ),
            (
                "app::Client<app::Tcp>::send<app::Job, fn(u8) -> u8>::{{closure}}::{{closure}}",
                "async block in app::Client<app::Tcp>::send<app::Job, fn(u8) -> u8>, line 7",
            ),
            (
                "app::drive<futures_util::future::future::Map<futures_util::stream::stream::Forward<app::codec::Frames<app::net::Transport>, app::pipeline::Sink<app::net::Transport>>, app::log::{{closure}}>>::{{closure}}",
                "app::drive<Map<Forward<…>, app::log>>",
            ),
            (
                "<app::Server as app::Serve>::serve::{{closure}}",
                "<app::Server as app::Serve>::serve",
            ),
            ("app::Connection<app::Tcp>", "app::Connection<app::Tcp>"),
            (
                "<app::Server as app::Serve>::serve<'_, '_>::{{closure}}",
                "<app::Server as app::Serve>::serve",
            ),
            (
                "app::Client<'_, &'_ str>::get<'_>::{{closure}}",
                "app::Client<&str>::get",
            ),
            (
                "tokio::task::local::LocalSet::run_until<<a::X as core::default::Default>::default::{{closure}}>::{{closure}}",
                "run_until",
            ),
        ] {
            assert_eq!(of_future(given, 7), expected, "{given}");
        }
    }

    #[test]
    fn streams() {
        for (given, expected) in [
            (
                "tokio_stream::wrappers::mpsc_bounded::ReceiverStream<app::Job>",
                "ReceiverStream<app::Job>",
            ),
            (
                "async_stream::async_stream::AsyncStream<u8, app::rows::{{closure}}>",
                "app::rows",
            ),
            (
                "core::pin::Pin<alloc::boxed::Box<async_stream::async_stream::AsyncStream<u8, app::rows::{{closure}}>>>",
                "app::rows",
            ),
            (
                "core::pin::Pin<alloc::boxed::Box<dyn futures_core::stream::Stream<Item = u8> + core::marker::Send>>",
                "dyn Stream",
            ),
            (
                "futures_util::stream::unfold::Unfold<(u8, u8), app::rows::{{closure}}, app::rows::{{closure}}::{{closure}}>",
                "Unfold in app::rows",
            ),
            (
                "futures_util::stream::stream::map::Map<futures_util::stream::iter::Iter<core::ops::range::Range<i32>>, <app::Db as app::Rows>::rows::{{closure}}>",
                "Map in <app::Db as app::Rows>::rows",
            ),
            ("app::Rows<app::Db>", "app::Rows<app::Db>"),
        ] {
            assert_eq!(of_stream(given, 7), expected, "{given}");
        }
    }

    #[test]
    fn closures() {
        assert_eq!(
            of_closure("app::main::{{closure}}::{{closure}}", 3),
            "closure in app::main, line 3"
        );
        assert_eq!(of_closure("app::work", 3), "app::work");
    }

    #[test]
    fn places() {
        assert_eq!(of_place("src/main.rs", 3), "main.rs:3");
        assert_eq!(of_place("C:\\app\\src\\main.rs", 3), "main.rs:3");
    }

    #[test]
    fn error_types() {
        assert_eq!(
            error_type(std::any::type_name::<Result<Vec<(u8, u8)>, std::fmt::Error>>()),
            "Error"
        );
        assert_eq!(
            error_type("core::result::Result<fn(u8) -> u8, app::Lost>"),
            "app::Lost"
        );
    }

    #[test]
    fn what_stands_for_a_block_is_not_shown() {
        let block = "app::f::{{closure}}::{{closure}}";
        assert_eq!(
            of_closure(&format!("app::Call<{block}>"), 7),
            "app::Call<app::f>"
        );
        let lost = format!("core::result::Result<u8, app::Lost<{block}>>");
        assert_eq!(error_type(&lost), "app::Lost<app::f>");
        let stream = "tokio_stream::Iter<tokio::f::{{closure}}::{{closure}}>";
        assert_eq!(of_stream(stream, 7), "Iter<f>");
    }
}
