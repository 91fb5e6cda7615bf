//! Findings about futures: each form of each, once, by name and line.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use debug_async::config::Config;
use debug_async::future::TrackedFuture;
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use support::run::{Case, Flavor, case};
use support::{Expected, Host, block, everywhere, in_debug, on, site, wait_until};

async fn fetch(id: u32) -> u32 {
    tokio::task::yield_now().await;
    id
}

async fn done() {}

fn never_polled() -> Expected {
    Expected::new(ReportKind::NeverPolled).says("was never polled")
}

#[test]
fn a_future_that_was_dropped_at_once() {
    everywhere(|run| {
        run.block_on(async {
            let _ = fetch(1).tracked(); // site: at once
        });
        let expected = never_polled().at(site!("at once")).named("future::fetch");
        run.expect(&[expected.says("and was dropped").stack(run.case.debug)]);
    });
}

#[test]
fn a_future_in_a_variable_that_went_out_of_scope() {
    everywhere(|run| {
        run.block_on(async {
            let _forgotten = fetch(1).tracked(); // site: variable
            done().await;
        });
        run.expect(&[never_polled().at(site!("variable")).named("future::fetch")]);
    });
}

#[test]
fn a_future_outside_any_runtime() {
    everywhere(|run| {
        let forgotten = fetch(1).tracked(); // site: outside
        drop(forgotten);
        run.expect(&[never_polled().at(site!("outside")).named("future::fetch")]);
    });
}

#[test]
fn futures_stored_in_a_struct_and_dropped() {
    struct Job {
        _run: TrackedFuture<Pin<Box<dyn Future<Output = u32> + Send>>>,
        _undo: Option<Pin<Box<dyn Future<Output = u32> + Send>>>,
    }
    everywhere(|run| {
        run.block_on(async {
            let boxed: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(fetch(1));
            let job = Job {
                _run: boxed.tracked(),                     // site: field
                _undo: Some(Box::pin(fetch(2).tracked())), // site: option
            };
            drop(job);
        });
        run.expect(&[
            never_polled().at(site!("field")),
            never_polled().at(site!("option")).named("future::fetch"),
        ]);
    });
}

#[test]
fn a_future_stored_in_a_vector_and_dropped() {
    everywhere(|run| {
        run.block_on(async {
            let jobs = vec![fetch(1).tracked()]; // site: vector
            drop(jobs);
        });
        run.expect(&[never_polled().at(site!("vector")).named("future::fetch")]);
    });
}

#[test]
fn many_in_one_vector_are_one_report_with_their_number() {
    everywhere(|run| {
        run.block_on(async {
            let job = |id| fetch(id).tracked(); // site: many
            drop((0..7).map(job).collect::<Vec<_>>());
        });
        run.expect(&[never_polled().at(site!("many")).count(7)]);
    });
}

#[test]
fn a_future_left_in_a_channel_and_one_in_a_mutex() {
    everywhere(|run| {
        run.block_on(async {
            let (send, receive) = tokio::sync::mpsc::channel(2);
            send.send(fetch(1).tracked()).await.ok(); // site: channel
            drop((send, receive));
            drop(Mutex::new(Some(fetch(1).tracked()))); // site: mutex
        });
        run.expect(&[
            never_polled().at(site!("channel")),
            never_polled().at(site!("mutex")),
        ]);
    });
}

#[test]
fn a_future_forgotten_in_a_task_and_in_a_function_that_completes() {
    async fn work() {
        let _forgotten = fetch(1).tracked(); // site: in a task
        done().await;
    }
    everywhere(|run| {
        run.block_on(async {
            debug_async::spawn!(work()).await.expect("no panic");
        });
        run.expect(&[never_polled().at(site!("in a task")).named("future::fetch")]);
    });
}

#[test]
fn the_given_name_is_the_name() {
    everywhere(|run| {
        run.block_on(async { drop(fetch(1).tracked_as("warm-up")) }); // site: named
        run.expect(&[never_polled().at(site!("named")).named("warm-up")]);
    });
}

#[test]
fn an_async_block_is_named_by_its_function_and_line() {
    everywhere(|run| {
        drop(async { 1 }.tracked()); // site: block
        let function = "future::an_async_block_is_named_by_its_function_and_line";
        let name = format!("async block in {function}, line {}", site!("block"));
        run.expect(&[never_polled().at(site!("block")).named(&name)]);
    });
}

#[test]
fn nested_wrappers_are_one_report() {
    everywhere(|run| {
        run.block_on(async {
            let inner = fetch(1).tracked(); // site: inner
            let middle = Box::pin(inner).tracked();
            drop(middle.tracked_as("outer"));
        });
        run.expect(&[never_polled().at(site!("inner")).named("future::fetch")]);
    });
}

#[test]
fn a_site_is_told_apart_by_its_column() {
    everywhere(|run| {
        #[rustfmt::skip]
        let both = [fetch(1).tracked(), fetch(2).tracked()]; // site: columns
        drop(both);
        run.expect(&[
            never_polled().at(site!("columns")).named("future::fetch"),
            never_polled().at(site!("columns")).named("future::fetch"),
        ]);
    });
}

#[test]
fn a_future_that_lives_and_is_not_polled() {
    let cases: &[Case] = &[
        case(Host::Ours, Flavor::CurrentThread, true),
        case(Host::Ours, Flavor::MultiThread, true),
    ];
    on(cases, |run| {
        run.config(Config::new().never_polled_after(Duration::from_millis(50)));
        let kept = run.block_on(async {
            fetch(1).tracked() // site: alive
        });
        wait_until("the living future", |seen| !seen.is_empty());
        // It is not told a second time.
        drop(kept);
        let alive = never_polled().at(site!("alive")).named("future::fetch");
        run.expect(&[alive.says("although it has been there for a while")]);
    });
}

