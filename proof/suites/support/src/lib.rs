//! `debug_async`, as the rewritten suites see it: what it has, the hook that writes its
//! reports down, and what the rewriting wraps things in.

pub use real::*;

mod reports;
pub mod wrap;

/// What the attributes expand to. `#[test]` follows the arm, as `#[main]` would: by itself
/// it is in debug mode unless that is off.
#[doc(hidden)]
pub mod __private {
    pub use real::__private::*;
    use real::runtime::Builder;

    macro_rules! runners {
        ($($name:ident, $entry:ident;)*) => {$(
            #[track_caller]
            pub fn $name<F: Future>(mut builder: Builder, body: F) -> F::Output {
                if crate::reports::is_production_arm() {
                    builder.debug(false);
                    return real::__private::$entry(builder, body);
                }
                real::__private::$name(builder, body)
            }
        )*};
    }

    runners! {
        run_test, run_entry;
        run_test_local, run_entry_local;
    }
}
