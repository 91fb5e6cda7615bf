use std::time::Duration;

use debug_async::prelude::*;
use tokio::time::{Instant, sleep};
use tracing::Level;

/// Ends between two rows when the time is up, and says how many are in.
async fn import(until: Instant) -> u32 {
    for row in 0..10 {
        if Instant::now() >= until {
            return row;
        }
        sleep(Duration::from_millis(300)).await;
    }
    10
}

#[debug_async::main]
pub(crate) async fn main() {
    let log = tracing_subscriber::fmt().with_max_level(Level::DEBUG);
    log.with_writer(std::io::stderr).init();
    let until = Instant::now() + Duration::from_millis(100);
    let imported = import(until).tracked().await;
    assert!(imported < 10);
}
