use std::time::Duration;

use debug_async::task::JoinSet;

async fn serve(_connection: u32) {}

#[debug_async::main]
pub(crate) async fn main() {
    let mut connections = JoinSet::new();
    for connection in 0..1_000 {
        while let Some(served) = connections.try_join_next() {
            served.expect("it does not panic");
        }
        connections.spawn(serve(connection));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(66)).await;
}
