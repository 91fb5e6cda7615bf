use std::time::Duration;

use tokio::time::sleep;

async fn serve() {
    sleep(Duration::from_secs(4)).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let connections: Vec<_> = (0..20).map(|_| debug_async::spawn!(serve())).collect();
    for connection in connections {
        connection.await.expect("it does not panic");
    }
}
