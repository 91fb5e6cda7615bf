use std::time::Duration;

/// Stands for `("db.internal", 5432).to_socket_addrs()` where the name server is slow.
fn resolve(_host: &str) -> [u8; 4] {
    std::thread::sleep(Duration::from_millis(600));
    [10, 0, 0, 7]
}

async fn connect() {
    let address = debug_async::task::spawn_blocking(|| resolve("db.internal")).await;
    assert_eq!(address.expect("it does not panic"), [10, 0, 0, 7]);
}

#[debug_async::main]
pub(crate) async fn main() {
    debug_async::spawn!(connect()).await.expect("it connects");
}
