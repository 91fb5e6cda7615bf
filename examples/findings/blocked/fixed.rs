use std::time::Duration;

use tokio::sync::mpsc;

async fn next_price(mut prices: mpsc::Receiver<u32>) -> u32 {
    prices.recv().await.expect("the feed is there")
}

#[debug_async::main]
pub(crate) async fn main() {
    let (feed, prices) = mpsc::channel(1);
    let price = debug_async::spawn!(next_price(prices));
    tokio::time::sleep(Duration::from_secs(2)).await;
    feed.send(42).await.expect("somebody waits");
    assert_eq!(price.await.expect("it does not panic"), 42);
}
