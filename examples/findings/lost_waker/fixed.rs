use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

async fn wait(flag: Arc<Notify>) {
    // It keeps the waker, and wakes it. `futures::task::AtomicWaker` does so in a future
    // that is written by hand.
    flag.notified().await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let flag = Arc::new(Notify::new());
    let waits = debug_async::spawn!(wait(Arc::clone(&flag)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    flag.notify_one();
    waits.await.expect("it does not panic");
}
