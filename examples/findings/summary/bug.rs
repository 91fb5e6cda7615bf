use std::time::Duration;

async fn store(order: u32) -> Result<(), String> {
    Err(format!("order {order}: the disk is full"))
}

#[debug_async::main]
pub(crate) async fn main() {
    for order in 1..=12 {
        debug_async::spawn!(store(order)); // BUG, and unretrieved_error
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
