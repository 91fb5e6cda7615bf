use std::time::Duration;

use debug_async::prelude::*;
use tokio::time::{sleep, timeout};

async fn query() {
    sleep(Duration::from_secs(5)).await;
}

async fn handle() {
    // The future itself, which ends when it is dropped. Of a task, `abort()` its handle.
    let answer = timeout(Duration::from_millis(10), query().tracked()).await;
    assert!(answer.is_err());
}

#[debug_async::main]
pub(crate) async fn main() {
    for _request in 0..100 {
        handle().await;
    }
}
