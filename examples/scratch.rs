use debug_async::prelude::*;
use std::time::Duration;

async fn fetch(id: u32) -> Result<String, String> {
    if id == 2 {
        Err(format!("no {id}"))
    } else {
        Ok("x".into())
    }
}
struct Held {
    f: std::pin::Pin<Box<dyn std::future::Future<Output = ()> + Send>>,
}
async fn ready() {}
async fn other() {
    tokio::time::sleep(Duration::from_millis(1)).await
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("trace") {
        tracing_subscriber::fmt().init();
    }
    if std::env::args().nth(1).as_deref() == Some("json") {
        tracing_subscriber::fmt().json().init();
    }
    let rt = debug_async::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async {
        let _f = fetch(1).tracked();
        let _h = Held { f: Box::pin(other().tracked()) };
        debug_async::spawn!(fetch(2));
        debug_async::spawn(fetch(2));
        debug_async::spawn!(name = "hasher", async { std::thread::sleep(Duration::from_millis(150)); });
        debug_async::spawn!(async { if true { panic!("boom {}", 1) } });
        debug_async::task::spawn_blocking(|| if true { panic!("boom blocking") });
        let _ = tokio::try_join!(async { Err::<(), ()>(()) }, async { Ok(()) }.tracked());
        tokio::select! { biased; _ = ready() => {}, _ = other().tracked() => {}, _ = other().tracked(), if false => {} }
        let _ = tokio::time::timeout(Duration::from_millis(5), async { let b = other().tracked(); tokio::time::sleep(Duration::from_secs(1)).await; b.await }).await;
        debug_async::spawn!(async { std::future::pending::<()>().await });
        tokio::time::sleep(Duration::from_millis(400)).await;
        std::thread::sleep(Duration::from_millis(150));
    });
}
