use std::time::Duration;

async fn store(order: u32) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Err(format!("order {order}: the disk is full"))
}

#[debug_async::main]
pub(crate) async fn main() {
    let stored = debug_async::spawn!(store(7));
    let result = stored.await.expect("it does not panic");
    // The customer is told that it failed.
    assert!(result.is_err());
}
