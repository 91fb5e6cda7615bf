//! In a public interface: documentation, visibilities and the lints that look at them.

#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unnameable_types,
    single_use_lifetimes
)]
#![deny(rust_2018_idioms, clippy::all, refining_impl_trait)]

/// A trait.
#[debug_async::tracked]
pub trait Service {
    /// Declared.
    #[allow(async_fn_in_trait)]
    async fn call(&self, request: &str) -> String;

    /// Provided.
    async fn twice(&self, request: &str) -> String {
        self.call(request).await + &self.call(request).await
    }
}

/// A type.
#[derive(Debug, Clone, Copy)]
pub struct Echo;

impl Service for Echo {
    #[debug_async::tracked]
    async fn call(&self, request: &str) -> String {
        request.to_owned()
    }
}

/// Another.
#[derive(Debug, Clone, Copy)]
pub struct Silence;

#[debug_async::tracked]
impl Service for Silence {
    async fn call(&self, _request: &str) -> String {
        String::new()
    }
}

/// A function.
#[debug_async::tracked]
pub async fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    if a.len() > b.len() { a } else { b }
}

#[debug_async::main]
async fn main() {
    assert_eq!(Echo.twice("x").await + &Silence.twice("x").await, "xx");
    assert_eq!(longest("a", "bb").await, "bb");
}
