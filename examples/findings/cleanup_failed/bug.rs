use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::ClosingStream;
use futures::{Stream, StreamExt as _};

fn rows() -> ClosingStream<impl Stream<Item = u32>, Result<(), String>> {
    let rows = stream! { yield 1 };
    let rows = rows.tracked(); // BUG
    rows.on_close(async { Err("the connection is gone: nothing was committed".to_owned()) })
}

#[debug_async::main]
pub(crate) async fn main() {
    // The cleanup runs at the end of the stream, and its error goes nowhere.
    let sum = rows().fold(0, async |sum, row| sum + row).await;
    assert_eq!(sum, 1);
}
