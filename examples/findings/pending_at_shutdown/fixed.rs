use std::time::Duration;

use debug_async::task::JoinSet;

async fn upload(part: u32) {
    tokio::time::sleep(Duration::from_secs(part.into())).await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let mut parts: JoinSet<()> = (1..=3).map(upload).collect();
    while let Some(uploaded) = parts.join_next().await {
        uploaded.expect("it does not panic");
    }
}
