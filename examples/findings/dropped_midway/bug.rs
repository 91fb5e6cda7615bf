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
    let transfer = transfer().tracked().must_complete(); // BUG
    let done = timeout(Duration::from_millis(100), transfer).await;
    assert!(done.is_err());
}
