//! `#[tracked]` on whatever it can be put on, in edition 2021, where an `impl Trait` in
//! return position captures no lifetime by itself and a tail's temporaries live longer.

#![deny(warnings)]

use std::future::Future;
use std::process::Command;
use std::sync::Mutex;

use debug_async::future::TrackedFuture;
use debug_async::tracked;

#[tracked]
async fn longest<'a>(left: &'a str, right: &str) -> &'a str {
    tokio::task::yield_now().await;
    if left.len() > right.len() {
        left
    } else {
        &left[..0]
    }
}

#[tracked]
async fn first_of(numbers: &Mutex<Vec<u32>>) -> Option<u32> {
    // The guard is a temporary of the tail.
    numbers.lock().expect("no panic").first().copied()
}

#[tracked(name = "given")]
async fn generic<T: AsRef<str> + ?Sized, const N: usize>(text: &T) -> [usize; N] {
    [text.as_ref().len(); N]
}

struct Client<'a> {
    base: &'a str,
}

#[tracked]
impl<'a> Client<'a> {
    async fn get(&self, path: &str) -> String {
        tokio::task::yield_now().await;
        format!("{}{path}", self.base)
    }

    async fn push(&mut self, base: &'a str) -> &'a str {
        std::mem::replace(&mut self.base, base)
    }

    async fn into_base(self) -> &'a str {
        self.base
    }
}

#[tracked]
trait Fetch {
    async fn fetch(&self, path: &str) -> String;

    async fn twice(&self, path: &str) -> String {
        let (once, again) = (self.fetch(path).await, self.fetch(path).await);
        once + &again
    }
}

#[tracked]
impl Fetch for Client<'_> {
    async fn fetch(&self, path: &str) -> String {
        self.get(path).await
    }
}

#[tracked]
mod module {
    pub(super) async fn length(text: &str) -> usize {
        inner::length(text).await
    }

    mod inner {
        pub(super) async fn length(text: &str) -> usize {
            text.len()
        }
    }
}

fn assert_tracked<F: Future>(future: TrackedFuture<F>) -> TrackedFuture<F> {
    future
}

#[debug_async::test]
async fn functions() {
    let text = String::from("left");
    assert_eq!(assert_tracked(longest(&text, "r")).await, "left");
    let numbers = Mutex::new(vec![7]);
    assert_eq!(assert_tracked(first_of(&numbers)).await, Some(7));
    assert_eq!(generic::<_, 2>("abc").await, [3, 3]);
    assert_eq!(assert_tracked(module::length("four")).await, 4);
}

#[debug_async::test(flavor = "multi_thread", worker_threads = 1)]
async fn methods() {
    let mut client = Client { base: "http://" };
    assert_eq!(assert_tracked(client.get("a")).await, "http://a");
    assert_eq!(client.twice("b").await, "http://bhttp://b");
    assert_eq!(client.push("https://").await, "http://");
    assert_eq!(client.into_base().await, "https://");
}

#[debug_async::test]
async fn tasks() {
    let sum = debug_async::spawn!(async { 40 });
    let named = debug_async::spawn!(name = "two", async { Ok::<u32, String>(2) });
    let sum = sum.await.expect("no panic") + named.await.expect("no panic").expect("it is Ok");
    assert_eq!(sum, 42);
    let ticks = debug_async::spawn!(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    ticks.abort();
}

#[debug_async::test]
#[should_panic(
    expected = "1 × never_polled\n  future `attributes::module::length` was never polled"
)]
async fn a_test_that_forgets_a_future() {
    drop(module::length("four"));
}

#[test]
fn the_program() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edition-2021"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ASYNC_DEBUG")) {
        command.env_remove(name);
    }
    for mode in ["0", "1"] {
        let output = command.env("ASYNC_DEBUG", mode).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(stdout.trim(), r#"Err("awaited has 7 letters")"#);
        let says = |parts: &[&str]| {
            let has = |line: &&str| parts.iter().all(|part| line.contains(part));
            assert_eq!(stderr.lines().filter(has).count(), 1, "{parts:?}: {stderr}");
        };
        says(&[
            "`edition_2021::forgotten` was never polled",
            "src/main.rs:20:",
        ]);
        says(&[
            "task `lost` failed",
            "error has 5 letters",
            "src/main.rs:21:",
        ]);
        says(&["debug_async::never_polled"]);
        says(&["debug_async::unretrieved_error"]);
    }
}
