async fn store(order: u32) -> Result<(), String> {
    Err(format!("order {order}: the disk is full"))
}

#[debug_async::main]
pub(crate) async fn main() {
    for order in 1..=12 {
        let stored = debug_async::spawn!(store(order)).await;
        assert!(stored.expect("it does not panic").is_err());
    }
}
