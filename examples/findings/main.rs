//! Each finding as a program that makes it, and as one that does not: the programs of
//! the pages in `docs/findings/`.
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example findings -- never_polled
//! $ ASYNC_DEBUG=1 cargo run --example findings -- never_polled fixed
//! ```
//!
//! The first makes one report, the second none. Each is a whole program, as it stands on
//! its page: here a module, so that all of them are linked once.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = match arguments[..] {
        [kind] => program(kind, false),
        [kind, "fixed"] => program(kind, true),
        _ => None,
    };
    let Some(program) = program else {
        eprintln!("findings <kind> [fixed], where <kind> is one of:");
        KINDS.iter().for_each(|kind| eprintln!("  {kind}"));
        std::process::exit(2);
    };
    program();
}

mod never_polled {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod slow_poll {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}
mod unretrieved_error {
    pub(crate) mod bug;
    pub(crate) mod fixed;
}

macro_rules! programs {
    ($($kind:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        fn program(kind: &str, is_fixed: bool) -> Option<fn()> {
            match kind {
                $(stringify!($kind) if is_fixed => Some($kind::fixed::main),)*
                $(stringify!($kind) => Some($kind::bug::main),)*
                _ => None,
            }
        }
    };
}

programs! {
    never_polled
    slow_poll
    unretrieved_error
}
