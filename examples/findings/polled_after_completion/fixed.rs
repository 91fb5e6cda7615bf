use std::pin::pin;
use std::time::Duration;

use debug_async::prelude::*;
use tokio::sync::mpsc;
use tokio::time::sleep;

async fn collect(mut items: mpsc::Receiver<u32>) -> u32 {
    let mut sum = 0;
    let mut warned = false;
    let mut deadline = pin!(sleep(Duration::from_millis(50)).tracked());
    loop {
        tokio::select! {
            biased;
            item = items.recv() => match item {
                Some(item) => sum += item,
                None => return sum,
            },
            () = &mut deadline, if !warned => warned = true,
        }
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let (sender, items) = mpsc::channel(1);
    let sum = debug_async::spawn!(collect(items));
    sleep(Duration::from_millis(100)).await;
    sender.send(7).await.expect("it is received");
    drop(sender);
    assert_eq!(sum.await.expect("it does not panic"), 7);
}
