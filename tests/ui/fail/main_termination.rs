//! `main` can return what can end a program, and nothing else.

#[debug_async::main]
async fn main() -> u32 {
    4
}
