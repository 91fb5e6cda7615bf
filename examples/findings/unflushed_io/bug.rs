use debug_async::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter, duplex};

#[debug_async::main]
pub(crate) async fn main() -> std::io::Result<()> {
    // Stands for a connection.
    let (client, mut server) = duplex(1024);
    let mut request = BufWriter::new(client).tracked(); // BUG
    request.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    drop(request);

    let mut received = String::new();
    server.read_to_string(&mut received).await?;
    assert_eq!(received, "");
    Ok(())
}
