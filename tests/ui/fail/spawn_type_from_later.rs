//! What `spawn!` looks at must be known where it stands.

#[tokio::main]
async fn main() {
    let task = debug_async::spawn!(async { Default::default() });
    let _: u32 = task.await.unwrap();
}
