//! What must hold of anything that is read: for the targets of `fuzz/`, which is why
//! this is public there, and in a short form for the tests.
//!
//! The bytes that a target is given choose from tables of what is apt to matter.

use std::ffi::OsString;

use crate::config::{Environment, Settings, StackMode, VARS};
use crate::name;
use crate::stack::fuzzing as stack;

pub use crate::stack::fuzzing::Damage;

/// A text of pieces from a table, or of the characters that other bytes stand for.
fn text(bytes: &[u8], pieces: &[&str]) -> String {
    let piece = |byte: &u8| match pieces.get(usize::from(*byte)) {
        Some(piece) => (*piece).to_owned(),
        None => char::from(*byte).to_string(),
    };
    bytes.iter().map(piece).collect()
}

const VALUES: &[&str] = &[
    "1",
    "0",
    "true",
    "FALSE",
    "off",
    "on",
    "short",
    "full",
    "all",
    " ",
    ",",
    "+",
    "-",
    ".",
    "ms",
    "s",
    "years",
    "18446744073709551615",
    "SIG",
    "urg",
    "USR1",
    "RTMIN",
    "RTMAX",
    "31",
    "KILL",
    "slow_poll",
    "never_polled",
    "\u{fffd}",
    "\0",
    "=",
];

/// The environment is read whatever is in it, and what cannot be used is named.
///
/// The first byte of each chooses the variable, or what its name ends in if there is no
/// such variable.
pub fn environment(given: &[(u8, Vec<u8>)]) {
    let name = |which: u8| match VARS.get(usize::from(which)) {
        Some(var) => var.name.to_owned(),
        None => format!("ASYNC_DEBUG_{}", char::from(which)),
    };
    let vars = given
        .iter()
        .map(|(which, value)| (name(*which), text(value, VALUES)));
    let vars: Vec<(String, String)> = vars.collect();
    let os = vars
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = Environment::parse(os);
    for problem in &environment.problems {
        let is_its =
            |(name, value): &(String, String)| name == problem.name() && value == problem.value();
        assert!(vars.iter().any(is_its), "{problem}");
        assert!(problem.to_string().contains(problem.name()));
        // What cannot be used cannot be used alone either.
        let pair = (problem.name().into(), problem.value().into());
        assert_eq!(Environment::parse([pair].into_iter()).problems.len(), 1);
    }
    if vars.len() == environment.problems.len() {
        assert_eq!(environment.config, Default::default());
        assert_eq!(environment.switch, None);
    }
    let settings = Settings::new(environment.config);
    assert_eq!(
        settings.slow_poll().as_nanos(),
        u128::from(settings.slow_poll_nanos())
    );
    let _ = settings.sample_signal.number();
}

const PATHS: &[&str] = &[
    "app::f::{{closure}}::{{closure}}",
    ">",
    "Map<",
    "app",
    "std",
    "tokio",
    "debug_async",
    "core",
    "backtrace",
    "::",
    "<",
    "&",
    "mut ",
    "dyn ",
    "const ",
    "*",
    " as ",
    "{{closure}}",
    "::{{closure}}",
    "::{closure#0}",
    "{async_fn#0}",
    "{",
    "}",
    ", ",
    "(",
    ")",
    "[",
    "]",
    "'_ ",
    "<'_>",
    "TrackedFuture<",
    "Pin<Box<",
    " + ",
    "core::result::Result<",
    "AsyncStream<",
    "->",
    "fn(",
    "é",
    "AssertUnwindSafe",
];

const FILES: &[&str] = &[
    "/",
    "src",
    ".rs",
    "main.rs",
    "\\",
    "/rustc/",
    "/registry/src/",
    "/.cargo/git/checkouts/",
    "/.rustup/toolchains/",
    ".",
    "./",
    "..",
    "é",
    env!("CARGO_MANIFEST_DIR"),
    "",
];

/// A stack is trimmed to the user's frames, none of which is lost, and is printed.
///
/// Each frame is a function, and a file unless there are no bytes for one.
pub fn frames(frames: &[(Vec<u8>, Vec<u8>)]) {
    let frame = |(function, file): &(Vec<u8>, Vec<u8>)| {
        let file = (!file.is_empty()).then(|| text(file, FILES));
        (text(function, PATHS), file)
    };
    let frames: Vec<_> = frames.iter().map(frame).collect();
    for mode in [StackMode::Off, StackMode::Short, StackMode::Full] {
        stack::trims(&frames, mode);
    }
}

/// Any name of a type becomes one that can be printed.
pub fn names(type_name: &[u8]) {
    let type_name = text(type_name, PATHS);
    for named in [
        name::of_future(&type_name, 7),
        name::of_stream(&type_name, 7),
        name::of_closure(&type_name, 7),
        name::error_type(&type_name),
        name::of_place(&type_name, 7),
    ] {
        // What stands for "an async block in" is of no use to a reader.
        assert!(
            !named.contains('\u{1}') || type_name.contains('\u{1}'),
            "{named}"
        );
        // Nothing is made up but a few words.
        assert!(
            named.len() <= 2 * type_name.len() + 40,
            "{type_name} is {named}"
        );
    }
}

/// A copy of a stack in which some words are damaged is walked to some end.
pub fn damaged_stack(damage: &Damage) {
    stack::walks(damage);
}

#[cfg(test)]
mod tests {
    use arbitrary::{Arbitrary, Unstructured};

    use super::*;

    /// Calls `hold` with many things of one type, the same in each run.
    fn many<T: for<'a> Arbitrary<'a>>(hold: impl Fn(&T)) {
        let mut random = fastrand::Rng::with_seed(7);
        for case in 0..1_000 {
            // Small numbers stand for pieces of the tables.
            let byte = |_| random.u8(..) >> random.u8(..8);
            let bytes: Vec<u8> = (0..case).map(byte).collect();
            let made = T::arbitrary(&mut Unstructured::new(&bytes));
            hold(&made.expect("there is always something"));
        }
    }

    #[test]
    fn environments() {
        many(|given: &Vec<(u8, Vec<u8>)>| environment(given));
    }

    #[test]
    fn stacks() {
        many(|given: &Vec<(Vec<u8>, Vec<u8>)>| frames(given));
    }

    #[test]
    fn types() {
        many(|given: &Vec<u8>| names(given));
    }

    #[test]
    fn copies() {
        many(|given: &(u16, Vec<(u16, u8, u64)>)| damaged_stack(given));
    }
}
