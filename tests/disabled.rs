//! The mode off: the same outputs, no reports, no thread, no size.

// The mistakes are what is tested.
#![allow(
    clippy::async_yields_async,
    clippy::let_underscore_future,
    clippy::redundant_async_block
)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::{Future, Ready, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;

use debug_async::future::TrackedFuture;
use debug_async::prelude::*;
use debug_async::runtime::Builder;
use debug_async::task::{self, JoinSet, LocalSet};
use support::{Program, block, collect, take_seen, thread_names};

const OFF: &[(&str, &str)] = &[("ASYNC_DEBUG", "off")];
const THREAD: &str = "debug-async";

async fn one() -> u32 {
    tokio::task::yield_now().await;
    1
}

async fn fails() -> Result<(), String> {
    Err("lost".to_owned())
}

/// Every mistake there is; gives what it evaluates to.
async fn everything() -> Vec<String> {
    let mut outputs = Vec::new();
    drop(one().tracked());
    outputs.push(one().tracked().await.to_string());
    outputs.push(
        one()
            .tracked_as("named")
            .slow_ok(std::time::Duration::ZERO)
            .await
            .to_string(),
    );
    one().tracked().discard();
    debug_async::spawn!(fails());
    debug_async::spawn(fails());
    debug_async::spawn!(name = "named", fails()).detach();
    outputs.push(format!(
        "{:?}",
        debug_async::spawn!(fails()).await.expect("no panic")
    ));
    let panics = debug_async::spawn!(async {
        if one().await == 1 {
            panic!("on purpose")
        }
    });
    outputs.push(
        panics
            .await
            .is_err_and(|error| error.is_panic())
            .to_string(),
    );
    task::spawn_blocking(|| Err::<(), _>("lost"));
    outputs.push(
        task::spawn_blocking(|| 2)
            .await
            .expect("no panic")
            .to_string(),
    );
    let set = LocalSet::new();
    set.run_until(async { task::spawn_local(fails()) }).await;
    set.await;
    let mut set: JoinSet<u32> = (0..3).map(|_| one()).collect();
    while let Some(output) = set.join_next().await {
        outputs.push(output.expect("no panic").to_string());
    }
    drop((0..3).map(|_| fails()).collect::<JoinSet<_>>());
    let mut ready = pin!(poll_fn(|_| Poll::Ready(3)).tracked());
    outputs.push((ready.as_mut().await + ready.as_mut().await).to_string());
    #[cfg(feature = "stream")]
    {
        use futures::stream::{StreamExt, iter};
        drop(iter([1]).tracked());
        iter([1]).tracked().discard();
        let slow = iter([1]).map(|_| block()).tracked_as("named");
        outputs.push(slow.count().await.to_string());
        outputs.push(format!(
            "{:?}",
            iter(0..3).tracked().collect::<Vec<_>>().await
        ));
    }
    async { block() }.tracked().await;
    debug_async::spawn(std::future::pending::<()>());
    outputs
}

fn run_everything() -> Vec<String> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("it can be built");
    runtime.block_on(everything())
}

#[test]
fn the_outputs_are_the_same_and_nothing_is_reported() {
    let program = Program::new(|| {
        collect();
        println!("outputs {:?}", run_everything());
        debug_async::flush();
        println!("{} reports", take_seen().len());
    });
    let outputs = |mode| {
        let output = program.run(&[("ASYNC_DEBUG", mode)]).succeeded();
        let line = |start| {
            output
                .stdout
                .lines()
                .find(|line: &&str| line.contains(start))
        };
        let outputs = line("outputs [").expect("it is printed").to_owned();
        (outputs, line(" reports").expect("it is printed").to_owned())
    };
    let (off, none) = outputs("off");
    assert_eq!(none, "0 reports");
    for mode in ["0", "1"] {
        let (outputs, reports) = outputs(mode);
        assert_eq!(outputs, off);
        assert_ne!(reports, "0 reports");
    }
}

#[test]
fn nothing_is_printed() {
    let program = Program::new(|| drop(run_everything()));
    let output = program.run(OFF).succeeded();
    output.says(0, &["debug_async::"]);
    output.says(0, &["WARN"]);
    output.says(1, &["panicked at"]);
}

#[test]
fn no_thread_is_started() {
    let program = Program::new(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("it can be built");
        runtime.block_on(async {
            drop(one().tracked());
            debug_async::spawn!(fails());
            one().tracked().await
        });
        drop(one().tracked());
        debug_async::flush();
        println!("{:?}", thread_names());
        let there = thread_names().iter().any(|name| name.starts_with(THREAD));
        println!("there: {there}");
    });
    let output = program.run(OFF).succeeded();
    assert!(output.stdout.contains("there: false"), "{output}");
    // As it is when there is something to tell.
    let output = program.run(&[]).succeeded();
    assert!(output.stdout.contains("there: true"), "{output}");
}

#[test]
fn no_thread_is_started_in_production_as_long_as_nothing_is_found() {
    let program = Program::new(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("it can be built").block_on(async {
            one().tracked().await;
            debug_async::spawn!(one()).await.expect("no panic");
            task::spawn_blocking(|| 1).await.expect("no panic");
        });
        debug_async::flush();
        let names = thread_names();
        assert!(
            !names.iter().any(|name| name.starts_with(THREAD)),
            "{names:?}"
        );
    });
    program.run(&[]).succeeded();
}

#[test]
fn the_wrapper_is_a_word_larger_at_most() {
    fn assert_small<F: Future>(future: F) {
        // The future and a word, as the compiler lays them out.
        let most = size_of::<(F, usize)>();
        assert!(size_of::<TrackedFuture<F>>() <= most);
        let tracked = future.tracked();
        assert!(size_of_val(&tracked) <= most);
        tracked.discard();
    }
    assert_small(one());
    assert_small(ready([0_u8; 1_000]));
    assert_small(std::future::pending::<()>());
    assert_small(Box::pin(one()));
    #[cfg(feature = "stream")]
    {
        let words = size_of::<std::ops::Range<usize>>() + size_of::<usize>();
        let stream = futures::stream::iter(0..1_usize).tracked();
        assert!(size_of_val(&stream) <= words);
        stream.discard();
    }
    let words = size_of::<Ready<usize>>() + size_of::<usize>();
    assert_eq!(size_of::<TrackedFuture<Ready<usize>>>(), words);
}

#[test]
fn a_task_is_found_again_when_the_switch_is_turned_on() {
    let program = Program::new(|| {
        collect();
        drop(one().tracked());
        debug_async::set_debug(true);
        drop(one().tracked());
        debug_async::flush();
        assert_eq!(take_seen().len(), 1);
    });
    program.run(OFF).succeeded();
}
