use std::sync::Arc;
use std::time::Duration;

use debug_async::runtime::Builder;
use debug_async::task::{JoinSet, spawn_blocking};
use tokio::sync::Semaphore;

fn make_thumbnail(size: u32) {
    std::thread::sleep(Duration::from_millis(400) * size);
}

async fn serve() {
    // Half of the threads are left to others.
    let turn = Arc::new(Semaphore::new(2));
    let mut thumbnails = JoinSet::new();
    for size in 1..=4 {
        let turn = Arc::clone(&turn);
        thumbnails.spawn(async move {
            let _turn = turn.acquire().await;
            spawn_blocking(move || make_thumbnail(size)).await
        });
    }
    let read = spawn_blocking(|| std::fs::read("Cargo.toml")).await;
    assert!(read.is_ok());
    thumbnails.join_all().await;
}

pub(crate) fn main() {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.enable_all().max_blocking_threads(4).build();
    runtime.expect("it can be built").block_on(serve());
}
