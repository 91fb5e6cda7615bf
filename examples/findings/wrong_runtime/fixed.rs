use std::time::Duration;

use debug_async::runtime::Runtime;
use tokio::time::{sleep, timeout};

async fn fetch() -> u32 {
    sleep(Duration::from_millis(200)).await;
    7
}

pub(crate) fn main() {
    let client = Runtime::new().expect("it can be built");
    let server = Runtime::new().expect("it can be built");

    let mut answer = client.spawn(fetch());
    let in_time = async { timeout(Duration::from_millis(50), &mut answer).await };
    if client.block_on(in_time).is_err() {
        // A handle can be awaited anywhere.
        let answer = server.block_on(answer);
        assert_eq!(answer.expect("it does not panic"), 7);
    }
}
