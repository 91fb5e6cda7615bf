//! The names of functions, the same in whichever way the compiler mangled them.
//!
//! There are two ways, and what reads stacks knows the names of the older one. The newer
//! one (`-C symbol-mangling-version=v0`, the default of nightly compilers) writes down more
//! of a name, and writes it differently:
//!
//! | older | newer |
//! |---|---|
//! | `app::main::{{closure}}` | `app::main::{closure#0}` |
//! | `app::Client::get` | `<app::Client>::get` |
//! | `core::str::<impl str>::len` | `<str>::len` |
//! | `app::run` | `app::run::<u8>` |
//! | `core::ptr::drop_in_place<app::T>` | `core::ptr::drop_in_place::<app::T>` |

use backtrace::SymbolName;

use crate::brackets::with_depths;

/// The name as the older way has it, without the hash.
pub(super) fn name_of(symbol: &SymbolName<'_>) -> String {
    // The alternate form leaves out the hash.
    let name = format!("{symbol:#}");
    match symbol.as_str() {
        Some(mangled) if is_newer(mangled) => older(&name),
        _ => name,
    }
}

fn is_newer(mangled: &str) -> bool {
    // On macOS with one `_` more, on Windows with one less.
    ["_R", "__R", "R"]
        .iter()
        .any(|prefix| mangled.starts_with(prefix))
}

/// A name that was mangled in the newer way, as the older one has it.
pub(super) fn older(name: &str) -> String {
    let name = with_plain_closures(name);
    let name = without_arguments_of_functions(&name);
    without_brackets_of_methods(&name)
}

/// `{closure#1}` is `{{closure}}`.
fn with_plain_closures(name: &str) -> String {
    const CLOSURE: &str = "{closure#";
    let mut pieces = name.split(CLOSURE);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((number, rest)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
                plain += "{{closure}}";
                plain += rest;
            }
            _ => {
                plain += CLOSURE;
                plain += piece;
            }
        }
    }
    plain
}

/// `<app::Client>::get` is `app::Client::get`, also within another name; what has ` as `
/// in its brackets is the method of a trait, and stays.
fn without_brackets_of_methods(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('<') {
        plain += &rest[..open];
        // After a path, they are around its arguments.
        let is_of_path = plain.ends_with(|c: char| c.is_alphanumeric() || "_:}".contains(c));
        let close = closing(&rest[open..]).map(|close| open + close);
        match close {
            Some(close) if !is_of_path && !is_of_trait(&rest[open..=close]) => {
                let inner = without_brackets_of_methods(&rest[open + 1..close]);
                if inner.starts_with(|c: char| c.is_alphabetic() || c == '_')
                    && inner.contains("::")
                    && !inner.starts_with("dyn ")
                {
                    plain += &inner;
                } else {
                    plain += "core::<impl ";
                    plain += &inner;
                    plain.push('>');
                }
                rest = &rest[close + 1..];
            }
            _ => {
                plain.push('<');
                rest = &rest[open + 1..];
            }
        }
    }
    plain + rest
}

/// `app::run::<u8>` is `app::run`; but drop glue says what it drops.
fn without_arguments_of_functions(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('<') {
        let is_function_s = rest[..open].ends_with("::");
        let path = rest[..open].strip_suffix("::").unwrap_or(&rest[..open]);
        let Some(close) = closing(&rest[open..]).map(|close| open + close) else {
            break;
        };
        plain += path;
        if !is_function_s || plain.ends_with("::drop_in_place") || plain.ends_with("::drop_glue") {
            // Of types, all is left.
            plain += &rest[open..=close].replace("::<", "<");
        }
        rest = &rest[close + 1..];
    }
    plain + rest
}

/// Whether the ` as ` of a trait is in these brackets, and not within others in them.
fn is_of_trait(bracketed: &str) -> bool {
    with_depths(bracketed).any(|(at, _, depth)| depth == 1 && bracketed[at..].starts_with(" as "))
}

/// Where the bracket closes that a text begins with.
fn closing(text: &str) -> Option<usize> {
    let mut outside = with_depths(text).filter(|(_, _, depth)| *depth == 0);
    outside.nth(1).map(|(at, ..)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_newer_way_are_those_of_the_older() {
        for (newer, as_older) in [
            ("app::main", "app::main"),
            (
                "app::main::{closure#0}::{closure#12}",
                "app::main::{{closure}}::{{closure}}",
            ),
            ("<app::Client>::get", "app::Client::get"),
            ("<app::Client<u8>>::get::<u8>", "app::Client<u8>::get"),
            (
                "<app::Client>::get::{closure#0}",
                "app::Client::get::{{closure}}",
            ),
            (
                "app::run::<app::A, u8>::{closure#0}",
                "app::run::{{closure}}",
            ),
            (
                "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
                "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
            ),
            (
                "<tokio::time::timeout::Timeout<<app::A as app::B>::C> as core::future::future::Future>::poll",
                "<tokio::time::timeout::Timeout<<app::A as app::B>::C> as core::future::future::Future>::poll",
            ),
            (
                "<core::panic::unwind_safe::AssertUnwindSafe<<app::A>::f::{closure#1}> as core::ops::function::FnOnce<()>>::call_once",
                "<core::panic::unwind_safe::AssertUnwindSafe<app::A::f::{{closure}}> as core::ops::function::FnOnce<()>>::call_once",
            ),
            (
                "core::ptr::drop_in_place::<(app::A, app::B)>",
                "core::ptr::drop_in_place<(app::A, app::B)>",
            ),
            (
                "core::ptr::drop_in_place::<<app::A<u8>>::f::<u8>::{closure#0}>",
                "core::ptr::drop_in_place<app::A<u8>::f<u8>::{{closure}}>",
            ),
            (
                "core::ptr::drop_in_place::<alloc::boxed::Box<dyn core::ops::function::Fn() -> u8>>",
                "core::ptr::drop_in_place<alloc::boxed::Box<dyn core::ops::function::Fn() -> u8>>",
            ),
            ("<str>::len", "core::<impl str>::len"),
            ("<[u8]>::sort::<app::A>", "core::<impl [u8]>::sort"),
            (
                "<dyn core::any::Any>::is::<u8>",
                "core::<impl dyn core::any::Any>::is",
            ),
            (
                "<fn() -> u8 as app::F>::call",
                "<fn() -> u8 as app::F>::call",
            ),
        ] {
            assert_eq!(older(newer), as_older);
        }
    }

    #[test]
    fn what_is_no_name_is_left() {
        for text in [
            "",
            "<",
            ">",
            "->",
            "::<",
            "{closure#",
            "{closure#x}",
            "<<app",
            "é<é",
        ] {
            assert_eq!(older(text), text);
        }
    }

    #[test]
    fn the_newer_way_is_known_by_its_prefix() {
        let name = |mangled: &str| name_of(&SymbolName::new(mangled.as_bytes()));
        assert_eq!(
            name("_RINvNtCs1234_4core3ptr13drop_in_placeNtCs1234_3app1TECs1234_3app"),
            "core::ptr::drop_in_place<app::T>"
        );
        assert_eq!(name("_ZN3app4main17h0123456789abcdefE"), "app::main");
        assert_eq!(name("Read"), "Read");
    }
}
