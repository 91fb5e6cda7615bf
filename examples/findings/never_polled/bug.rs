use std::time::Duration;

#[debug_async::tracked]
async fn forget(kind: &str, id: u64) {
    // Stands for a request to a cache.
    tokio::time::sleep(Duration::from_millis(id)).await;
    assert_eq!(kind, "user");
}

async fn rename(cached: Option<u64>) {
    // rustc warns of a future that is not even bound, but not of one in an `Option`.
    cached.map(|id| forget("user", id)); // BUG
}

#[debug_async::main]
pub(crate) async fn main() {
    rename(Some(7)).await;
}
