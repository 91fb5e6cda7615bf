//! What goes wrong around us: the program goes on as it would without us.

#![cfg(all(target_os = "linux", feature = "rt-multi-thread"))]

mod support;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use support::events::Events;
use support::{Program, child, take_seen};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const DEBUG: &[(&str, &str)] = &[("ASYNC_DEBUG", "1")];

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.enable_all().worker_threads(2).debug(true);
    builder.build().expect("it can be built")
}

/// Loses an error, in a runtime that ends.
fn lose_an_error() {
    runtime().block_on(async {
        let task = debug_async::spawn(async { Err::<(), _>("lost") });
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    });
}

/// From here on, what is printed to stderr goes there.
fn redirect_stderr(to: &impl AsRawFd) {
    // SAFETY: a system call on descriptors that are open.
    #[allow(unsafe_code)]
    let copied = unsafe { libc::dup2(to.as_raw_fd(), 2) };
    assert_eq!(copied, 2);
}

#[test]
fn a_full_disk_behind_stderr() {
    let program = Program::new(|| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        redirect_stderr(&full.expect("Linux has it"));
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

#[test]
fn a_closed_pipe_behind_stderr() {
    let program = Program::new(|| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        redirect_stderr(&writer);
        drop(reader);
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

#[test]
fn a_closed_pipe_behind_a_subscriber() {
    let program = Program::new(|| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        tracing_subscriber::fmt()
            .with_writer(std::sync::Mutex::new(writer))
            .init();
        lose_an_error();
        println!("went on");
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

/// What is forked off has no reporter, and does not wait for one.
#[test]
fn a_fork() {
    let program = Program::new(|| {
        lose_an_error();
        // SAFETY: what runs in the other process is what would run here, and it ends by
        // itself; that other threads are missing there is what is tested.
        #[allow(unsafe_code)]
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            drop(async {}.tracked());
            debug_async::flush();
            std::process::exit(7);
        }
        let mut status = 0;
        // SAFETY: a system call, with a place for its result.
        #[allow(unsafe_code)]
        let waited = unsafe { libc::waitpid(forked, &mut status, 0) };
        assert_eq!((waited, libc::WEXITSTATUS(status)), (forked, 7));
    });
    let started = std::time::Instant::now();
    let output = program.run(DEBUG).succeeded();
    // Of this process, and nothing of the other.
    output.says(1, &["ERROR debug_async::unretrieved_error"]);
    output.says(0, &["WARN debug_async::never_polled"]);
    assert!(started.elapsed() < Duration::from_secs(40), "it waited");
}

#[test]
fn an_abort_in_a_task() {
    let program = Program::new(|| {
        runtime().block_on(async {
            let aborts = debug_async::spawn(async { std::process::abort() });
            aborts.await.expect("not reached")
        })
    });
    // By a signal.
    assert_eq!(program.run(DEBUG).code, None);
}

#[test]
fn a_runtime_that_is_dropped_in_a_task() {
    child!(|| {
        let outer = runtime();
        let inner = runtime();
        inner.spawn(std::future::pending::<()>());
        let result = outer.block_on(async {
            let task = debug_async::spawn(async move { drop(inner) });
            task.await
        });
        // tokio's own answer.
        let panic = result.expect_err("it panics").into_panic();
        let message = panic.downcast_ref::<&str>().copied().unwrap_or_default();
        assert!(message.contains("Cannot drop a runtime"), "{message}");
        outer.block_on(async { debug_async::spawn(async {}).await.expect("it goes on") });
    });
}

/// Nothing of ours asks for the date, which may be set while the program runs.
#[test]
fn a_date_that_jumps() {
    let sources = std::process::Command::new("grep")
        .args(["-rnE", "SystemTime|UNIX_EPOCH|CLOCK_REALTIME|gettimeofday"])
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/src")])
        .output()
        .expect("there is a grep");
    let found = String::from_utf8_lossy(&sources.stdout);
    assert_eq!((sources.status.code(), found.as_ref()), (Some(1), ""));
}

/// What is set to be as good as never is no time to reckon with.
#[test]
fn a_limit_that_never_comes() {
    const LIMITS: [&str; 6] = [
        "ASYNC_DEBUG_SLOW_POLL",
        "ASYNC_DEBUG_BLOCKED",
        "ASYNC_DEBUG_NEVER_POLLED_AFTER",
        "ASYNC_DEBUG_UNRETRIEVED_AFTER",
        "ASYNC_DEBUG_SHUTDOWN_HANG",
        "ASYNC_DEBUG_CLOSE_TIMEOUT",
    ];
    let program = Program::new(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let kept = debug_async::spawn(async { Err::<(), _>("kept") });
            let (task, unpolled) = (debug_async::spawn(async {}), async {}.tracked());
            task.await.expect("no panic");
            // The watchdog looks at it.
            debug_async::spawn(async { support::block() })
                .await
                .expect("no panic");
            while !kept.is_finished() {
                tokio::task::yield_now().await;
            }
            assert_eq!(kept.await.expect("no panic"), Err("kept"));
            unpolled.await;
            // The end of the runtime waits for it.
            drop(debug_async::task::spawn_blocking(support::block));
        });
    });
    let forever = format!("{}s", u64::MAX);
    let mut limits = LIMITS.map(|name| (name, forever.as_str())).to_vec();
    limits.extend(DEBUG);
    let output = program.run(&limits).succeeded();
    output.says(0, &["panicked"]);
    output.says(0, &["were lost"]);
    for kind in ["slow_poll", "blocked", "unretrieved", "shutdown_hang"] {
        output.says(0, &[kind]);
    }
}

// ----- whoever is told blocks ------------------------------------------------------

/// A gate that is shut till it is opened, and tells of who stands before it.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.1 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(is_open, _)| !*is_open));
    }

    fn wait_for_one(&self) {
        let state = self.state.lock().expect("no panic");
        drop(self.changed.wait_while(state, |(_, came)| *came == 0));
    }

    fn open(&self) {
        self.state.lock().expect("no panic").0 = true;
        self.changed.notify_all();
    }
}

