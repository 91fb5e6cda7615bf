use std::time::Duration;

use debug_async::prelude::*;
use tokio::time::{sleep, timeout};

async fn transfer() {
    // Taken from one account …
    sleep(Duration::from_millis(300)).await;
    // … and given to the other.
}

#[debug_async::main]
pub(crate) async fn main() {
    let mut transfer = debug_async::spawn!(transfer().tracked().must_complete());
    let done = timeout(Duration::from_millis(100), &mut transfer).await;
    assert!(done.is_err());
    // The client is told to ask again; the task goes on.
    transfer.await.expect("it does not panic");
}
