//! Which frames are the user's.

use super::print::{self, Frame, Stack};
use super::resolve;
use crate::config::StackMode;

/// Leaves the user's frames and the first library frame that they called, or
/// everything but our own innermost frames if all is wanted.
pub(super) fn trim(frames: Vec<Frame>, mode: StackMode) -> Stack {
    let has_lines = frames.iter().any(|frame| frame.file.is_some());
    let all = frames.len();
    // How the capture itself came about is of no interest in any mode.
    let inside = frames
        .iter()
        .take_while(|frame| owner(frame) != Owner::User)
        .count();
    let start = frames[..inside]
        .iter()
        .rposition(|frame| owner(frame) == Owner::Ours);
    let frames: Vec<Frame> = frames
        .into_iter()
        .skip(start.map_or(0, |at| at + 1))
        .collect();
    let (shown, hidden) = if mode == StackMode::Full {
        (frames, 0)
    } else {
        let shown = short(frames);
        let hidden = all - shown.len();
        (shown, hidden)
    };
    Stack {
        hidden,
        frames: shown,
        has_lines,
        cut: false,
    }
}

fn short(frames: Vec<Frame>) -> Vec<Frame> {
    let Some(first) = frames.iter().position(|frame| owner(frame) == Owner::User) else {
        // Nobody's: rather all of it than nothing.
        return frames;
    };
    let called = first
        .checked_sub(1)
        .filter(|at| owner(&frames[*at]) == Owner::Library);
    let keep = |at: usize, frame: &Frame| Some(at) == called || owner(frame) == Owner::User;
    frames
        .into_iter()
        .enumerate()
        .filter(|(at, frame)| keep(*at, frame))
        .map(|(_, f)| f)
        .collect()
}

/// What is to be seen of a thread that was blocked.
pub(crate) struct Seen {
    pub(crate) stack: Stack,
    /// The innermost frame of the user's.
    pub(crate) at: Option<Frame>,
    /// The library function that it called.
    pub(crate) called: Option<String>,
}

/// Leaves the user's frames of a stack that another thread was seen with: the line
/// that blocks is on top. All of it, if all is wanted or none of it is the user's.
pub(super) fn trim_live(frames: Vec<Frame>, mode: StackMode, cut: bool) -> Seen {
    let has_lines = frames.iter().any(|frame| frame.file.is_some());
    let all = frames.len();
    let is_users = |frame: &Frame| owner(frame) == Owner::User;
    let first = frames.iter().position(is_users);
    let at = first.map(|first| frames[first].clone());
    let called = first
        .and_then(|first| first.checked_sub(1))
        .map(|called| print::without_closures(&frames[called].function).to_owned());
    let shown = if mode == StackMode::Full || at.is_none() {
        frames
    } else {
        without_repeats(frames.into_iter().filter(is_users))
    };
    let stack = Stack {
        hidden: all - shown.len(),
        frames: shown,
        has_lines,
        cut,
    };
    Seen { stack, at, called }
}

/// A recursion is shown by three of its turns.
fn without_repeats(frames: impl Iterator<Item = Frame>) -> Vec<Frame> {
    let mut shown: Vec<Frame> = Vec::new();
    for frame in frames {
        let alike = shown.iter().rev().take_while(|last| **last == frame);
        if alike.count() < 3 {
            shown.push(frame);
        }
    }
    shown
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    Library,
    Ours,
}

pub(super) fn owner(frame: &Frame) -> Owner {
    let krate = krate(&frame.function);
    let in_own_file =
        |file: &String| resolve::own_directory().is_some_and(|own| file.starts_with(own));
    if krate == "debug_async"
        || krate == "backtrace"
        || frame.file.as_ref().is_some_and(in_own_file)
    {
        return Owner::Ours;
    }
    let library = match &frame.file {
        Some(file) => is_library_file(file),
        // No debug information: what is one of the usual libraries, and what has a
        // path of one segment, which is C or the entry point.
        None => LIBRARIES.contains(&krate) || !frame.function.contains("::"),
    };
    if library { Owner::Library } else { Owner::User }
}

