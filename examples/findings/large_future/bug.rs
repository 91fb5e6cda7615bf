use tokio::io::AsyncReadExt;

async fn receive(mut from: impl AsyncReadExt + Unpin) -> usize {
    // It lives across an await, so it is a part of the future.
    let mut buffer = [0; 64 * 1024];
    from.read(&mut buffer).await.expect("it can be read")
}

#[debug_async::main]
pub(crate) async fn main() {
    let received = debug_async::spawn!(receive(&b"hello"[..])); // BUG
    assert_eq!(received.await.expect("it does not panic"), 5);
}
