use std::time::Duration;

use tokio::sync::watch;

async fn ready(mut flag: watch::Receiver<bool>) {
    let ready = flag.wait_for(|flag| *flag).await;
    ready.expect("somebody will say so");
}

#[debug_async::main]
pub(crate) async fn main() {
    let (flag, seen) = watch::channel(false);
    let ready = debug_async::spawn!(ready(seen));
    tokio::time::sleep(Duration::from_secs(6)).await;
    flag.send(true).expect("somebody waits");
    ready.await.expect("it does not panic");
}
