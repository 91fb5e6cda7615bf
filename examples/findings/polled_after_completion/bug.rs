use std::pin::pin;
use std::time::Duration;

use debug_async::prelude::*;
use tokio::sync::mpsc;
use tokio::time::sleep;

async fn collect(mut items: mpsc::Receiver<u32>) -> u32 {
    let mut sum = 0;
    let mut warned = false;
    let mut deadline = pin!(sleep(Duration::from_millis(50)).tracked()); // BUG
    loop {
        tokio::select! {
            biased;
            item = items.recv() => match item {
                Some(item) => sum += item,
                None => return sum,
            },
            // It is ready from then on: a loop that never waits again.
            () = &mut deadline => {
                if std::mem::replace(&mut warned, true) {
                    return sum; // here, so that this program ends
                }
            }
        }
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let (_sender, items) = mpsc::channel(1);
    collect(items).await;
}
