use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use debug_async::task::spawn_blocking;

fn watch(stop: &AtomicBool) {
    let start = Instant::now();
    while !stop.load(Relaxed) && start.elapsed() < Duration::from_secs(7) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    let watch = spawn_blocking(move || watch(&watched));
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Relaxed);
    watch.await.expect("it does not panic");
}
