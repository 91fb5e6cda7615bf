//! GiBs through a `TcpStream`, tracked at both ends.

use std::io;
use std::path::Path;
use std::time::Instant;

use debug_async::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::arms::ARMS;
use crate::child::{self, Child};
use crate::results::{Budget, Section, table};
use crate::stats::{Median, Verdict, paired};

/// What one turn of an arm sends. Turns are short, so that what is compared was measured
/// at the same time; all of them together are four GiB for each arm.
const BYTES: usize = 64 << 20;
/// What `tokio::io::copy` and most servers use, and what is good for throughput.
const CHUNKS: [usize; 2] = [8 << 10, 64 << 10];
const ROUNDS: usize = 64;
const NAMES: [&str; 4] = ["bare", "off", "production", "debug"];

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

async fn transfer<W, R>(mut writer: W, mut reader: R, chunk: usize) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    R: AsyncRead + Unpin,
{
    let write = async {
        let bytes = vec![7; chunk];
        for _ in 0..BYTES / chunk {
            writer.write_all(&bytes).await?;
        }
        writer.shutdown().await
    };
    let read = async {
        let mut buffer = vec![0; chunk];
        let mut all = 0;
        loop {
            match reader.read(&mut buffer).await? {
                0 => break,
                read => all += read,
            }
        }
        assert_eq!(all, BYTES, "all of it");
        io::Result::Ok(())
    };
    tokio::try_join!(write, read).map(|_| ())
}

/// The child's side: asked for a size of chunks, it sends so much in them and answers with
/// the time that passed and the processor time, in nanoseconds.
///
/// # Panics
///
/// If the network of this machine fails.
pub fn serve(arm: &str) {
    let runtime = debug_async::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let is_bare = arm == "bare";
    // Debug mode has threads of its own, and so has a program; the kernel counts the
    // users of a descriptor at each call as soon as there is a second one.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    };
    child::serve(|question| {
        let chunk: usize = question.parse().expect("a size");
        let turn = async {
            let (client, server) = pair().await?;
            let (start, before) = (Instant::now(), cpu());
            if is_bare {
                transfer(client, server, chunk).await?;
            } else {
                transfer(client.tracked(), server.tracked(), chunk).await?;
            }
            io::Result::Ok((start.elapsed().as_nanos(), cpu() - before))
        };
        // Of tokio's own, so that nothing but the streams is tracked.
        let (elapsed, cpu) = tokio::runtime::Runtime::block_on(&runtime, turn).expect("a network");
        format!("{elapsed} {cpu}")
    });
}

/// Runs it.
///
/// # Panics
///
/// If a child fails.
pub fn run(program: &Path) -> Section {
    let mut children: Vec<Child> = NAMES
        .iter()
        .map(|name| {
            let arm = ARMS.iter().find(|arm| arm.name == *name).expect("an arm");
            Child::start(program, &["io-child", name], arm.env).expect("it starts")
        })
        .collect();
    let mut text = format!(
        "{} GiB for each arm over loopback, {} MiB a turn, written and read by one thread, both \
         streams tracked. What is shown is for 1 GiB. The processor time does not suffer from others on the machine.\n\n",
        (BYTES * ROUNDS) >> 30,
        BYTES >> 20
    );
    let mut budgets = Vec::new();
    for chunk in CHUNKS {
        // [elapsed, processor time][arm][round]
        let mut measured = [(); 2].map(|()| vec![Vec::new(); NAMES.len()]);
        for round in 0..=ROUNDS {
            for turn in 0..NAMES.len() {
                let arm = (turn + round) % NAMES.len();
                let answer = children[arm].ask(&chunk.to_string());
                let (elapsed, cpu) = answer.split_once(' ').expect("two figures");
                // The first is for warming up.
                if round > 0 {
                    for (measured, figure) in measured.iter_mut().zip([elapsed, cpu]) {
                        let nanos: f64 = figure.parse().expect("a number");
                        measured[arm].push(nanos * (1 << 30) as f64 / BYTES as f64);
                    }
                }
            }
        }
        text.push_str(&figures(chunk, &measured));
        for (how, measured) in ["time", "processor time"].iter().zip(&measured) {
            let (_, _, ratio) = paired(&measured[0], &measured[3]);
            budgets.push(Budget {
                what: format!("{how} of 1 GiB in chunks of {} KiB, debug", chunk >> 10),
                limit: "≥ 0.95 of the throughput".to_owned(),
                measured: interval(ratio),
                verdict: Verdict::at_least(ratio, 0.95),
            });
        }
    }
    Section {
        title: "I/O",
        text,
        budgets,
    }
}

fn figures(chunk: usize, [elapsed, cpu]: &[Vec<Vec<f64>>; 2]) -> String {
    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .enumerate()
        .map(|(arm, name)| {
            let (time, _, ratio) = paired(&elapsed[arm], &elapsed[0]);
            let (cpu_time, _, cpu_ratio) = paired(&cpu[arm], &cpu[0]);
            vec![
                (*name).to_owned(),
                format!("{:.0} ms", time.value / 1e6),
                interval(ratio),
                format!("{:.0} ms", cpu_time.value / 1e6),
                interval(cpu_ratio),
            ]
        })
        .collect();
    let size = format!("{} KiB", chunk >> 10);
    let head = [&*size, "time", "of bare", "processor time", "of bare"];
    format!("{}\n", table(&head, &rows))
}

fn interval(ratio: Median) -> String {
    let Median { value, low, high } = ratio;
    format!("{value:.3} ({low:.3} … {high:.3})")
}
