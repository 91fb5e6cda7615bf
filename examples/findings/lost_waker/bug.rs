use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

/// Is ready once the flag is set.
struct Flag(Arc<AtomicBool>);

impl Future for Flag {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        match self.0.load(SeqCst) {
            true => Poll::Ready(()),
            // And who calls again when it is?
            false => Poll::Pending,
        }
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let flag = Arc::new(AtomicBool::new(false));
    let waits = debug_async::spawn!(Flag(Arc::clone(&flag))); // BUG
    tokio::time::sleep(Duration::from_millis(50)).await;
    flag.store(true, SeqCst);
    // It would wait for ever; here it is given up.
    tokio::time::sleep(Duration::from_secs(6)).await;
    waits.abort();
}
