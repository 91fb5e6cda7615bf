use std::time::Duration;

use tokio::time::{sleep, timeout};

async fn query() {
    sleep(Duration::from_secs(5)).await;
}

async fn handle() {
    let query = debug_async::spawn!(query()); // BUG
    // When the time is up, this drops the handle. The query goes on.
    let answer = timeout(Duration::from_millis(10), query).await;
    assert!(answer.is_err());
}

#[debug_async::main]
pub(crate) async fn main() {
    for _request in 0..100 {
        handle().await;
    }
    sleep(Duration::from_secs(6)).await;
}
