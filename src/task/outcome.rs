//! Whether what a task returned is an error, for any type that a task returns.
//!
//! `spawn` must take what tokio's takes, so it knows nothing of the output's
//! type. It can still tell an `Err`: the type's name begins with that of
//! `Result`, and the discriminant is that of the second variant. `spawn!` is a
//! macro and sees the concrete type, so it can print the error too.

use std::any::{Any, type_name};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::detect::unretrieved;
use crate::name;
use crate::panics;
use crate::record::{End, Flag, Record, Step};

/// How to look at the output of a task.
pub trait Probe<T>: 'static {
    /// Whether it is an error.
    fn is_error(output: &T) -> bool;

    /// The error in it, for a reader.
    fn text(output: &T) -> Option<String>;
}

/// Knows the type only by its name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ByType;

impl<T> Probe<T> for ByType {
    fn is_error(output: &T) -> bool {
        type_name::<T>().starts_with(name::RESULT) && variant(output) == Some(1)
    }

    fn text(_: &T) -> Option<String> {
        None
    }
}

/// Knows that it is a `Result` whose error can be printed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ByDebug;

impl<T, E: Debug> Probe<Result<T, E>> for ByDebug {
    fn is_error(output: &Result<T, E>) -> bool {
        output.is_err()
    }

    fn text(output: &Result<T, E>) -> Option<String> {
        let error = output.as_ref().err()?;
        // The user's code; if it panics, that is not the task's business.
        catch_unwind(AssertUnwindSafe(|| format!("{error:?}"))).ok()
    }
}

/// The index of a value's variant, which a discriminant gives to a hasher only.
fn variant<T>(value: &T) -> Option<u64> {
    #[derive(Default)]
    struct Seen(Option<u64>);

    impl Hasher for Seen {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            let mut word = [0; 8];
            let length = bytes.len().min(8);
            word[..length].copy_from_slice(&bytes[..length]);
            self.0 = Some(u64::from_ne_bytes(word));
        }
        fn write_isize(&mut self, value: isize) {
            self.0 = u64::try_from(value).ok();
        }
    }

    let mut seen = Seen::default();
    discriminant(value).hash(&mut seen);
    seen.0
}

/// A task has returned. If it is an error, `expected` says whether it is no news.
pub(super) fn returned<T, P: Probe<T>>(record: &Arc<Record>, output: &T, expected: bool) {
    if P::is_error(output) {
        failed::<T, P>(record, output, expected);
    } else {
        record.take(Step::Done);
    }
}

/// A task has returned an error.
pub(super) fn failed<T, P: Probe<T>>(record: &Arc<Record>, output: &T, expected: bool) {
    record.take(Step::Done);
    if expected || was_aborted::<T>() {
        record.set(Flag::EXPECTED);
        return;
    }
    // Printing an error may be dear (a backtrace in it), so it is done for those
    // only of which nobody is waiting to be told.
    let lost = record.is(Flag::UNHELD);
    let kept = record.debug().is_some() && !record.has(Step::Awaited);
    let text = if lost || kept { P::text(output) } else { None };
    let type_name = name::error_type(type_name::<T>());
    unretrieved::failed(record, End::Error { type_name, text });
}

/// Whether all that the error says is that somebody has aborted what was running: that
/// of `Abortable`, of futures.
fn was_aborted<T>() -> bool {
    type_name::<T>().ends_with(", futures_util::abortable::Aborted>")
}

/// A task has panicked.
pub(super) fn panicked(record: &Arc<Record>, payload: &(dyn Any + Send)) {
    record.take(Step::Done);
    unretrieved::failed(record, panics::caught(payload));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_err_is_told_from_an_ok_without_knowing_the_type() {
        fn is_error<T>(output: T) -> bool {
            ByType::is_error(&output)
        }
        assert!(is_error(Err::<(), _>("lost")));
        assert!(is_error(Err::<String, _>(())));
        assert!(is_error(std::io::Result::<Vec<u8>>::Err(
            std::io::ErrorKind::Other.into()
        )));
        assert!(is_error(Err::<&str, std::num::NonZeroU8>(
            std::num::NonZeroU8::MIN
        )));
        assert!(!is_error(Ok::<Result<(), ()>, ()>(Err(()))));
        assert!(!is_error(Ok::<(), String>(())));
        assert!(!is_error(Some(1)));
        assert!(!is_error(None::<Result<(), ()>>));
        assert!(!is_error(()));
    }

    #[test]
    fn an_error_whose_debug_panics_has_no_text() {
        struct Bad;
        impl Debug for Bad {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("no")
            }
        }
        assert_eq!(ByDebug::text(&Err::<(), _>(Bad)), None);
        assert_eq!(ByDebug::text(&Err::<(), _>("x")), Some("\"x\"".into()));
    }
}
