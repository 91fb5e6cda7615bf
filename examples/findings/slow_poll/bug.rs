use std::time::Duration;

/// Stands for `("db.internal", 5432).to_socket_addrs()` where the name server is slow.
fn resolve(_host: &str) -> [u8; 4] {
    std::thread::sleep(Duration::from_millis(600)); // BUG
    [10, 0, 0, 7]
}

async fn connect() {
    let address = resolve("db.internal");
    assert_eq!(address, [10, 0, 0, 7]);
}

#[debug_async::main]
pub(crate) async fn main() {
    debug_async::spawn!(connect()).await.expect("it connects");
}
