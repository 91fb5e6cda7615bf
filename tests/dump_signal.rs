//! A dump that is asked for by a signal.

#![cfg(all(target_os = "linux", feature = "rt-multi-thread"))]

mod support;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use debug_async::config::{Config, Signal};
use debug_async::runtime::{Builder, Runtime};
use support::{Program, site};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

/// What is printed to stderr, from here on.
struct Stderr(PathBuf);

impl Stderr {
    fn new() -> Stderr {
        let name = format!("stderr-{}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let file = File::create(&path).expect("the folder is cargo's");
        // SAFETY: a system call on descriptors that are open.
        #[allow(unsafe_code)]
        let copied = unsafe { libc::dup2(file.as_raw_fd(), 2) };
        assert_eq!(copied, 2);
        Stderr(path)
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).expect("it is there")
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        // A child's panic is printed there.
        print!("{}", self.text());
        let _ = fs::remove_file(&self.0);
    }
}

fn kill(signal: &str) {
    let command = format!("kill -{signal} {}", std::process::id());
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.is_ok_and(|status| status.success()));
}

fn runtime(config: Config) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().worker_threads(2).debug(true);
    builder.config(config).build().expect("it can be built")
}

/// A task that hangs, in a program that asks for the dump by `name` and goes on.
async fn hang(stderr: &Stderr, name: &str) -> String {
    let lock = Arc::new(Mutex::new(()));
    let held = Arc::clone(&lock).lock_owned().await;
    let task = debug_async::spawn!(name = "stuck", async move {
        drop(lock.lock().await); // site: lock
    });
    let mut text = String::new();
    while !text.contains("Mutex::lock") {
        tokio::task::yield_now().await;
        kill(name);
        let asked = text.matches("dump of process").count();
        let next = || stderr.text().matches("dump of process").count() > asked;
        while !next() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // It is written in one piece.
        text = stderr.text();
    }
    drop(held);
    task.await.expect("no panic");
    text
}

#[track_caller]
fn names_the_line(text: &str, signal: &str) {
    let lock = format!("tests/dump_signal.rs:{}", site!("lock"));
    for part in [
        &format!("dump of process {}, for {signal}", std::process::id()),
        "task `stuck` (waiting",
        "in tokio::sync::mutex::Mutex::lock",
        &lock,
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_program_that_hangs_tells_where() {
    let program = Program::new(|| {
        let stderr = Stderr::new();
        let text = runtime(Config::new()).block_on(hang(&stderr, "USR1"));
        names_the_line(&text, "SIGUSR1");
    });
    program.run(&[]).succeeded();
}

#[test]
fn by_another_signal() {
    let program = Program::new(|| {
        let stderr = Stderr::new();
        let text = runtime(Config::new()).block_on(hang(&stderr, "USR2"));
        names_the_line(&text, "SIGUSR2");
    });
    program
        .run(&[("ASYNC_DEBUG_DUMP_SIGNAL", "usr2")])
        .succeeded();
}

/// Whether a dump was printed, in this time, for a signal that the program has got itself.
fn dumped_besides(config: Config, handles_it_first: bool, within: Duration) -> bool {
    let stderr = Stderr::new();
    let runtime = runtime(config);
    // Debug mode tracks it: from here on it listens.
    let listen = || runtime.block_on(async {});
    if !handles_it_first {
        listen();
    }
    let got = {
        let _entered = runtime.enter();
        let mut got = signal(SignalKind::user_defined1()).expect("it can be handled");
        async move { got.recv().await }
    };
    listen();
    kill("USR1");
    runtime.block_on(got).expect("it came");
    let until = Instant::now() + within;
    let is_there = || stderr.text().contains("dump of process");
    while !is_there() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    is_there()
}

#[test]
fn a_program_that_handles_it_has_it_for_itself() {
    for first in ["first", "later"] {
        let program = Program::new(|| {
            let first = support::child::case() == "first";
            // Longer than the dump of a process with nothing in it takes.
            assert!(!dumped_besides(
                Config::new(),
                first,
                Duration::from_secs(1)
            ));
        });
        program.run_case(first, &[]).succeeded();
    }
}

#[test]
fn a_signal_that_is_set_dumps_whoever_handles_it() {
    for first in ["first", "later"] {
        let program = Program::new(|| {
            let first = support::child::case() == "first";
            let config = Config::new().dump_signal(Signal::USR1);
            assert!(dumped_besides(config, first, Duration::from_secs(30)));
        });
        program.run_case(first, &[]).succeeded();
    }
}

#[test]
fn elsewhere_the_signal_does_what_it_did() {
    for (case, vars) in [
        ("debug", &[("ASYNC_DEBUG_DUMP_SIGNAL", "off")][..]),
        ("production", &[]),
        ("off", &[("ASYNC_DEBUG", "off")]),
    ] {
        let program = Program::new(|| {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.debug(support::child::case() == "debug").build();
            let task = runtime
                .expect("it can be built")
                .block_on(async { debug_async::spawn!(async {}).await });
            task.expect("no panic");
            kill("USR1");
            // Not reached: the signal ends the program.
            std::thread::sleep(Duration::from_secs(30));
        });
        assert_eq!(program.run_case(case, vars).code, None, "{case}");
    }
}
