//! Expected errors: only those of the very future that is spawned.

use std::sync::Mutex;

use debug_async::prelude::*;
use debug_async::report;
use debug_async::runtime::Builder;

async fn fails(error: &'static str) -> Result<(), &'static str> {
    Err(error)
}

#[test]
fn an_expected_error_within_a_task_does_not_swallow_the_task_s_own() {
    static LOST: Mutex<Vec<String>> = Mutex::new(Vec::new());
    report::set_hook(Box::new(|report| {
        let error = report.error().unwrap_or_default().to_owned();
        LOST.lock().expect("not poisoned").push(error);
    }));
    let runtime = Builder::new_current_thread().debug(true).build();
    runtime.expect("it can be built").block_on(async {
        debug_async::spawn!(fails("expected").expected(|error| *error == "expected"));
        debug_async::spawn!(fails("other").expected(|error| *error == "expected"));
        debug_async::spawn!(async {
            let _ = fails("within").expected(|_| true).await;
            fails("own").await
        });
        // The name is made before the future takes what it looks at.
        let peer = String::from("peer");
        let named = debug_async::spawn!(name = format!("to {peer}"), async move { drop(peer) });
        named.await.expect("no panic");
    });
    debug_async::flush();
    let mut lost = LOST.lock().expect("not poisoned").clone();
    lost.sort();
    assert_eq!(lost, ["\"other\"", "\"own\""]);
}
