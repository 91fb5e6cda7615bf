use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

async fn ready(flag: Arc<AtomicBool>) {
    poll_fn(|cx| {
        if flag.load(Relaxed) {
            return Poll::Ready(());
        }
        // "Ask me again." So it is asked, as often as the processor can.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[debug_async::main]
pub(crate) async fn main() {
    let flag = Arc::new(AtomicBool::new(false));
    let ready = debug_async::spawn!(ready(Arc::clone(&flag))); // BUG
    tokio::time::sleep(Duration::from_secs(6)).await;
    flag.store(true, Relaxed);
    ready.await.expect("it does not panic");
}
