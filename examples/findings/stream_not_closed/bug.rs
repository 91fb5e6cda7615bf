use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::ClosingStream;
use futures::{Stream, StreamExt as _};

fn rows() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let rows = stream! {
        yield 1;
        yield 2;
    };
    let rows = rows.tracked(); // BUG
    rows.on_close(async {
        // Rolls the transaction back.
        tokio::task::yield_now().await;
    })
}

#[debug_async::main]
pub(crate) async fn main() {
    let mut rows = Box::pin(rows());
    assert_eq!(rows.next().await, Some(1));
    // One was enough.
    drop(rows);
}
