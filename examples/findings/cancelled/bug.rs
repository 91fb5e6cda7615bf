use std::time::Duration;

use debug_async::prelude::*;
use tokio::time::{sleep, timeout};
use tracing::Level;

async fn import() {
    for _row in 0..10 {
        sleep(Duration::from_millis(300)).await;
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let log = tracing_subscriber::fmt().with_max_level(Level::DEBUG);
    log.with_writer(std::io::stderr).init();
    let limit = Duration::from_millis(100);
    // Some rows are in, and nothing says which.
    let imported = timeout(limit, import().tracked()).await; // BUG
    assert!(imported.is_err());
}
