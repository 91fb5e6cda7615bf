use std::time::Duration;

async fn upload(part: u32) {
    tokio::time::sleep(Duration::from_secs(part.into())).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    for part in 1..=3 {
        debug_async::spawn!(upload(part)); // BUG
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    // "All parts are on their way."
}
