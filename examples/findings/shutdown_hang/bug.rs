use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use debug_async::task::spawn_blocking;

fn watch(stop: &AtomicBool) {
    let start = Instant::now();
    // Nobody says so; here it ends by itself, so that this program does.
    while !stop.load(Relaxed) && start.elapsed() < Duration::from_secs(7) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    spawn_blocking(move || watch(&watched)); // BUG, and pending_at_shutdown
    tokio::time::sleep(Duration::from_millis(200)).await;
}
