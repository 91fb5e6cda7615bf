//! The stack of a leaf that waits: the awaits that lead to it.

use super::print::{self, Frame};
use super::trim::{self, Owner};

/// The awaits down to a leaf.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Awaits {
    /// The user's frames, innermost first, as far as the task goes.
    pub(crate) frames: Vec<Frame>,
    /// The library's future that the innermost of them waits in.
    pub(crate) called: Option<String>,
}

pub(super) fn awaits(mut frames: Vec<Frame>) -> Awaits {
    let is_users = |frame: &Frame| trim::owner(frame) == Owner::User;
    // What polls the task is not what it waits in.
    let end = frames.iter().position(is_where_it_is_polled);
    frames.truncate(end.unwrap_or(frames.len()));
    let first = frames.iter().position(is_users);
    if let Some(first) = first {
        let beyond = |frame: &Frame| !is_users(frame) && frame.function.contains("block_on");
        let end = frames[first..].iter().position(beyond);
        frames.truncate(end.map_or(frames.len(), |end| first + end));
    }
    let inside = &frames[..first.unwrap_or(frames.len())];
    let called = inside
        .iter()
        .rev()
        .find(|frame| is_telling(frame))
        .map(friendly);
    frames.retain(is_users);
    Awaits { frames, called }
}

/// Whether it is the outer end of a task, or of what `block_on` runs.
fn is_where_it_is_polled(frame: &Frame) -> bool {
    let function = frame.function.as_str();
    let last = |name: &str| {
        let rest = function.rfind(name).map(|at| &function[at + name.len()..]);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let raw = "tokio::runtime::task::raw::poll";
    // Without its path where there are only line tables.
    let in_raw = |file: &String| file.replace('\\', "/").ends_with("/runtime/task/raw.rs");
    function.starts_with(raw) && last(raw)
        || function.starts_with("poll") && last("poll") && frame.file.as_ref().is_some_and(in_raw)
        || last("poll_watched") && trim::owner(frame) == Owner::Ours
}

/// Whether it says something that a library's future is in it: not what is on the way
/// to all of them.
fn is_telling(frame: &Frame) -> bool {
    let path = frame.function.trim_start_matches(['<', '&', '*']);
    let plumbing = [
        "core::",
        "alloc::",
        "std::",
        "tokio::future::",
        "tokio::task::coop",
    ];
    let file = frame.file.as_deref().unwrap_or("").replace('\\', "/");
    trim::owner(frame) == Owner::Library
        && !plumbing.iter().any(|start| path.starts_with(start))
        && !file.starts_with("/rustc/")
        && ![
            "/library/core/",
            "/library/alloc/",
            "/src/future/",
            "/src/macros/",
        ]
        .iter()
        .any(|part| file.contains(part))
}

/// `<tokio::time::sleep::Sleep as core::future::Future>::poll` is
/// `tokio::time::sleep::Sleep`.
fn friendly(frame: &Frame) -> String {
    let function = print::without_closures(&frame.function);
    let name = match function
        .strip_prefix('<')
        .and_then(|f| f.split_once(" as "))
    {
        Some((of, rest)) => {
            let method = rest.rsplit_once(">::").map_or("poll", |(_, method)| method);
            if method == "poll" {
                without_arguments(of)
            } else {
                format!("{}::{method}", without_arguments(of))
            }
        }
        None => without_arguments(function),
    };
    // Line tables know no more of an inlined function than this.
    if name.contains("::") {
        return name;
    }
    let file = frame.file.as_deref().unwrap_or("").replace('\\', "/");
    let sources = file.rsplit_once("/registry/src/").map(|(_, rest)| rest);
    let below = sources.and_then(|rest| rest.split_once('/'));
    below.map_or(name, |(_, below)| below.to_owned())
}

/// Leaves out generic arguments.
fn without_arguments(path: &str) -> String {
    let mut depth = 0usize;
    let mut short = String::new();
    for c in path.trim_start_matches('<').chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => short.push(c),
            _ => {}
        }
    }
    short.replace("::::", "::").trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: Option<&str>) -> Frame {
        Frame::new(function.into(), file.map(Into::into))
    }

    const TOKIO: &str = "/home/u/.cargo/registry/src/x/tokio-1.54.1/src/time/sleep.rs";

    #[test]
    fn from_the_leaf_to_the_task() {
        let user = Some("/home/u/app/src/main.rs");
        let frames = vec![
            frame("debug_async::waker::raw::listed::frame_clone", None),
            frame(
                "<core::task::wake::Waker as core::clone::Clone>::clone",
                None,
            ),
            frame(
                "tokio::runtime::time::entry::TimerEntry::poll_elapsed",
                Some(TOKIO),
            ),
            frame(
                "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
                Some(TOKIO),
            ),
            frame(
                "<debug_async::future::TrackedFuture<F> as core::future::Future>::poll",
                None,
            ),
            frame("app::work::{{closure}}", user),
            frame("<core::pin::Pin<P> as core::future::Future>::poll", None),
            frame("app::run::{{closure}}", user),
            frame(
                "debug_async::task::tracked::TrackedTask<F,P>::poll_watched",
                None,
            ),
            frame("tokio::runtime::task::raw::poll", None),
            frame("app::main", user),
        ];
        let Awaits { frames, called } = awaits(frames);
        let names: Vec<&str> = frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!(names, ["app::work::{{closure}}", "app::run::{{closure}}"]);
        assert_eq!(called.as_deref(), Some("tokio::time::sleep::Sleep"));
    }

    #[test]
    fn a_handle_that_is_awaited_is_not_where_a_task_is_polled() {
        assert!(is_where_it_is_polled(&frame(
            "tokio::runtime::task::raw::poll",
            None
        )));
        let raw = TOKIO.replace("time/sleep.rs", "runtime/task/raw.rs");
        assert!(is_where_it_is_polled(&frame("poll<app::F, S>", Some(&raw))));
        for not in [
            "tokio::runtime::task::raw::poll_shutdown",
            "tokio::runtime::task::raw::RawTask::try_read_output",
            "<tokio::runtime::task::join::JoinHandle<T> as core::future::Future>::poll",
            "app::poll_watched",
        ] {
            assert!(
                !is_where_it_is_polled(&frame(not, Some("/home/u/app/src/main.rs"))),
                "{not}"
            );
        }
    }

    #[test]
    fn names_as_people_say_them() {
        let friendly = |function| friendly(&frame(function, Some(TOKIO)));
        assert_eq!(
            friendly("tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}"),
            "tokio::sync::mpsc::bounded::Receiver::recv"
        );
        assert_eq!(
            friendly("<tokio::net::TcpStream as tokio::io::AsyncRead>::poll_read"),
            "tokio::net::TcpStream::poll_read"
        );
        assert_eq!(friendly("poll"), "tokio-1.54.1/src/time/sleep.rs");
    }
}
