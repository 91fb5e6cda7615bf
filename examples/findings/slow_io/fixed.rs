use std::time::Duration;

use debug_async::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

#[debug_async::main]
pub(crate) async fn main() -> std::io::Result<()> {
    // Stands for a connection to a server that takes its time.
    let (client, mut server) = duplex(1024);
    let answer = debug_async::spawn!(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.write_all(b"7").await
    });
    // It is known to, and may.
    let mut client = client.tracked_reader().slow_ok(Duration::from_secs(5));
    let limit = Duration::from_secs(5);
    assert_eq!(tokio::time::timeout(limit, client.read_u8()).await??, b'7');
    answer.await?
}
