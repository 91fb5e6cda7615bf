//! What an item costs that comes through a tracked stream.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use debug_async::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};

use crate::arms::{ARMS, Spec};
use crate::child::{self, Child};
use crate::loops::Flavor;
use crate::results::{Budget, Nanos, Section, more, sign, table};
use crate::stats::{Median, Verdict, paired};

const NAMES: [&str; 4] = ["bare", "off", "production", "debug"];

/// See `overhead`.
const GENERATIONS: usize = 8;
const ROUNDS: usize = 16;

/// Items of one turn. With the rounds it is a million of them and more.
const ITEMS: u32 = 8_000;

/// What goes through it, in words.
const CASES: [(&str, &str); 4] = [
    ("records", "records of JSON from an mpsc channel, parsed"),
    ("short records", "the same, short ones"),
    ("channel", "numbers from an mpsc channel"),
    ("iter", "numbers that are there, from `tokio_stream::iter`"),
];

/// The limit that the project has set itself, as a ratio to bare.
const LIMIT: f64 = 1.05;

/// What a server logs of a request.
const RECORD: &str = r#"{"time":"2026-11-22T13:50:29.553918Z","level":"INFO","request":{
    "id":"8d1f6f2c","method":"GET","path":"/shops/12/rows","query":{"page":"3","sort":"name"},
    "peer":"192.0.2.17:51820","agent":"curl/8.5.0"},"status":200,"bytes":18231,"took_ms":12.5,
    "cache":"miss","spans":["auth","query","render"]}"#;

const SHORT: &str = r#"{"id":4711,"name":"a row","price":12.5,"tags":["new","in stock"]}"#;

/// The child's side: the nanoseconds of processor time that an item takes.
///
/// # Panics
///
/// If there is no such case.
pub fn serve(arm: &str) {
    let runtime = Flavor::Current.builder().build().expect("a runtime");
    let is_bare = arm == "bare";
    // Debug mode has threads of its own, and so has a program; `malloc` takes its locks as
    // soon as there is a second one. That is not the stream's doing.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    child::serve(|case| {
        let took = runtime.block_on(async {
            match (case, is_bare) {
                ("records", true) => parse(lines(RECORD)).await,
                ("records", false) => parse(lines(RECORD).tracked()).await,
                ("short records", true) => parse(lines(SHORT)).await,
                ("short records", false) => parse(lines(SHORT).tracked()).await,
                ("channel", true) => add(channel()).await,
                ("channel", false) => add(channel().tracked()).await,
                ("iter", true) => add(tokio_stream::iter(0..ITEMS)).await,
                ("iter", false) => add(tokio_stream::iter(0..ITEMS).tracked()).await,
                _ => panic!("no case `{case}`"),
            }
        });
        (took.as_nanos() as f64 / f64::from(ITEMS)).to_string()
    });
}

fn lines(line: &'static str) -> ReceiverStream<String> {
    sent(move |_| line.to_owned())
}

fn channel() -> ReceiverStream<u32> {
    sent(|n| n)
}

fn sent<T: Send + 'static>(item: impl Fn(u32) -> T + Send + 'static) -> ReceiverStream<T> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        for n in 0..ITEMS {
            if sender.send(item(n)).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn parse(mut lines: impl Stream<Item = String> + Unpin) -> Duration {
    let start = now();
    while let Some(line) = lines.next().await {
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        black_box(value);
    }
    now() - start
}

async fn add(mut numbers: impl Stream<Item = u32> + Unpin) -> Duration {
    let start = now();
    let mut sum = 0_u32;
    while let Some(number) = numbers.next().await {
        sum = black_box(sum.wrapping_add(number));
    }
    now() - start
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs it.
///
/// # Panics
///
/// If a child fails.
pub fn run(program: &Path) -> Section {
    let arms: Vec<&Spec> = ARMS
        .iter()
        .filter(|arm| NAMES.contains(&arm.name))
        .collect();
    // [case][arm][round]
    let mut measured = vec![vec![Vec::new(); arms.len()]; CASES.len()];
    for _ in 0..GENERATIONS {
        let start = |arm: &&Spec| {
            Child::start(program, &["stream-child", arm.name], arm.env).expect("a child")
        };
        let mut children: Vec<Child> = arms.iter().map(start).collect();
        for (case, _) in CASES {
            children.iter_mut().for_each(|child| drop(child.ask(case)));
        }
        // The clock of debug mode is got ready meanwhile.
        std::thread::sleep(Duration::from_millis(500));
        for round in 0..ROUNDS {
            for (case, (name, _)) in CASES.iter().enumerate() {
                for turn in 0..arms.len() {
                    let arm = (turn + round) % arms.len();
                    measured[case][arm].push(children[arm].ask_number(name));
                }
            }
        }
    }
    let items = u64::from(ITEMS) * (GENERATIONS * ROUNDS) as u64;
    let mut head = vec!["an item"];
    head.extend(CASES.map(|(_, what)| what));
    let rows: Vec<Vec<String>> = arms
        .iter()
        .enumerate()
        .map(|(arm, spec)| {
            let cell = |case: &Vec<Vec<f64>>| {
                let (own, difference, ratio) = paired(&case[arm], &case[0]);
                if arm == 0 {
                    return format!("**{}**", Nanos(own.value));
                }
                let (sign, more) = (sign(difference.value), Nanos(difference.value));
                format!("{}<br>{sign}{more}, ×{:.3}", Nanos(own.value), ratio.value)
            };
            let mut row = vec![spec.name.to_owned()];
            row.extend(measured.iter().map(cell));
            row
        })
        .collect();
    Section {
        title: "Streams",
        text: format!(
            "Each figure is the median of the processor time that an item takes, of {items} items; \
             under it, the median of its difference from `bare` in the same round, and of its \
             ratio to it. On one thread, sender included.\n\n{}",
            table(&head, &rows)
        ),
        budgets: (1..arms.len())
            .map(|arm| budget(arms[arm].name, &measured[0][arm], &measured[0][0]))
            .collect(),
    }
}

fn budget(name: &str, arm: &[f64], bare: &[f64]) -> Budget {
    let (_, difference, ratio) = paired(arm, bare);
    let Median { value, low, high } = ratio;
    Budget {
        what: format!("a record from a stream, {name}"),
        limit: format!("≤ {LIMIT} × bare"),
        measured: format!("{value:.3} ({low:.3} … {high:.3}), {}", more(difference)),
        verdict: Verdict::at_most(ratio, LIMIT),
    }
}
