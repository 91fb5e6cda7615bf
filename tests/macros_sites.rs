//! The site of a future of `#[tracked]` is the line of the call, and its name that of the
//! function: alone, in blocks, and beside the attributes that people use with it.

#![cfg(feature = "macros")]

mod support;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use debug_async::report::ReportKind;
use debug_async::tracked;
use support::{Expected, Program, collect, take_seen};
use tracing::instrument;

thread_local! {
    /// The lines of the calls, and what is expected there.
    static CALLS: RefCell<Vec<(u32, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// Drops what the call gives, on the line it stands on.
macro_rules! forget {
    ($call:expr, $name:literal) => {{
        CALLS.with_borrow_mut(|calls| calls.push((line!(), $name)));
        drop($call);
    }};
}

/// Runs the body in production and in debug mode, and expects what it forgot.
macro_rules! told {
    ($body:expr) => {
        let body = $body;
        let program = Program::new(|| {
            collect();
            body();
            debug_async::flush();
            let told = |(line, name): (u32, &str)| {
                let told = Expected::new(ReportKind::NeverPolled);
                told.at(line).named(name)
            };
            let expected: Vec<_> = CALLS.take().into_iter().map(told).collect();
            assert!(!expected.is_empty());
            support::check(&take_seen(), &expected).unwrap_or_else(|wrong| panic!("{wrong}"));
        });
        program.run(&[("ASYNC_DEBUG", "0")]).succeeded();
        program.run(&[("ASYNC_DEBUG", "1")]).succeeded();
    };
}

mod alone {
    use super::*;

    struct Map;

    #[tracked]
    async fn free(n: u32) -> u32 {
        n
    }

    #[tracked]
    async fn generic<T: Send>(value: T) -> T {
        value
    }

    impl Map {
        #[tracked]
        async fn method(&self, n: u32) -> u32 {
            n
        }

        #[tracked]
        async fn associated(n: u32) -> u32 {
            n
        }
    }

    #[test]
    #[rustfmt::skip] // Each on one line.
    fn functions() {
        told!(|| {
            forget!(free(1), "macros_sites::alone::free");
            forget!(generic("x"), "macros_sites::alone::generic<&str>");
            forget!(Map.method(1), "macros_sites::alone::Map::method");
            forget!(Map::associated(1), "macros_sites::alone::Map::associated");
        });
    }
}

mod in_blocks {
    use super::*;

    struct Map;

    trait Store {
        async fn get(&self, n: u32) -> u32;
    }

    #[tracked]
    trait Provides {
        async fn provided(&self, n: u32) -> u32 {
            n
        }
    }

    #[tracked]
    impl Map {
        async fn in_impl(&self, n: u32) -> u32 {
            n
        }
    }

    #[tracked]
    impl Store for Map {
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    impl Store for () {
        #[tracked]
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    impl Provides for Map {}

    #[tracked]
    mod tracked_mod {
        pub(super) async fn in_mod(n: u32) -> u32 {
            n
        }
    }

    #[test]
    #[rustfmt::skip] // Each on one line.
    fn methods() {
        told!(|| {
            forget!(Map.in_impl(1), "macros_sites::in_blocks::Map::in_impl");
            forget!(Map.get(1), "<macros_sites::in_blocks::Map as macros_sites::in_blocks::Store>::get");
            forget!(().get(1), "<() as macros_sites::in_blocks::Store>::get");
            forget!(Map.provided(1), "<macros_sites::in_blocks::Map as macros_sites::in_blocks::Provides>::provided");
            forget!(tracked_mod::in_mod(1), "macros_sites::in_blocks::tracked_mod::in_mod");
        });
    }
}

mod boxed {
    use super::*;

    type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

    trait Store {
        fn get(&self, n: u32) -> BoxFuture<'_, u32>;
    }

    struct Map;

    #[tracked]
    impl Store for Map {
        // site: through a pointer
        fn get(&self, n: u32) -> BoxFuture<'_, u32> {
            Box::pin(async move { n })
        }
    }

    #[test]
    #[rustfmt::skip] // Each on one line.
    fn methods() {
        told!(|| {
            forget!(Map.get(1), "<macros_sites::boxed::Map as macros_sites::boxed::Store>::get");
        });
    }

    #[test]
    fn through_a_trait_object_the_line_is_the_function_s() {
        let program = Program::new(|| {
            collect();
            let store: &dyn Store = &Map;
            drop(store.get(1));
            debug_async::flush();
            let seen = take_seen();
            assert_eq!(seen.len(), 1, "{seen:#?}");
            assert_eq!(seen[0].line, Some(support::site!("through a pointer")));
        });
        program.run(&[]).succeeded();
    }
}

mod with_instrument {
    use super::*;

    struct Map;

    #[tracked]
    #[instrument]
    async fn first(n: u32) -> u32 {
        n
    }

    #[instrument(skip_all, fields(n))]
    #[tracked]
    async fn last(n: u32) -> u32 {
        n
    }

    #[tracked]
    impl Map {
        #[instrument(skip(self))]
        async fn in_tracked(&self, n: u32) -> u32 {
            n
        }
    }

    impl Map {
        #[instrument(skip(self), err)]
        #[tracked]
        async fn method_last(&self, n: u32) -> Result<u32, String> {
            Ok(n)
        }
    }

    #[test]
    #[rustfmt::skip] // Each on one line.
    fn functions_and_methods() {
        told!(|| {
            forget!(first(1), "macros_sites::with_instrument::first");
            forget!(last(1), "macros_sites::with_instrument::last");
            forget!(Map.in_tracked(1), "macros_sites::with_instrument::Map::in_tracked");
            forget!(Map.method_last(1), "macros_sites::with_instrument::Map::method_last");
        });
    }
}

mod with_async_trait {
    use super::*;

    struct Map;

    #[async_trait]
    trait Store {
        async fn get(&self, n: u32) -> u32;
    }

    #[tracked]
    #[async_trait]
    trait Provides {
        async fn provided(&self, n: u32) -> u32 {
            n
        }
    }

    impl Provides for Map {}

    struct First;
    #[tracked]
    // site: through a trait object
    #[async_trait]
    impl Store for First {
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    struct Last;
    #[async_trait]
    #[tracked]
    impl Store for Last {
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    struct Method;
    #[async_trait]
    impl Store for Method {
        #[tracked]
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    struct Instrumented;
    #[tracked]
    #[async_trait]
    impl Store for Instrumented {
        #[instrument(skip(self))]
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    struct Both;
    #[async_trait]
    impl Store for Both {
        #[instrument(skip(self))]
        #[tracked]
        async fn get(&self, n: u32) -> u32 {
            n
        }
    }

    #[test]
    #[rustfmt::skip] // Each on one line.
    fn methods() {
        told!(|| {
            forget!(First.get(1), "<macros_sites::with_async_trait::First as macros_sites::with_async_trait::Store>::get");
            forget!(Last.get(1), "<macros_sites::with_async_trait::Last as macros_sites::with_async_trait::Store>::get");
            forget!(Method.get(1), "<macros_sites::with_async_trait::Method as macros_sites::with_async_trait::Store>::get");
            forget!(Instrumented.get(1), "<macros_sites::with_async_trait::Instrumented as macros_sites::with_async_trait::Store>::get");
            forget!(Both.get(1), "<macros_sites::with_async_trait::Both as macros_sites::with_async_trait::Store>::get");
            forget!(Map.provided(1), "<macros_sites::with_async_trait::Map as macros_sites::with_async_trait::Provides>::provided");
        });
    }

    #[test]
    fn through_a_trait_object_the_line_is_that_of_the_attribute() {
        let program = Program::new(|| {
            collect();
            let store: &dyn Store = &First;
            drop(store.get(1));
            debug_async::flush();
            let seen = take_seen();
            assert_eq!(seen.len(), 1, "{seen:#?}");
            assert_eq!(seen[0].line, Some(support::site!("through a trait object")));
        });
        program.run(&[]).succeeded();
    }
}
