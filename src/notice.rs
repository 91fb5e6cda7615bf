//! What this crate has to say about itself: a setting it cannot use, a hook that
//! panicked. Not findings: nothing here is about the program's futures.

use std::io::Write;

/// Says it once, through `tracing`, or to stderr if no subscriber is installed.
///
/// Runs a subscriber: call it with no lock of ours held.
pub(crate) fn say(message: &str) {
    if tracing_is_set() {
        tracing::warn!(target: "debug_async", "{message}");
    } else {
        to_stderr(&format!("WARN debug_async: {message}\n"));
    }
}

/// Whether a `tracing` event would reach anybody from this thread.
pub(crate) fn tracing_is_set() -> bool {
    tracing::dispatcher::has_been_set()
        && tracing::dispatcher::get_default(|dispatch| {
            !dispatch.is::<tracing::subscriber::NoSubscriber>()
        })
}

/// Writes past the capture of the test harness, in one piece, and never panics.
pub(crate) fn to_stderr(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
