//! A future that cannot be sent says which of its values is to blame.

use std::rc::Rc;

#[debug_async::tracked]
async fn keeps_an_rc() {
    let rc = Rc::new(1);
    tokio::task::yield_now().await;
    drop(rc);
}

fn main() {
    tokio::spawn(keeps_an_rc());
}
