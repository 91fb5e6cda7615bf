//! The pages of `docs/`, as modules that have nothing else in them.

#[doc = include_str!("../docs/from-asyncio.md")]
pub mod from_asyncio {}

macro_rules! findings {
    ($($kind:ident)*) => {
        // The index links to files, which is right where files are read. Of two
        // definitions of a link the first counts.
        $(#[doc = concat!("[`", stringify!($kind), "`]: ", stringify!($kind), "/index.html")])*
        #[doc = ""]
        #[doc = include_str!("../docs/findings/README.md")]
        pub mod findings {
            $(
                #[doc = include_str!(concat!("../docs/findings/", stringify!($kind), ".md"))]
                pub mod $kind {}
            )*
        }
    };
}

findings! {
    never_polled
    slow_poll
    unretrieved_error
}
