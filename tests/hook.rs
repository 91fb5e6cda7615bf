//! Hooks and subscribers that misbehave: no deadlock, no recursion, no report lost.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use debug_async::prelude::*;
use debug_async::report::{Report, ReportKind, set_hook, take_hook};
use support::{Program, site};
use tracing::span;

async fn forgotten() {}

/// Makes one report, and waits until it has been handed on.
fn report_one() {
    drop(forgotten().tracked()); // site: one
    debug_async::flush();
}

/// Makes another.
fn report_another() {
    drop(forgotten().tracked_as("another"));
    debug_async::flush();
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Counts, and says on stderr, what a hook is given.
fn say(report: &Report) {
    let call = CALLS.fetch_add(1, SeqCst) + 1;
    let name = report.name().unwrap_or_default();
    eprintln!("hook call {call}: {} `{name}`", report.kind());
}

fn program(mode: bool, hook: impl Fn(&Report) + Send + Sync + 'static) {
    debug_async::set_debug(mode);
    set_hook(Box::new(hook));
    report_one();
    report_another();
}

const BOTH: [bool; 2] = [false, true];

fn in_both_modes(body: impl Fn(bool)) -> impl FnOnce() {
    move || body(support::child::case() == "true")
}

#[test]
fn a_hook_sees_each_report_once_and_nobody_else_does() {
    let program = Program::new(|| in_both_modes(|mode| program(mode, say))());
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
        output.says(0, &["was never polled"]);
    }
}

#[test]
fn a_hook_that_panics_is_said_and_loses_no_report() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            program(mode, |report| {
                say(report);
                panic!("in the hook");
            });
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
        output.says(2, &["the report hook panicked"]);
        let place = format!("tests/hook.rs:{}:", site!("one"));
        output.says(1, &["`hook::forgotten` was never polled", &place]);
        output.says(1, &["`another` was never polled"]);
    }
}

#[test]
fn a_hook_that_drops_a_future_nobody_polled_does_not_recur() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            program(mode, |report| {
                say(report);
                drop(async {}.tracked_as("in the hook"));
                debug_async::flush();
            });
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
        output.says(0, &["in the hook"]);
    }
}

#[test]
fn a_hook_that_spawns_on_a_runtime() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            let runtime = tokio::runtime::Builder::new_multi_thread().build();
            let runtime = runtime.expect("a runtime can be built");
            let handle = debug_async::runtime::Handle::from(runtime.handle().clone());
            program(mode, move |report| {
                say(report);
                if CALLS.load(SeqCst) < 10 {
                    let told = handle.spawn(async { Err::<(), _>("lost in the hook") });
                    let (send, receive) = std::sync::mpsc::channel();
                    let _guard = handle.enter();
                    debug_async::spawn!(async move { send.send(told.await).ok() });
                    receive.recv().ok();
                }
            });
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
    }
}

#[test]
fn a_hook_that_runs_a_runtime_and_all_that_is_reported_in_it() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            program(mode, |report| {
                say(report);
                let mut builder = debug_async::runtime::Builder::new_current_thread();
                let runtime = builder.enable_all().build();
                runtime.expect("a runtime can be built").block_on(async {
                    let _ = forgotten().tracked();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                });
            });
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
    }
}

#[test]
fn a_hook_that_sets_another_hook_and_takes_it() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            program(mode, |report| {
                say(report);
                set_hook(Box::new(|report| {
                    eprintln!("the second hook");
                    say(report);
                    drop(take_hook());
                }));
            });
            drop(forgotten().tracked_as("third"));
            debug_async::flush();
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
        output.says(1, &["the second hook"]);
        output.says(1, &["`third` was never polled"]);
    }
}

#[test]
fn a_hook_that_passes_reports_on() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            program(mode, |report| {
                say(report);
                report.emit();
            });
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["hook call"]);
        output.says(2, &["WARN", "was never polled"]);
    }
}

#[test]
fn a_hook_that_is_taken_is_the_one_that_was_set() {
    let program = Program::new(|| {
        set_hook(Box::new(|_| eprintln!("the first")));
        set_hook(Box::new(say));
        let hook = take_hook().expect("it was set");
        assert!(take_hook().is_none());
        report_one();
        set_hook(hook);
        report_another();
    });
    let output = program.run(&[]).succeeded();
    output.says(0, &["the first"]);
    output.says(1, &["hook call 1: never_polled `another`"]);
    output.says(1, &["`hook::forgotten` was never polled"]);
}

