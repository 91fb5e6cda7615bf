use async_stream::stream;
use debug_async::prelude::*;
use debug_async::stream::{ClosingStream, aclosing};
use futures::{Stream, StreamExt as _};

fn rows() -> ClosingStream<impl Stream<Item = u32>, ()> {
    let rows = stream! {
        yield 1;
        yield 2;
    };
    let rows = rows.tracked();
    rows.on_close(async {
        // Rolls the transaction back.
        tokio::task::yield_now().await;
    })
}

#[debug_async::main]
pub(crate) async fn main() {
    // It is closed on every way out of the body, before this goes on.
    let first = aclosing(rows(), async |mut rows| rows.next().await).await;
    assert_eq!(first, Some(1));
}
