use std::time::Duration;

use debug_async::task::JoinSet;

async fn serve(_connection: u32) {}

#[debug_async::main]
pub(crate) async fn main() {
    let mut connections = JoinSet::new();
    for connection in 0..1_000 {
        connections.spawn(serve(connection)); // BUG
    }
    // The server goes on; its set keeps the results.
    tokio::time::sleep(Duration::from_secs(66)).await;
}
