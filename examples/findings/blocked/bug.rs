use std::sync::mpsc;
use std::time::Duration;

async fn next_price(prices: mpsc::Receiver<u32>) -> u32 {
    // The channel of std waits by blocking its thread.
    prices.recv().expect("the feed is there") // BUG
}

#[debug_async::main]
pub(crate) async fn main() {
    let (feed, prices) = mpsc::channel();
    let price = debug_async::spawn!(next_price(prices));
    tokio::time::sleep(Duration::from_secs(2)).await;
    feed.send(42).expect("somebody waits");
    assert_eq!(price.await.expect("it does not panic"), 42);
}
