//! What is never called is still said to be.

#![deny(dead_code)]

#[debug_async::tracked]
async fn function() {}

struct Type;

impl Type {
    #[debug_async::tracked]
    async fn method(&self) {}
}

#[debug_async::tracked]
impl Type {
    async fn method_of_a_block(&self) {}
}

#[debug_async::main]
async fn entry() {}

fn main() {
    let _ = Type;
}
