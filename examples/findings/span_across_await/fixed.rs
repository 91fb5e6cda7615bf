use std::time::Duration;

use tracing::{Instrument as _, Level, span};

#[debug_async::tracked]
async fn handle(request: u32) {
    let span = span!(Level::INFO, "request", request);
    // Entered for each poll, and left after it. `#[tracing::instrument]` does the same.
    answer().instrument(span).await;
}

async fn answer() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    handle(7).await;
}
