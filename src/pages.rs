//! The pages of `docs/`, as modules that have nothing else in them.

use crate::kind::with_names;

#[doc = include_str!("../docs/from-asyncio.md")]
pub mod from_asyncio {}

#[doc = include_str!("../docs/beside.md")]
pub mod beside {}

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

with_names!(findings);
