//! `#[debug_async::test(timeout = "…")]`.

#![cfg(all(feature = "macros", feature = "rt-multi-thread"))]

mod support;

use std::process::{Command, Output};
use std::time::Duration;

use support::site;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Run by those below.
mod late {
    use super::*;

    async fn locks_twice() {
        let lock = Mutex::new(());
        let _held = lock.lock().await;
        drop(lock.lock().await); // site: lock
    }

    #[ignore = "it fails, as it is to"]
    #[debug_async::test(timeout = "300ms")]
    async fn hangs() {
        locks_twice().await;
    }

    #[ignore = "it fails, as it is to"]
    #[debug_async::test(flavor = "multi_thread", timeout = "300ms")]
    async fn hangs_in_a_task() {
        let task = debug_async::spawn!(name = "stuck", locks_twice());
        let _ = task.await; // site: join
    }

    #[ignore = "it fails, as it is to"]
    #[debug_async::test(timeout = "300ms", start_paused = true)]
    async fn hangs_while_time_is_paused() {
        sleep(LONG).await;
        locks_twice().await;
    }

    #[ignore = "it fails, as it is to"]
    #[debug_async::test(timeout = "300ms", slow_poll = "1h")]
    async fn blocks() {
        // Not before the thread has given up on it.
        std::thread::sleep(Duration::from_secs(4));
    }
}

fn run(test: &str) -> Output {
    let exe = std::env::current_exe().expect("a test knows its file");
    let mut command = Command::new(exe);
    command.args(["--exact", &format!("late::{test}"), "--ignored"]);
    command.env_remove("ASYNC_DEBUG");
    command.output().expect("the test can be run again")
}

#[track_caller]
fn fails(test: &str, parts: &[&str]) {
    let output = run(test);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{text}");
    let late = "the test did not end within 300ms; this is where it was:";
    for part in [&[late, "tests/time_limit.rs:"], parts].concat() {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_test_that_hangs_shows_where() {
    let lock = format!("tests/time_limit.rs:{}", site!("lock"));
    let leaf = "in tokio::sync::mutex::Mutex::lock";
    fails("hangs", &["main future `late::hangs`", leaf, &lock]);
    fails("hangs_while_time_is_paused", &[leaf, &lock]);
    let join = format!("tests/time_limit.rs:{}", site!("join"));
    let task = "task `stuck` (waiting";
    fails("hangs_in_a_task", &[task, leaf, &lock, &join]);
}

#[test]
fn a_test_that_blocks_is_told_of_meanwhile() {
    fails("blocks", &["main future `late::blocks` (running"]);
    let said = run("blocks").stderr;
    let said = String::from_utf8_lossy(&said);
    for part in ["cannot be ended", "main future `late::blocks` (running"] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}

#[debug_async::test(timeout = "10m")]
async fn a_test_that_ends_in_time_is_as_ever() {
    sleep(Duration::from_millis(1)).await;
}

#[debug_async::test(timeout = "10m", start_paused = true)]
async fn a_paused_clock_does_not_count() {
    sleep(LONG).await;
}

#[test]
fn nothing_is_left_over() {
    #[inline(never)]
    fn waits() -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..1000 {
            names = support::thread_names();
            if !names.iter().any(|name| name.starts_with("debug-async-tim")) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        names
    }
    let program = support::Program::new(|| {
        let body = async {};
        let mut builder = debug_async::runtime::Builder::new_current_thread();
        builder.test_timeout(LONG);
        debug_async::__private::run_test(builder, body);
        let names = waits();
        assert!(
            !names.iter().any(|name| name.starts_with("debug-async-tim")),
            "{names:?}"
        );
    });
    program.run(&[]).succeeded();
}
