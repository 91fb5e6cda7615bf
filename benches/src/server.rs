//! A small HTTP server under load.
//!
//! For each request it polls two tracked futures and joins one spawned task; what
//! it answers with is made of all three.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::arms::ARMS;
use crate::child::{self, Child};
use crate::profile;
use crate::results::{Budget, Section, table};
use crate::stats::{Median, Verdict, paired};

const ROUNDS: usize = 30;
const SLICE: Duration = Duration::from_millis(200);
const CONNECTIONS: usize = 16;

const NAMES: [&str; 4] = ["bare", "off", "production", "debug"];

const REQUEST: &[u8] = b"GET /order?id=7 HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The server, with and without this crate.
macro_rules! server {
    ($module:ident, $builder:path, $spawn:path $(, #[$tracked:meta])?) => {
        mod $module {
            use axum::extract::Query;
            use axum::routing::get;
            use axum::{Json, Router};
            use serde_json::{Value, json};
            use tokio::net::TcpListener;

            #[derive(Debug)]
            struct Failure;

            $(#[$tracked])?
            async fn customer(id: u32) -> Result<Value, Failure> {
                tokio::task::yield_now().await;
                Ok(json!({ "id": id, "name": "Ada", "since": 1843 }))
            }

            $(#[$tracked])?
            async fn lines(id: u32) -> Result<Vec<Value>, Failure> {
                let line = |n: u32| json!({ "article": n, "count": n % 5 + 1 });
                Ok((id..id + 8).map(line).collect())
            }

            async fn order(Query(query): Query<Vec<(String, u32)>>) -> Json<Value> {
                let id = query.first().map_or(0, |(_, id)| *id);
                let stock = $spawn(async move {
                    tokio::task::yield_now().await;
                    id * 3
                });
                let (customer, lines) = tokio::join!(customer(id), lines(id));
                let (customer, lines) = (customer.expect("an Ok"), lines.expect("an Ok"));
                let stock = stock.await.expect("no panic");
                Json(json!({ "customer": customer, "lines": lines, "stock": stock }))
            }

            pub(super) fn serve(answer: impl FnOnce(u16)) {
                let runtime = <$builder>::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
                let port = listener.local_addr().expect("an address").port();
                let app = Router::new().route("/order", get(order));
                // On the worker, as what is spawned is; axum's own.
                tokio::runtime::Runtime::spawn(&runtime, async move {
                    let _ = axum::serve(listener, app).await;
                });
                answer(port);
                std::process::exit(0);
            }
        }
    };
}

server!(bare, tokio::runtime::Builder, tokio::spawn);
server!(
    ours,
    debug_async::runtime::Builder,
    debug_async::spawn,
    #[debug_async::tracked]
);

/// The child's side: answers `port`, and `cpu` with its processor time in
/// nanoseconds.
pub fn serve(arm: &str) {
    let answer = |port: u16| {
        child::serve(|question| match question {
            "port" => port.to_string(),
            _ => {
                let time = clock_gettime(ClockId::ProcessCPUTime);
                (time.tv_sec * 1_000_000_000 + time.tv_nsec).to_string()
            }
        });
    };
    if arm == "bare" {
        bare::serve(answer);
    } else {
        ours::serve(answer);
    }
}

/// One server, and the connections to it.
struct Loaded {
    child: Child,
    streams: Vec<TcpStream>,
    /// How long the answer is; always the same.
    length: usize,
}

impl Loaded {
    async fn start(program: &Path, name: &str) -> io::Result<Loaded> {
        let arm = ARMS.iter().find(|arm| arm.name == name).expect("an arm");
        let mut child = Child::start(program, &["server-child", name], arm.env)?;
        let port: u16 = child.ask("port").parse().expect("a port");
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let length = length_of_answer(&mut streams[0]).await?;
        Ok(Loaded {
            child,
            streams,
            length,
        })
    }

    /// Requests a second, and the server's processor time for each, in
    /// nanoseconds.
    async fn slice(&mut self, how_long: Duration) -> io::Result<(f64, f64)> {
        let cpu = self.child.ask_number("cpu");
        let start = Instant::now();
        let length = self.length;
        let mut set = JoinSet::new();
        for mut stream in self.streams.drain(..) {
            set.spawn(async move {
                let mut answer = vec![0; length];
                let mut count = 0_u32;
                while start.elapsed() < how_long {
                    stream.write_all(REQUEST).await?;
                    stream.read_exact(&mut answer).await?;
                    count += 1;
                }
                io::Result::Ok((stream, count))
            });
        }
        let mut count = 0;
        while let Some(done) = set.join_next().await {
            let (stream, more) = done.expect("no panic")?;
            self.streams.push(stream);
            count += more;
        }
        let count = f64::from(count);
        let elapsed = start.elapsed().as_secs_f64();
        let cpu = self.child.ask_number("cpu") - cpu;
        Ok((count / elapsed, cpu / count))
    }
}

async fn length_of_answer(stream: &mut TcpStream) -> io::Result<usize> {
    stream.write_all(REQUEST).await?;
    let mut answer = vec![0; 16 * 1024];
    let mut length = 0;
    loop {
        length += stream.read(&mut answer[length..]).await?;
        let text = String::from_utf8_lossy(&answer[..length]);
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let declared = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|number| number.parse::<usize>().ok());
        if declared == Some(body.len()) {
            return Ok(length);
        }
    }
}

/// Runs it.
///
/// # Panics
///
/// If a child fails, or the network of this machine.
pub fn run(program: &Path) -> Section {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut rates = vec![Vec::new(); NAMES.len()];
    let mut costs = vec![Vec::new(); NAMES.len()];
    let mut servers = Vec::new();
    let load = async {
        for name in NAMES {
            let mut server = Loaded::start(program, name).await?;
            server.slice(3 * SLICE).await?;
            servers.push(server);
        }
        for round in 0..ROUNDS {
            for turn in 0..NAMES.len() {
                let arm = (turn + round) % NAMES.len();
                let (rate, cost) = servers[arm].slice(SLICE).await?;
                rates[arm].push(rate);
                costs[arm].push(cost);
            }
        }
        io::Result::Ok(())
    };
    runtime.block_on(load).expect("a network");
    let debugged = &mut servers[3];
    let profile = profile::of_process(debugged.child.id(), || {
        let _ = runtime.block_on(debugged.slice(10 * SLICE));
    });

    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .enumerate()
        .map(|(arm, name)| {
            let (rate, _, rate_ratio) = paired(&rates[arm], &rates[0]);
            let (cost, more, cost_ratio) = paired(&costs[arm], &costs[0]);
            let Median { low, high, .. } = rate_ratio;
            vec![
                (*name).to_owned(),
                format!("{:.0}", rate.value),
                format!("{:.3} ({low:.3} … {high:.3})", rate_ratio.value),
                format!("{:.2} µs", cost.value / 1_000.0),
                format!("{:+.2} µs, ×{:.3}", more.value / 1_000.0, cost_ratio.value),
            ]
        })
        .collect();
    let head = [
        "",
        "requests/s",
        "of bare",
        "processor time a request",
        "over bare",
    ];
    let profile = profile.unwrap_or_else(|| "there is no `perf` here\n".to_owned());
    let text = format!(
        "axum with one worker, {CONNECTIONS} keep-alive connections from this process, \
         {ROUNDS} rounds of {} ms for each arm. A request polls two tracked futures and joins \
         one task. The processor time of the server does not suffer from others on the \
         machine as the throughput does.\n\n{}\n\
         `perf` of the server in debug mode (own time, 1 % and more):\n\n```text\n{profile}```\n",
        SLICE.as_millis(),
        table(&head, &rows)
    );
    // By its processor time, a server is as fast as bare tokio's takes less.
    let budget = |how: &str, arm: usize, limit: f64| {
        let (_, _, ratio) = match how {
            "requests/s" => paired(&rates[arm], &rates[0]),
            _ => paired(&costs[0], &costs[arm]),
        };
        Budget {
            what: format!("throughput of the server by {how}, {}", NAMES[arm]),
            limit: format!("≥ {limit:.2} of bare"),
            measured: format!("{:.3} ({:.3} … {:.3})", ratio.value, ratio.low, ratio.high),
            verdict: Verdict::at_least(ratio, limit),
        }
    };
    Section {
        title: "Server",
        text,
        budgets: ["requests/s", "processor time"]
            .iter()
            .flat_map(|how| {
                [
                    budget(how, 1, 1.0),
                    budget(how, 2, 0.99),
                    budget(how, 3, 0.95),
                ]
            })
            .collect(),
    }
}
