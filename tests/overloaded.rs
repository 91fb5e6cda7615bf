//! A machine that has more to do than it can: what has to wait for a processor is not
//! slow, also where the watchdog had to wait for one and has not seen it. In a binary of
//! its own, since nothing else would run well beside it.

#![cfg(all(feature = "rt-multi-thread", target_os = "linux"))]

mod support;

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use debug_async::task::JoinSet;
use support::run::{Case, Flavor, case};
use support::{Host, on};

const MULTI: &[Case] = &[case(Host::Ours, Flavor::MultiThread, true)];

/// So many threads for each processor: a turn comes every 60 ms or so.
const CROWD: usize = 20;

const TIME: Duration = Duration::from_secs(8);

fn computes(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box(start);
    }
}

#[test]
fn what_waits_for_a_processor() {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..CROWD * processors {
        // They end by themselves, also if the test fails.
        thread::spawn(|| computes(TIME));
    }
    on(MULTI, |run| {
        run.block_on(async {
            let end = Instant::now() + TIME;
            let mut tasks = JoinSet::new();
            for _ in 0..50 {
                tasks.spawn(async move {
                    while Instant::now() < end {
                        computes(Duration::from_micros(300));
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                });
            }
            tasks.join_all().await;
        });
        run.expect(&[]);
    });
}