#[test]
fn futures_that_were_told_while_they_lived_are_not_counted_again_when_they_are_dropped() {
    let cases: &[Case] = &[case(Host::Ours, Flavor::CurrentThread, true)];
    on(cases, |run| {
        run.config(Config::new().never_polled_after(Duration::from_millis(50)));
        let kept: Vec<_> = run.block_on(async {
            (0..5).map(|id| fetch(id).tracked()).collect() // site: five
        });
        wait_until("the living futures", |seen| !seen.is_empty());
        drop(kept);
        let seen = run.finish();
        // Ten would be told.
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(seen[0].line, Some(site!("five")));
        assert!(seen[0].count <= 5);
    });
}

#[test]
fn a_future_polled_after_it_completed() {
    in_debug(|run| {
        run.block_on(async {
            let ready = poll_fn(|_| Poll::Ready(1));
            let mut ready = pin!(ready.tracked_as("ready")); // site: again
            ready.as_mut().await;
            debug_async::spawn!(async {}).await.expect("no panic");
            ready.as_mut().await;
        });
        let again = Expected::new(ReportKind::PolledAfterCompletion).at(site!("again"));
        run.expect(&[again
            .named("ready")
            .says("polled again after it had completed")]);
    });
}

#[test]
fn a_future_that_blocks_when_it_is_dropped() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            block();
        }
    }
    async fn holds() {
        let _blocks = Blocks;
        pending::<()>().await;
    }
    in_debug(|run| {
        run.block_on(async {
            let mut held = Box::pin(holds().tracked()); // site: drop
            assert!(futures::poll!(held.as_mut()).is_pending());
            // In a place where a slow poll is allowed.
            tokio::task::spawn_blocking(move || drop(held))
                .await
                .expect("no panic");
        });
        let dropped = Expected::new(ReportKind::SlowDrop).at(site!("drop"));
        let dropped = dropped.named("future::a_future_that_blocks_when_it_is_dropped::holds");
        run.expect(&[dropped.says("took ")]);
    });
}

#[test]
fn nested_wrappers_that_block_when_they_are_dropped_are_one_report() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            block();
        }
    }
    in_debug(|run| {
        run.block_on(async {
            let blocks = Blocks;
            let inner = async move {
                let _blocks = blocks;
                pending::<()>().await;
            };
            let inner = inner.tracked_as("inner"); // site: inner drop
            let mut outer = Box::pin(async { inner.await }.tracked_as("outer"));
            assert!(futures::poll!(outer.as_mut()).is_pending());
            tokio::task::spawn_blocking(move || drop(outer))
                .await
                .expect("no panic");
        });
        let dropped = Expected::new(ReportKind::SlowDrop).at(site!("inner drop"));
        run.expect(&[dropped.named("inner")]);
    });
}

#[test]
fn a_span_that_is_held_across_an_await() {
    async fn holds() {
        let _entered = tracing::info_span!("request").entered();
        tokio::task::yield_now().await;
    }
    in_debug(|run| {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink);
        tracing::subscriber::set_global_default(subscriber.finish()).expect("the first");
        let local = tokio::task::LocalSet::new();
        run.block_on(local.run_until(async {
            holds().tracked().await; // site: span
        }));
        let held = Expected::new(ReportKind::SpanAcrossAwait).at(site!("span"));
        run.expect(&[held.says("`request`").says("future::a_span_that_is_held")]);
    });
}

#[test]
fn nested_wrappers_around_a_span_that_is_held_are_one_report() {
    in_debug(|run| {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink);
        tracing::subscriber::set_global_default(subscriber.finish()).expect("the first");
        run.block_on(async {
            let inner = async {
                let _entered = tracing::info_span!("request").entered();
                tokio::task::yield_now().await;
            };
            let inner = inner.tracked_as("inner"); // site: inner span
            async { inner.await }.tracked_as("outer").await;
        });
        let held = Expected::new(ReportKind::SpanAcrossAwait).at(site!("inner span"));
        run.expect(&[held.named("inner")]);
    });
}

#[test]
fn a_large_future_is_reported_once_a_site_at_level_debug() {
    in_debug(|run| {
        run.block_on(async {
            for _ in 0..3 {
                let large = async {
                    let bytes = [1_u8; 20_000];
                    tokio::task::yield_now().await;
                    bytes.len()
                };
                let task = debug_async::spawn!(name = "large", large); // site: large
                task.await.expect("no panic");
            }
        });
        let large = Expected::new(ReportKind::LargeFuture).at(site!("large"));
        run.expect(&[large
            .named("large")
            .level(tracing::Level::DEBUG)
            .says("bytes large")]);
    });
}

#[test]
fn production_makes_none_of_the_findings_of_debug_mode() {
    let cases: &[Case] = &[case(Host::Ours, Flavor::CurrentThread, false)];
    on(cases, |run| {
        run.block_on(async {
            async { block() }.tracked().await;
            let mut ready = pin!(poll_fn(|_| Poll::Ready(1)).tracked());
            ready.as_mut().await;
            ready.as_mut().await;
            let large = async {
                let bytes = [1_u8; 20_000];
                tokio::task::yield_now().await;
                bytes.len()
            };
            debug_async::spawn(large).await.expect("no panic");
        });
        run.expect(&[]);
    });
}
