use async_stream::stream;
use debug_async::prelude::*;
use debug_async::runtime::Builder;
use debug_async::stream::ClosingStream;
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

pub(crate) fn main() {
    let runtime = Builder::new_current_thread().build();
    let runtime = runtime.expect("it can be built");
    runtime.block_on(async {
        let mut rows = Box::pin(rows());
        assert_eq!(rows.next().await, Some(1));
        rows.close().await;
    });
}
