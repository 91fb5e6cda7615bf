//! Addresses to functions and lines.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::print::Frame;

/// What each address stands for: several frames where functions were inlined.
static KNOWN: LazyLock<Mutex<HashMap<usize, Vec<Frame>>>> = LazyLock::new(Mutex::default);

/// The frames at these addresses, innermost first.
pub(super) fn resolve(addresses: &[usize]) -> Vec<Frame> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let frames = addresses.iter().flat_map(|address| {
        known.entry(*address).or_insert_with(|| look_up(*address)).clone()
    });
    frames.collect()
}

fn look_up(address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    // `resolve` itself steps back from the return address to the call.
    backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
        let Some(name) = symbol.name() else { return };
        frames.push(Frame {
            // The alternate form leaves out the hash.
            function: format!("{name:#}"),
            file: symbol.filename().map(|file| file.display().to_string()),
            line: symbol.lineno(),
            column: symbol.colno(),
        });
    });
    frames
}
