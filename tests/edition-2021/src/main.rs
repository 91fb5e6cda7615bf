//! `#[debug_async::main]` in a program of edition 2021, with one of each finding of
//! production mode. The tests of this package run it.

async fn forgotten(name: &str) -> usize {
    name.len()
}

#[debug_async::tracked]
async fn fails(name: &str) -> Result<usize, String> {
    match forgotten(name).await {
        0 => Ok(0),
        length => Err(format!("{name} has {length} letters")),
    }
}

#[debug_async::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    use debug_async::prelude::*;

    drop(forgotten("never").tracked());
    let lost = debug_async::spawn!(name = "lost", fails("error"));
    while !lost.is_finished() {
        yields().await;
    }
    drop(lost);
    println!("{:?}", fails("awaited").await);
    Ok(())
}

async fn yields() {
    let mut done = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await
}
