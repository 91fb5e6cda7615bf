use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::ClosingStream;
use futures::{Stream, StreamExt as _};

fn rows() -> ClosingStream<impl Stream<Item = u32>, Result<(), String>> {
    let rows = stream! { yield 1 };
    let rows = rows.tracked();
    rows.on_close(async { Err("the connection is gone: nothing was committed".to_owned()) })
}

#[debug_async::main]
pub(crate) async fn main() {
    let mut rows = Box::pin(rows());
    assert_eq!(rows.next().await, Some(1));
    // What `close` gives is what the cleanup returned.
    let committed = rows.close().await;
    assert!(matches!(committed, Some(Err(_))));
}
