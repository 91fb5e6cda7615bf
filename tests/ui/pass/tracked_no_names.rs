//! The expansion needs no name to be in scope, and minds none that is.

#![deny(warnings)]
#![no_implicit_prelude]

mod core {}
mod std {}
mod tokio {}
mod future {}

type Option = ();
type Future = ();

#[::debug_async::tracked]
async fn tracked(output: u8, __arg1: Option, _: Future) -> u8 {
    output
}

#[::debug_async::main]
async fn main() {
    let builder = tracked(1, (), ()).await;
    ::std::assert_eq!(builder, 1);
}
