use std::time::Duration;

use debug_async::prelude::*;
use debug_async::runtime::Runtime;
use tokio::time::{sleep, timeout};

async fn fetch() -> u32 {
    sleep(Duration::from_millis(200)).await;
    7
}

pub(crate) fn main() {
    let client = Runtime::new().expect("it can be built");
    let server = Runtime::new().expect("it can be built");

    let mut answer = Box::pin(fetch().tracked()); // BUG
    let in_time = async { timeout(Duration::from_millis(50), &mut answer).await };
    if client.block_on(in_time).is_err() {
        // Its timer is still the client's: without that runtime it stands still.
        assert_eq!(server.block_on(answer), 7);
    }
}
