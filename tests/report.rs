//! What a report looks like where it ends: events, JSON, text.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use debug_async::prelude::*;
use debug_async::report::{ReportKind, set_hook, take_hook};
use debug_async::runtime::Builder;
use support::events::{Events, Told};
use support::{Program, block, collect, site, take_seen};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

async fn forgotten() {}

async fn fails() -> Result<(), &'static str> {
    Err("lost")
}

/// Runs in debug mode on one thread, and flushes.
fn in_debug<F: Future>(future: F) -> F::Output {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().debug(true).build();
    let output = runtime.expect("it can be built").block_on(future);
    debug_async::flush();
    output
}

/// A writer into memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("it is text")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn of(events: &[Told], kind: ReportKind) -> Vec<&Told> {
    let target = kind.target();
    events.iter().filter(|told| told.target == target).collect()
}

#[test]
fn the_subscriber_and_the_spans_of_the_creation() {
    let program = Program::new(|| {
        let events = Events::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            let outer = tracing::info_span!("request", id = 7);
            let inner = outer.in_scope(|| tracing::info_span!("step", name = "second"));
            inner.in_scope(|| in_debug(async { drop(forgotten().tracked()) }));
        });
        let events = events.take();
        let told = of(&events, ReportKind::NeverPolled);
        assert_eq!(told.len(), 1, "{events:#?}");
        let [(outer, fields), (inner, more)] = &told[0].spans[..] else {
            panic!("{told:#?}")
        };
        assert_eq!((&**outer, &*fields["id"]), ("request", "7"));
        assert_eq!((&**inner, &*more["name"]), ("step", "second"));
    });
    program.run(&[]).succeeded();
}

#[test]
fn the_subscriber_of_another_test_does_not_see_it() {
    let program = Program::new(|| {
        let (mine, theirs) = (Events::default(), Events::default());
        let subscriber = tracing_subscriber::registry().with(mine.clone());
        let other = tracing_subscriber::registry().with(theirs.clone());
        let _theirs = tracing::subscriber::set_default(other);
        tracing::subscriber::with_default(subscriber, || {
            in_debug(async {
                drop(forgotten().tracked());
                drop(debug_async::spawn!(fails()));
                tokio::task::yield_now().await;
            });
        });
        assert_eq!(mine.take().len(), 2);
        assert!(theirs.take().is_empty());
    });
    program.run(&[]).succeeded();
}

#[test]
fn production_reports_to_the_subscriber_where_it_is_found() {
    let program = Program::new(|| {
        let events = Events::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            drop(forgotten().tracked());
            debug_async::flush();
        });
        assert_eq!(events.take().len(), 1);
    });
    program.run(&[]).succeeded();
}

#[test]
fn the_fields_of_an_event() {
    let program = Program::new(|| {
        let events = Events::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            in_debug(async {
                let task = async {
                    block();
                    fails().await
                };
                drop(debug_async::spawn!(name = "worker", task)); // site: fields
                tokio::task::yield_now().await;
            });
        });
        let events = events.take();
        for kind in [ReportKind::SlowPoll, ReportKind::UnretrievedError] {
            let told = of(&events, kind);
            assert_eq!(told.len(), 1, "{events:#?}");
            assert_eq!(told[0].level, kind.level());
            let fields = &told[0].fields;
            let place = format!("tests/report.rs:{}:", site!("fields"));
            assert!(fields["site"].contains(&place), "{fields:#?}");
            assert_eq!(fields["name"], "worker");
            assert_eq!(fields["task.name"], "worker");
            assert_eq!(fields["polls"], "1");
            assert_eq!(fields["count"], "1");
            assert!(fields["task.id"].parse::<u64>().is_ok(), "{fields:#?}");
            assert!(fields["busy"].contains("ms"), "{fields:#?}");
            assert!(fields["age"].contains("ms"), "{fields:#?}");
            assert!(!fields["help"].is_empty());
            assert!(fields["stack"].contains("tests/report.rs"), "{fields:#?}");
            assert!(told[0].message().contains("`worker`"), "{fields:#?}");
        }
        assert_eq!(
            of(&events, ReportKind::UnretrievedError)[0].fields["error"],
            "\"lost\""
        );
        assert!(of(&events, ReportKind::SlowPoll)[0].fields["elapsed"].contains("ms"));
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_filter_by_kind() {
    let program = Program::new(|| {
        let events = Events::default();
        let filter = EnvFilter::new("debug_async=warn,debug_async::slow_poll=off");
        let subscriber = tracing_subscriber::registry()
            .with(filter)
            .with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            in_debug(async {
                drop(forgotten().tracked());
                async { block() }.tracked().await;
                debug_async::spawn!(std::future::pending::<()>());
                tokio::task::yield_now().await;
            });
        });
        let targets: Vec<_> = events.take().into_iter().map(|told| told.target).collect();
        assert_eq!(targets, ["debug_async::never_polled"]);
    });
    program.run(&[]).succeeded();
}

