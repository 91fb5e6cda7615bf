use std::time::Duration;

use debug_async::prelude::*;

struct Journal;

impl Journal {
    async fn close(self) {
        let sync = || std::thread::sleep(Duration::from_millis(600));
        let synced = debug_async::task::spawn_blocking(sync).await;
        synced.expect("it does not panic");
    }
}

async fn import(_journal: &Journal) {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let limit = Duration::from_millis(50);
    let journal = Journal;
    let imported = tokio::time::timeout(limit, import(&journal).tracked()).await;
    assert!(imported.is_err());
    journal.close().await;
}
