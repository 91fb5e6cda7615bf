use std::time::Duration;

#[debug_async::tracked]
async fn forget(kind: &str, id: u64) {
    // Stands for a request to a cache.
    tokio::time::sleep(Duration::from_millis(id)).await;
    assert_eq!(kind, "user");
}

async fn rename(cached: Option<u64>) {
    if let Some(id) = cached {
        forget("user", id).await;
    }
}

#[debug_async::main]
pub(crate) async fn main() {
    rename(Some(7)).await;
}
