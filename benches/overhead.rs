//! What tracking costs: spawn and join, and one poll, in each mode.
//!
//! ```text
//! cargo bench --bench overhead
//! ASYNC_DEBUG=off cargo bench --bench overhead
//! ```
//!
//! `bare` is tokio without this crate. The other arms run the same code through
//! it, in a runtime of that mode; compare medians of one run.

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use debug_async::config::{Config, StackMode};
use debug_async::prelude::*;
use debug_async::runtime::{Builder, Runtime};

/// The arms: a runtime for each mode. Off is the environment's to say, so that arm
/// is there when the bench is run with `ASYNC_DEBUG=off`.
fn arms() -> Vec<(&'static str, Runtime)> {
    if std::env::var_os("ASYNC_DEBUG").is_some_and(|mode| mode == "off") {
        let off = Builder::new_current_thread().build().expect("a runtime");
        return vec![("off", off)];
    }
    let build = |debug: bool, config: Config| {
        let mut builder = Builder::new_current_thread();
        builder
            .debug(debug)
            .config(config)
            .build()
            .expect("a runtime")
    };
    vec![
        ("production", build(false, Config::new())),
        ("debug", build(true, Config::new())),
        (
            "debug without stacks",
            build(true, Config::new().stack(StackMode::Off)),
        ),
    ]
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group
}

fn spawn_and_join(criterion: &mut Criterion) {
    let mut group = group(criterion, "spawn+join");
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| {
            bare.block_on(async {
                let start = std::time::Instant::now();
                for n in 0..times {
                    black_box(tokio::spawn(async move { n }).await.expect("no panic"));
                }
                start.elapsed()
            })
        });
    });
    for (name, runtime) in arms() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let start = std::time::Instant::now();
                    for n in 0..times {
                        black_box(
                            debug_async::spawn!(async move { n })
                                .await
                                .expect("no panic"),
                        );
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

fn poll(criterion: &mut Criterion) {
    /// Polls of one future that is tracked once.
    async fn yields(times: u64) -> Duration {
        let start = std::time::Instant::now();
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        start.elapsed()
    }

    let mut group = group(criterion, "poll");
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| {
            bare.block_on(async { tokio::spawn(yields(times)).await.expect("no panic") })
        });
    });
    for (name, runtime) in arms() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    tokio::spawn(yields(times).tracked())
                        .await
                        .expect("no panic")
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, spawn_and_join, poll);
criterion_main!(benches);
