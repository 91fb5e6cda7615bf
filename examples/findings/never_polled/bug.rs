use std::time::Duration;

#[debug_async::tracked]
async fn drop_from_cache(user: u32) {
    tokio::time::sleep(Duration::from_millis(user.into())).await;
}

async fn rename(user: u32) {
    // `let _ =` quiets the warning about a `Result`, and that about a future too.
    let _ = drop_from_cache(user); // BUG
}

#[debug_async::main]
pub(crate) async fn main() {
    rename(7).await;
}
