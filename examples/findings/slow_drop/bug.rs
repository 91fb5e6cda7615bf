use std::time::Duration;

use debug_async::prelude::*;

struct Journal;

impl Drop for Journal {
    fn drop(&mut self) {
        // Stands for `File::sync_all` on a slow disk.
        std::thread::sleep(Duration::from_millis(600)); // BUG
    }
}

async fn import() {
    let _journal = Journal;
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let limit = Duration::from_millis(50);
    // When the time is up, the future is dropped, and what it holds with it.
    let imported = tokio::time::timeout(limit, import().tracked()).await;
    assert!(imported.is_err());
}
