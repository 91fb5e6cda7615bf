//! What `#[test]` cannot be put on, and arguments that it does not take.

#[debug_async::test]
#[test]
async fn twice() {}

#[debug_async::test]
#[tokio::test]
async fn twice_with_tokio() {}

#[debug_async::test]
fn not_async() {}

#[debug_async::test(worker_threads = 2)]
async fn threads_by_default() {}

#[debug_async::test(flavor = "multi_thread", start_paused = true)]
async fn paused_with_threads() {}

#[debug_async::test(time_limit = "1s")]
async fn unknown() {}

fn main() {}
