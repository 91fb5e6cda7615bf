//! A dump as data.

use std::future::pending;
use std::time::Duration;

use debug_async::runtime::Builder;
use serde_json::{Value, json};
use tokio::sync::oneshot;

#[test]
fn a_snapshot_as_json() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .debug(true)
        .build();
    let json = runtime.expect("it can be built").block_on(async {
        let (_kept, waits) = oneshot::channel::<()>();
        let line = line!() + 1;
        let task = debug_async::spawn!(name = "waiter", async { waits.await.is_ok() });
        let other = debug_async::spawn(pending::<()>());
        other.abort();
        tokio::task::yield_now().await;
        let dump = serde_json::to_value(debug_async::dump()).expect("it can be written");
        let objects = dump["objects"].as_array().expect("a list").clone();
        let waiter = objects.iter().find(|object| object["name"] == "waiter");
        let waiter = waiter.expect("it is alive");
        assert_eq!(waiter["task_id"].to_string(), task.id().to_string());
        let site = waiter["site"].as_str().expect("a text");
        assert!(
            site.starts_with(&format!("tests/dump_serde.rs:{line}:")),
            "{site}"
        );
        waiter.clone()
    });
    assert_eq!(json["kind"], "task");
    assert_eq!(json["state"], "waiting");
    assert_eq!(json["polls"], 1);
    assert_eq!(json["woken"], Value::Null);
    let age: Duration = serde_json::from_value(json["age"].clone()).expect("a duration");
    assert!(age > Duration::ZERO);
    let leaf = &json["leaves"][0];
    assert_eq!(leaf["stale"], json!(false));
    assert_eq!(leaf["stack"]["called"], "tokio::sync::oneshot::Receiver");
    let frame = &leaf["stack"]["frames"][0];
    let file = frame["file"].as_str().expect("a text");
    assert!(file.ends_with("tests/dump_serde.rs"), "{file}");
    assert!(frame["line"].is_u64() && frame["function"].is_string());
}
