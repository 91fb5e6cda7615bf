//! Loses an error and a future, and then returns from main, or panics in a task, as its
//! argument says. The tests of this package build it with `panic = "abort"`, and run it.

use debug_async::prelude::*;

async fn fails() -> Result<(), String> {
    Err("lost".to_owned())
}

#[debug_async::main(flavor = "current_thread")]
async fn main() {
    drop(fails().tracked_as("unpolled"));
    let lost = debug_async::spawn(fails());
    while !lost.is_finished() {
        debug_async::task::yield_now().await;
    }
    drop(lost);
    println!("lost what there is to lose");
    if std::env::args().any(|arg| arg == "panic") {
        let panics = debug_async::spawn(async { panic!("in a task") });
        println!("not aborted: {}", panics.await.is_err());
    }
}
