//! A path that leads nowhere is reported at the argument that gives it.

#[debug_async::main(crate = "::nowhere")]
async fn main() {
    tracked().await;
}

#[debug_async::tracked(crate = nowhere::else_)]
async fn tracked() {}
