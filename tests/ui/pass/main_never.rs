//! A `main` that does not return.

#![deny(warnings)]

#[debug_async::main(flavor = "current_thread")]
async fn main() -> ! {
    std::process::exit(0)
}