/// Hands the events on that come to it, once the gate is open.
struct Gated(Arc<Gate>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Gated {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.pass();
    }
}

/// A subscriber that collects what comes through the gate.
fn gated() -> (Arc<Gate>, Events) {
    let (gate, events) = (Arc::<Gate>::default(), Events::default());
    let layers = tracing_subscriber::registry().with(Gated(Arc::clone(&gate)));
    layers.with(events.clone()).init();
    (gate, events)
}

/// Makes a report at once.
#[track_caller]
fn drop_midway() {
    let mut future = Box::pin(std::future::pending::<()>().tracked().must_complete());
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
}

#[test]
fn a_subscriber_that_blocks_for_as_long_as_it_likes() {
    let program = Program::new(|| {
        let (gate, events) = gated();
        drop_midway();
        gate.wait_for_one();
        // The program goes on, with all that it does.
        let started = std::time::Instant::now();
        runtime().block_on(async {
            for _ in 0..100 {
                let task =
                    debug_async::spawn(tokio::time::sleep(Duration::from_millis(1)).tracked());
                task.await.expect("no panic");
                drop_midway();
            }
        });
        // This gives up.
        debug_async::flush();
        let waited = started.elapsed();
        assert!(waited > Duration::from_secs(4), "{waited:?}");
        assert!(waited < Duration::from_secs(40), "{waited:?}");
        gate.open();
        // All is told then: the first one, and those in the runtime, whose repeats are in
        // the count of the one that is told.
        let mut told = Vec::new();
        while told.len() < 2 {
            told.extend(events.take());
            thread::yield_now();
        }
        let counts = told.iter().map(|told| told.fields.get("count").cloned());
        assert_eq!(
            counts.collect::<Vec<_>>(),
            ["1", "100"].map(|count| Some(count.to_owned()))
        );
    });
    let output = program.run(DEBUG).succeeded();
    output.says(1, &["a report hook or a subscriber blocks"]);
    output.says(0, &["were lost"]);
    output.says(0, &["dropped_midway"]);
}

/// Nobody reads what is printed, so that to print it blocks.
#[test]
fn a_full_pipe_behind_stderr() {
    let program = Program::new(|| {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        redirect_stderr(&writer);
        let page = [0; 4096];
        // SAFETY: a system call on a descriptor that is open.
        #[allow(unsafe_code)]
        let set = unsafe { libc::fcntl(2, libc::F_SETFL, libc::O_NONBLOCK) };
        assert_eq!(set, 0);
        while writer.write(&page).is_ok() {}
        // SAFETY: as above.
        #[allow(unsafe_code)]
        let set = unsafe { libc::fcntl(2, libc::F_SETFL, 0) };
        assert_eq!(set, 0);
        lose_an_error();
        println!("went on");
        // It stays open to the end.
        std::mem::forget(reader);
    });
    let output = program.run(DEBUG).succeeded();
    assert!(output.stdout.contains("went on"), "{output}");
}

/// Makes reports at many places, as fast as can be, and gives their number.
#[rustfmt::skip]
fn at_many_places() -> usize {
    #[track_caller]
    fn a() {
        drop_midway();
    }
    // At each, the 1st, the 10th and the 100th are told.
    for _ in 0..100 {
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
        a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a(); a();
    }
    3 * 18 * 20
}

#[test]
fn more_reports_than_there_is_room_for() {
    // So many wait.
    const QUEUE: usize = 1_024;
    let program = Program::new(|| {
        let (gate, events) = gated();
        drop_midway();
        gate.wait_for_one();
        let made = at_many_places();
        assert!(made > QUEUE, "{made}");
        gate.open();
        debug_async::flush();
        let told = events.take();
        let lost = format!("{} reports were lost: the queue was full", made - QUEUE);
        let said = told.iter().filter(|told| told.message().contains(&lost));
        assert_eq!(said.count(), 1, "{lost}: {:?}", told.last());
        // They were repeats, which are in the count of those that were told: of the
        // first one, of each place, and this.
        assert_eq!(told.len(), 1 + made / 3 + 1);
        let counted = told
            .iter()
            .filter(|told| told.fields.get("count").is_some_and(|count| count == "100"));
        assert_eq!(counted.count(), made / 3);
    });
    program.run(DEBUG).succeeded();
}

#[test]
fn two_hundred_threads_that_report_at_once() {
    const THREADS: usize = 200;
    const EACH: usize = 50;
    child!(|| {
        let start = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().debug(true).build();
                    let runtime = runtime.expect("it can be built");
                    start.wait();
                    runtime.block_on(async {
                        for _ in 0..EACH {
                            drop(async {}.tracked());
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        debug_async::flush();
        let seen = take_seen();
        let polls = seen
            .iter()
            .filter(|seen| seen.kind == ReportKind::NeverPolled);
        let told = polls.map(|seen| seen.count).max();
        let summed = seen.iter().find(|seen| seen.kind == ReportKind::Summary);
        let text = summed.map(|seen| seen.message.clone()).unwrap_or_default();
        assert!(
            told == Some((THREADS * EACH) as u64) || text.contains("10000"),
            "{told:?} {text}"
        );
    });
}
