//! The framework of this suite.
//!
//! Findings are judged by creation site, and a site is the process's: what one
//! test polls another cannot find unpolled, and repeats are held back. So a
//! scenario runs in a process of its own: [`Program`] runs the same test again in
//! a child, [`everywhere`] does so once for each flavour and mode.
//!
//! ```text
//! child.rs   Program: a test that runs itself again, with another environment
//! run.rs     Run: a scenario on a runtime of some flavour, in some mode
//! seen.rs    Seen: what a report said; the hook that collects them
//! expect.rs  Expected: what a report must say, and what to print if it does not
//! events.rs  a `tracing` layer that collects events
//! ```

#![allow(dead_code, unused_imports, unused_macros)]

pub(crate) mod child;
pub(crate) mod events;
pub(crate) mod expect;
pub(crate) mod run;
pub(crate) mod seen;

pub(crate) use self::child::{Output, Program, child};
pub(crate) use self::expect::{Expected, check, reported};
pub(crate) use self::run::{Case, Flavor, Host, Run, everywhere, in_debug, on, silent, silent_as};
pub(crate) use self::seen::{Seen, collect, has_seen, take_seen, wait_until};

/// The line in this file that ends in `// site: <mark>`, or that comes after a line
/// that is only that.
macro_rules! site {
    ($mark:literal) => {{
        const SOURCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", file!()));
        $crate::support::line_marked(SOURCE, $mark)
    }};
}
pub(crate) use site;

/// The one line of a source that is so marked.
pub(crate) fn line_marked(source: &str, mark: &str) -> u32 {
    let wanted = format!("// site: {mark}");
    let mut lines = (1..)
        .zip(source.lines())
        .filter(|(_, line)| line.trim_end().ends_with(&wanted))
        .map(|(number, line)| number + u32::from(line.trim() == wanted));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("the source has no line marked `{wanted}`"));
    assert_eq!(lines.next(), None, "`{wanted}` stands there twice");
    line
}

/// For how long this thread has been on a processor.
#[cfg(target_os = "linux")]
pub(crate) fn on_processor() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat");
    let stat = stat.expect("Linux has /proc");
    let nanos = stat.split_ascii_whitespace().next().map(str::parse);
    std::time::Duration::from_nanos(nanos.and_then(Result::ok).expect("a number"))
}

/// The names of this process's threads.
pub(crate) fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has /proc");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Blocks this thread for longer than the default threshold of slow polls.
pub(crate) fn block() {
    std::thread::sleep(std::time::Duration::from_millis(150));
}