#[test]
fn json_is_one_object_a_report_with_its_fields() {
    let program = Program::new(|| {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", id = 7);
            span.in_scope(|| {
                in_debug(async {
                    drop(forgotten().tracked()); // site: json
                    drop(debug_async::spawn!(fails()));
                    tokio::task::yield_now().await;
                });
            });
        });
        let text = memory.text();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("it is JSON"))
            .collect();
        let never = lines
            .iter()
            .find(|line| line["target"] == "debug_async::never_polled")
            .expect("it is reported");
        assert_eq!(never["level"], "WARN");
        assert_eq!(never["span"]["id"], 7, "{never:#}");
        let fields = &never["fields"];
        let message = fields["message"].as_str().expect("a text");
        assert!(
            message.starts_with("future `report::forgotten` was never polled"),
            "{message}"
        );
        assert_eq!(fields["name"], "report::forgotten");
        assert_eq!(fields["count"], 1);
        let place = format!("tests/report.rs:{}:", site!("json"));
        assert!(
            fields["site"].as_str().expect("a text").contains(&place),
            "{never:#}"
        );
        assert!(
            fields["stack"]
                .as_str()
                .expect("a text")
                .contains("report::"),
            "{never:#}"
        );
        let error = lines
            .iter()
            .find(|line| line["target"] == "debug_async::unretrieved_error")
            .expect("it is reported");
        assert_eq!(error["fields"]["error"], "\"lost\"");
        assert_eq!(lines.len(), 2, "{lines:#?}");
    });
    program.run(&[]).succeeded();
}

#[test]
fn the_display_of_a_report_is_the_whole_text() {
    let program = Program::new(|| {
        collect();
        in_debug(async {
            drop(forgotten().tracked()); // site: display
        });
        let seen = take_seen();
        let text = &seen[0].text;
        let lines: Vec<&str> = text.lines().collect();
        let place = format!("tests/report.rs:{}:", site!("display"));
        assert!(
            lines[0].starts_with("future `report::forgotten` was never polled, and was dropped")
        );
        assert!(lines[0].contains(&place), "{text}");
        assert_eq!(lines[0], seen[0].message);
        assert!(
            text.contains("help: ") && text.contains(&seen[0].help),
            "{text}"
        );
        let at = lines.iter().position(|line| line.trim().starts_with("at "));
        let help = lines.iter().position(|line| line.contains("help: "));
        assert!(at > help, "the stack comes last: {text}");
        assert!(text.contains("hidden"), "{text}");
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_stack_shows_the_user_s_frames() {
    #[inline(never)]
    fn second() {
        drop(forgotten().tracked()); // site: second
    }
    #[inline(never)]
    fn first() {
        second(); // site: first
        // So that the call above is not the last, whose frame may be left out.
        std::hint::black_box(());
    }
    let program = Program::new(|| {
        collect();
        in_debug(async { first() });
        let seen = take_seen();
        let stack = seen[0].stack.as_ref().expect("debug mode takes it");
        let at = |function: &str| {
            // Line tables alone name an inlined function without its path.
            let named = |name: &str| name.rsplit("::").next() == Some(function);
            let frame = stack.iter().position(|(name, ..)| named(name));
            let frame = frame.unwrap_or_else(|| panic!("{function}: {}", seen[0].text));
            (frame, stack[frame].2)
        };
        let ((inner, second), (outer, first)) = (at("second"), at("first"));
        assert_eq!(
            (second, first),
            (Some(site!("second")), Some(site!("first")))
        );
        assert!(inner < outer, "the innermost comes first: {}", seen[0].text);
        let ours = |(name, ..): &&(String, _, _)| name.starts_with("debug_async::");
        assert_eq!(stack.iter().find(ours), None, "{}", seen[0].text);
    });
    program.run(&[]).succeeded();
}

#[test]
fn without_a_subscriber_a_report_is_printed() {
    let program = Program::new(|| {
        in_debug(async { drop(forgotten().tracked()) });
    });
    let output = program.run(&[]).succeeded();
    output.says(
        1,
        &["WARN debug_async::never_polled: future `report::forgotten`"],
    );
    output.says(1, &["help: "]);
    assert!(output.errors_with(&["    at "]).len() > 1, "{output}");
}

#[test]
fn a_report_that_a_hook_passes_on_is_in_its_span() {
    let program = Program::new(|| {
        set_hook(Box::new(|report| {
            if report.kind() == ReportKind::NeverPolled {
                report.emit();
            }
        }));
        let events = Events::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request");
            span.in_scope(|| {
                in_debug(async {
                    drop(forgotten().tracked());
                    drop(debug_async::spawn!(fails()));
                    tokio::task::yield_now().await;
                });
            });
        });
        drop(take_hook());
        let events = events.take();
        assert_eq!(events.len(), 1, "{events:#?}");
        assert_eq!(events[0].spans[0].0, "request");
    });
    program.run(&[]).succeeded();
}

#[test]
fn kinds_have_names_targets_and_levels() {
    for kind in ReportKind::ALL {
        assert_eq!(ReportKind::from_name(kind.name()), Some(*kind));
        assert_eq!(kind.target(), format!("debug_async::{kind}"));
    }
    assert_eq!(ReportKind::from_name("nonsense"), None);
    for (kind, level) in [
        (ReportKind::NeverPolled, Level::WARN),
        (ReportKind::UnretrievedError, Level::ERROR),
        (ReportKind::UnretrievedPanic, Level::ERROR),
        (ReportKind::SlowPoll, Level::WARN),
        (ReportKind::SlowDrop, Level::WARN),
        (ReportKind::PolledAfterCompletion, Level::WARN),
        (ReportKind::SpanAcrossAwait, Level::WARN),
        (ReportKind::LargeFuture, Level::DEBUG),
        (ReportKind::PendingAtShutdown, Level::INFO),
    ] {
        assert_eq!(kind.level(), level, "{kind}");
    }
}
