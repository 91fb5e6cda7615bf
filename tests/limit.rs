//! Repeats of one finding at one site: a handful of lines, and the true count.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use debug_async::prelude::*;
use debug_async::report::{ReportKind, set_hook};
use debug_async::runtime::Builder;
use support::{Expected, Program, Seen, everywhere, site};

async fn fetch() {}

/// A busy machine may make a slow poll of ten thousand drops.
fn never_polled(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.retain(|seen| seen.kind == ReportKind::NeverPolled);
    seen
}

#[test]
fn ten_thousand_drops_are_a_handful_of_reports_and_the_true_count() {
    everywhere(|run| {
        run.block_on(async {
            for _ in 0..10_000 {
                drop(fetch().tracked()); // site: drops
            }
        });
        let seen = never_polled(run.finish());
        assert!((1..=5).contains(&seen.len()), "{seen:#?}");
        assert!(
            seen.iter().all(|seen| seen.line == Some(site!("drops"))),
            "{seen:#?}"
        );
        assert_eq!(
            seen.last().map(|seen| seen.count),
            Some(10_000),
            "{seen:#?}"
        );
    });
}

#[test]
fn ten_thousand_drops_on_four_threads() {
    everywhere(|run| {
        let drops = || (0..2_500).for_each(|_| drop(fetch().tracked())); // site: threads
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(drops);
            }
        });
        let seen = never_polled(run.finish());
        assert!((1..=5).contains(&seen.len()), "{seen:#?}");
        assert_eq!(
            seen.last().map(|seen| seen.count),
            Some(10_000),
            "{seen:#?}"
        );
        assert_eq!(seen[0].line, Some(site!("threads")));
    });
}

#[test]
fn the_first_the_tenth_and_the_hundredth_are_told() {
    everywhere(|run| {
        let mut seen: Vec<Seen> = Vec::new();
        for _ in 0..120 {
            drop(fetch().tracked());
            // Judges each by itself.
            debug_async::flush();
            seen.extend(support::take_seen());
        }
        seen.extend(run.finish());
        let counts: Vec<u64> = seen.iter().map(|seen| seen.count).collect();
        assert_eq!(counts, [1, 10, 100]);
        assert!(
            seen[1].text.contains("(10 times so far)"),
            "{}",
            seen[1].text
        );
    });
}

#[test]
fn each_kind_and_each_site_has_its_own_count() {
    everywhere(|run| {
        run.block_on(async {
            drop(fetch().tracked()); // site: one
            drop(fetch().tracked()); // site: another
            let failed = debug_async::spawn!(async { Err::<(), _>("lost") }); // site: error
            while !failed.is_finished() {
                tokio::task::yield_now().await;
            }
        });
        run.expect(&[
            Expected::new(ReportKind::NeverPolled).at(site!("one")),
            Expected::new(ReportKind::NeverPolled).at(site!("another")),
            Expected::new(ReportKind::UnretrievedError).at(site!("error")),
        ]);
    });
}

#[test]
fn the_total_is_told_when_the_process_ends() {
    let program = Program::new(|| {
        for _ in 0..25 {
            drop(fetch().tracked()); // site: total
            debug_async::flush();
        }
        drop(fetch().tracked()); // site: once
    });
    let output = program.run(&[]).succeeded();
    let place = format!("tests/limit.rs:{}:", site!("total"));
    output.says(2, &["was never polled", &place]);
    output.says(
        1,
        &["repeated findings, in all: 25 × never_polled at", &place],
    );
    let once = format!("tests/limit.rs:{}:", site!("once"));
    output.says(1, &[&once]);
}

#[test]
fn no_total_is_told_when_nothing_was_held_back() {
    let program = Program::new(|| drop(fetch().tracked()));
    let output = program.run(&[]).succeeded();
    output.says(1, &["was never polled"]);
    output.says(0, &["repeated findings"]);
}

#[test]
fn ten_thousand_lost_errors_keep_their_count() {
    everywhere(|run| {
        run.block_on(async {
            for n in 0..10_000 {
                debug_async::spawn!(async { Err::<(), _>("lost") }); // site: errors
                if n % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            let metrics = tokio::runtime::Handle::current().metrics();
            while metrics.num_alive_tasks() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        });
        let mut seen = run.finish();
        // Spawning so many at once may be slow on a busy machine.
        seen.retain(|seen| seen.kind == ReportKind::UnretrievedError);
        assert!((1..=5).contains(&seen.len()), "{seen:#?}");
        assert_eq!(
            seen.last().map(|seen| seen.count),
            Some(10_000),
            "{seen:#?}"
        );
    });
}

#[test]
fn errors_that_somebody_waits_for_take_no_room_however_many() {
    let program = Program::new(|| {
        support::collect();
        let builder = &mut Builder::new_current_thread();
        let runtime = builder.debug(true).build().expect("it can be built");
        runtime.block_on(async {
            // So many at once may make a slow poll on a busy machine.
            debug_async::set_slow_poll(std::time::Duration::from_secs(60));
            let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
            let tasks = (0..TASKS).map(|_| {
                let gate = gate.clone();
                debug_async::spawn!(async move { gate.acquire().await.map(drop) })
            });
            let all = futures::future::join_all(tasks);
            let open = async {
                tokio::task::yield_now().await;
                // Each fails now, while its handle is waited for.
                gate.close();
            };
            let (results, ()) = futures::future::join(all, open).await;
            assert!(
                results.iter().all(|result| matches!(result, Ok(Err(_)))),
                "each fails"
            );
        });
        drop(runtime);
        debug_async::flush();
        let seen = support::take_seen();
        assert!(seen.is_empty(), "{seen:#?}");
    });
    let output = program.run(&[]).succeeded();
    output.says(0, &["reports were lost"]);
}

/// More than there is room for among the findings that wait to be judged.
const TASKS: usize = 12_000;

#[test]
fn a_queue_that_is_full_says_how_many_reports_it_lost() {
    let program = Program::new(|| {
        let (began, begins) = std::sync::mpsc::channel();
        let (go, went) = std::sync::mpsc::channel::<()>();
        let (began, went) = (std::sync::Mutex::new(began), std::sync::Mutex::new(went));
        set_hook(Box::new(move |report| {
            let _ = began.lock().map(|began| began.send(()));
            let _ = went.lock().map(|went| went.recv());
            report.emit();
        }));
        leave_a_task();
        begins.recv().expect("the hook is called");
        // Nobody takes them now.
        (0..1_100).for_each(|_| leave_a_task());
        drop(go);
    });
    let output = program.run(&[]).succeeded();
    output.says(1, &["reports were lost: the queue was full"]);
}

/// Makes one report of a kind that is not counted by site.
fn leave_a_task() {
    let runtime = Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime can be built");
    runtime.block_on(async {
        debug_async::spawn(std::future::pending::<()>());
        tokio::task::yield_now().await;
    });
}