const LIBRARIES: &[&str] = &[
    "std",
    "core",
    "alloc",
    "test",
    "tokio",
    "tokio_util",
    "tokio_stream",
    "futures",
    "futures_util",
    "futures_executor",
    "tracing",
    "tracing_core",
    "hyper",
    "hyper_util",
    "tower",
    "axum",
    "mio",
];

fn is_library_file(file: &str) -> bool {
    let file = file.replace('\\', "/");
    if !file.ends_with(".rs") {
        return true;
    }
    // The second is where the standard library has its own dependencies.
    file.starts_with("/rustc/")
        || file.starts_with("/rust/deps/")
        || [
            "/registry/src/",
            "/.rustup/toolchains/",
            "/.cargo/git/checkouts/",
        ]
        .iter()
        .any(|part| file.contains(part))
}

/// The crate of a function's path: `<app::Server as tower::Service>::call` is of
/// the crate `app`.
fn krate(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&', '*', '(', '[']);
    let path = path
        .strip_prefix("mut ")
        .or_else(|| path.strip_prefix("const "))
        .unwrap_or(path);
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    let end = path
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(path.len());
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: Option<&str>) -> Frame {
        Frame {
            function: function.into(),
            file: file.map(Into::into),
            line: Some(1),
            column: None,
        }
    }

    fn names(stack: &Stack) -> Vec<&str> {
        stack
            .frames()
            .iter()
            .map(|frame| frame.function.as_str())
            .collect()
    }

    #[test]
    fn the_user_s_frames_and_what_they_called() {
        let frames = vec![
            frame(
                "backtrace::trace",
                Some("/home/u/.cargo/registry/src/x/backtrace/src/lib.rs"),
            ),
            frame(
                "debug_async::stack::capture",
                Some("/home/u/debug/src/stack.rs"),
            ),
            frame(
                "std::thread::sleep",
                Some("/rustc/abc/library/std/src/thread/mod.rs"),
            ),
            frame("app::work", Some("/home/u/app/src/main.rs")),
            frame(
                "tokio::runtime::task::poll",
                Some("/home/u/.cargo/registry/src/x/tokio/src/a.rs"),
            ),
            frame("app::main", Some("/home/u/app/src/main.rs")),
            frame("main", None),
        ];
        let stack = trim(frames.clone(), StackMode::Short);
        assert_eq!(
            names(&stack),
            ["std::thread::sleep", "app::work", "app::main"]
        );
        assert_eq!(stack.hidden(), 4);
        let stack = trim(frames, StackMode::Full);
        assert_eq!(names(&stack).len(), 5);
        assert_eq!(stack.hidden(), 0);
    }

    #[test]
    fn what_the_standard_library_depends_on_is_not_the_user_s() {
        let frames = vec![
            frame(
                "addr2line::Context::from_dwarf",
                Some("/rust/deps/addr2line-0.25.1/src/lib.rs"),
            ),
            frame(
                "std::backtrace::Backtrace::create",
                Some("/rustc/abc/library/std/src/backtrace.rs"),
            ),
            frame("app::work", Some("/home/u/app/src/main.rs")),
        ];
        let seen = trim_live(frames, StackMode::Short, false);
        assert_eq!(names(&seen.stack), ["app::work"]);
        let called = seen.called.as_deref();
        assert_eq!(called, Some("std::backtrace::Backtrace::create"));
    }

    #[test]
    fn without_debug_information_crates_tell() {
        let frames = vec![
            frame("debug_async::stack::capture", None),
            frame("<app::Server as tower::Service<R>>::call", None),
            frame("tokio::runtime::task::poll", None),
            frame("__libc_start_main", None),
        ];
        let stack = trim(frames, StackMode::Short);
        assert_eq!(names(&stack), ["<app::Server as tower::Service<R>>::call"]);
        assert!(!stack.has_lines());
    }

    #[test]
    fn a_stack_of_strangers_is_shown_whole() {
        let stack = trim(
            vec![frame("std::a", None), frame("tokio::b", None)],
            StackMode::Short,
        );
        assert_eq!(names(&stack), ["std::a", "tokio::b"]);
    }
}