#[test]
fn a_hook_that_blocks_for_a_while_holds_up_neither_workers_nor_other_reports() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            debug_async::set_debug(mode);
            set_hook(Box::new(|report| {
                std::thread::sleep(Duration::from_millis(300));
                say(report);
            }));
            drop(forgotten().tracked());
            let failed = || async { Err::<(), _>("lost") };
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("it can be built").block_on(async {
                let start = Instant::now();
                drop(debug_async::spawn!(failed()));
                drop(debug_async::spawn(failed()));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                assert!(
                    start.elapsed() < Duration::from_millis(250),
                    "it was held up"
                );
            });
            debug_async::flush();
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(3, &["hook call"]);
    }
}

#[test]
fn a_hook_that_blocks_for_ever_does_not_hang_the_exit() {
    let program = Program::new(|| {
        set_hook(Box::new(|report| {
            say(report);
            loop {
                std::thread::park();
            }
        }));
        drop(forgotten().tracked_as("held"));
        debug_async::flush();
        drop(forgotten().tracked_as("left"));
    });
    let output = program.run(&[]).succeeded();
    output.says(1, &["hook call"]);
    output.says(1, &["a report hook or a subscriber blocks"]);
    // What the hook never came to is printed.
    output.says(1, &["future `left` was never polled"]);
}

#[test]
fn a_hook_that_keeps_what_it_needs_is_dropped_when_it_is_replaced() {
    let program = Program::new(|| {
        let kept = Arc::new(());
        let inside = Arc::clone(&kept);
        set_hook(Box::new(move |_| drop(Arc::clone(&inside))));
        report_one();
        assert_eq!(Arc::strong_count(&kept), 2);
        set_hook(Box::new(say));
        assert_eq!(Arc::strong_count(&kept), 1);
    });
    program.run(&[]).succeeded();
}

/// A subscriber that does `act` at each event.
struct Acts<F>(F);

impl<F: Fn(&tracing::Event<'_>) + 'static> tracing::Subscriber for Acts<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("debug_async")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.0(event);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn subscribe(act: impl Fn(&tracing::Event<'_>) + Send + Sync + 'static) {
    tracing::subscriber::set_global_default(Acts(act)).expect("the first");
}

#[test]
fn a_subscriber_that_panics_is_said_and_loses_no_report() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            debug_async::set_debug(mode);
            subscribe(|_| panic!("in the subscriber"));
            report_one();
            report_another();
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["the tracing subscriber panicked"]);
        output.says(1, &["`hook::forgotten` was never polled"]);
        output.says(1, &["`another` was never polled"]);
    }
}

#[test]
fn a_subscriber_that_drops_a_future_and_flushes_does_not_recur() {
    let program = Program::new(|| {
        in_both_modes(|mode| {
            debug_async::set_debug(mode);
            subscribe(|event| {
                eprintln!("event of {}", event.metadata().target());
                drop(forgotten().tracked_as("in the subscriber"));
                debug_async::flush();
            });
            report_one();
            report_another();
        })();
    });
    for mode in BOTH {
        let output = program.run_case(&mode.to_string(), &[]).succeeded();
        output.says(2, &["event of debug_async::never_polled"]);
        output.says(0, &["in the subscriber"]);
    }
}

#[test]
fn hooks_that_change_while_reports_are_made() {
    let program = Program::new(|| {
        static SEEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        let note = |report: &Report| {
            if report.kind() == ReportKind::NeverPolled {
                SEEN.lock().expect("no panic").push(report.count());
            }
        };
        set_hook(Box::new(note));
        std::thread::scope(|scope| {
            let changes = scope.spawn(|| (0..1_000).for_each(|_| set_hook(Box::new(note))));
            for _ in 0..100 {
                drop(forgotten().tracked());
            }
            changes.join().expect("no panic");
        });
        debug_async::flush();
        assert_eq!(SEEN.lock().expect("no panic").last(), Some(&100));
    });
    program.run(&[]).succeeded();
}
