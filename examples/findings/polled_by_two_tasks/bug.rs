use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::stream::TrackedStream;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;

type Jobs = Arc<Mutex<TrackedStream<ReceiverStream<u32>>>>;

async fn next(jobs: &Jobs) -> Option<u32> {
    // Not a guard across an await; but each of these polls puts its waker in the place of
    // the other's.
    poll_fn(|cx| jobs.lock().expect("no panic").poll_next_unpin(cx)).await
}

async fn work(jobs: Jobs) -> u32 {
    let mut done = 0;
    loop {
        tokio::select! {
            biased;
            // Is there something else to do?
            () = sleep(Duration::from_millis(50)) => {}
            job = next(&jobs) => match job {
                Some(job) => done += job,
                None => return done,
            },
        }
    }
}

#[debug_async::main(flavor = "current_thread")]
pub(crate) async fn main() {
    let (sender, jobs) = mpsc::channel(8);
    let jobs = ReceiverStream::new(jobs).tracked(); // BUG
    let jobs = Arc::new(Mutex::new(jobs));
    let one = debug_async::spawn!(name = "one", work(Arc::clone(&jobs)));
    let two = debug_async::spawn!(name = "two", work(jobs));
    sleep(Duration::from_millis(500)).await;
    sender.send(1).await.expect("they work");
    drop(sender);
    let done = one.await.expect("it does not panic") + two.await.expect("it does not panic");
    assert_eq!(done, 1);
}
