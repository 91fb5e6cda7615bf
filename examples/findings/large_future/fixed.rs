use tokio::io::AsyncReadExt;

async fn receive(mut from: impl AsyncReadExt + Unpin) -> usize {
    let mut buffer = vec![0; 64 * 1024];
    from.read(&mut buffer).await.expect("it can be read")
}

#[debug_async::main]
pub(crate) async fn main() {
    let received = debug_async::spawn!(receive(&b"hello"[..]));
    assert_eq!(received.await.expect("it does not panic"), 5);
}
