//! Addresses to functions and lines.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::mangling;
use super::print::Frame;

/// What each address stands for: several frames where functions were inlined.
static KNOWN: LazyLock<Mutex<HashMap<usize, Vec<Frame>>>> = LazyLock::new(Mutex::default);

/// The frames at these addresses, innermost first.
pub(super) fn resolve(addresses: &[usize]) -> Vec<Frame> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let frames = addresses.iter().flat_map(|address| {
        known
            .entry(*address)
            .or_insert_with(|| look_up(*address))
            .clone()
    });
    frames.collect()
}

/// The directory of this crate's own sources, as debug information spells it.
///
/// Without full debug information, an inlined function has no path in its name,
/// so the file must tell whose it is; and what the compiler knew of the file's
/// path may have been remapped since.
pub(super) fn own_directory() -> Option<&'static str> {
    static OWN: LazyLock<Option<String>> = LazyLock::new(|| {
        // One past the start, as a return address would be.
        let inside = (own_directory as fn() -> Option<&'static str> as usize) + 1;
        let file = look_up(inside)
            .into_iter()
            .rev()
            .find_map(|frame| frame.file)?;
        let at = file.replace('\\', "/").rfind("stack/resolve.rs")?;
        Some(file[..at].to_owned())
    });
    OWN.as_deref()
}

fn look_up(address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    // `resolve` itself steps back from the return address to the call.
    backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
        let Some(name) = symbol.name() else { return };
        frames.push(Frame {
            function: mangling::name_of(&name),
            file: symbol.filename().map(|file| file.display().to_string()),
            line: symbol.lineno(),
            column: symbol.colno(),
        });
    });
    frames
}
