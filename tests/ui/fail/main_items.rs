//! What `#[main]` cannot be put on.

#[debug_async::main]
fn not_async() {}

#[debug_async::main]
struct Struct;

#[debug_async::main]
async fn main(args: Vec<String>) {
    not_async();
}
