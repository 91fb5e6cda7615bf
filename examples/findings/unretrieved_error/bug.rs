use std::time::Duration;

async fn store(order: u32) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Err(format!("order {order}: the disk is full"))
}

#[debug_async::main]
pub(crate) async fn main() {
    debug_async::spawn!(store(7)); // BUG
    // The customer is told that all is well.
    tokio::time::sleep(Duration::from_millis(200)).await;
}
