//! The dump names the leaf and the user's line, whatever is waited on; and none of it
//! is a finding.

#![cfg(feature = "rt-multi-thread")]

mod support;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::dump::{State, Tracked};
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::task::{self, JoinSet};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use support::{in_debug, line_marked};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

type Waits = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that waits at the line that is marked with the name, in a library's: `calls`
/// is in the name that is shown of that or, in a release build, where there may be none
/// for what is inlined, of its file.
struct Row {
    name: &'static str,
    calls: &'static str,
    waits: Waits,
}

fn row(
    name: &'static str,
    calls: &'static str,
    waits: impl Future<Output = ()> + Send + 'static,
) -> Row {
    let waits = Box::pin(waits);
    Row { name, calls, waits }
}

/// What others must hold, so that there is something to wait for.
type Kept = Box<dyn std::any::Any + Send>;

async fn in_the_runtime() -> (Vec<Row>, Vec<Kept>) {
    let (bounded, full) = mpsc::channel(1);
    bounded.send(()).await.expect("there is room");
    let (open, mut messages) = mpsc::channel::<()>(1);
    let (all, mut sent) = broadcast::channel::<()>(1);
    let (value, mut seen) = watch::channel(());
    let (one, once) = oneshot::channel::<()>();
    let mutex = Arc::new(Mutex::new(()));
    let locked = Arc::clone(&mutex).lock_owned().await;
    let lock = Arc::new(RwLock::new(()));
    let written = Arc::clone(&lock).write_owned().await;
    let reader = Arc::clone(&lock);
    let semaphore = Arc::new(Semaphore::new(0));
    let notify = Arc::new(Notify::new());
    let (end, ends) = oneshot::channel::<()>();
    let task = task::spawn(async move {
        let _ = ends.await;
    });
    let mut set = JoinSet::new();
    set.spawn(sleep(LONG));
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let fifo = Fifo::new();
    let path = fifo.0.clone();
    let rows = vec![
        row("sleep", "sleep", async {
            sleep(LONG).await; // site: sleep
        }),
        row("Mutex", "mutex", async move {
            drop(mutex.lock().await); // site: Mutex
        }),
        row("RwLock, read", "rwlock", async move {
            drop(reader.read().await); // site: RwLock, read
        }),
        row("RwLock, write", "rwlock", async move {
            drop(lock.write().await); // site: RwLock, write
        }),
        row("Semaphore", "semaphore", async move {
            drop(semaphore.acquire().await); // site: Semaphore
        }),
        row("Notify", "notif", async move {
            notify.notified().await; // site: Notify
        }),
        row("oneshot", "oneshot", async move {
            let _ = once.await; // site: oneshot
        }),
        row("mpsc", "mpsc", async move {
            let _ = messages.recv().await; // site: mpsc
        }),
        row("mpsc, full", "mpsc", async move {
            let _ = bounded.send(()).await; // site: mpsc, full
        }),
        row("broadcast", "broadcast", async move {
            let _ = sent.recv().await; // site: broadcast
        }),
        row("watch", "watch", async move {
            let _ = seen.changed().await; // site: watch
        }),
        row("JoinHandle", "join", async move {
            let _ = task.await; // site: JoinHandle
        }),
        row("JoinSet", "join", async move {
            let _ = set.join_next().await; // site: JoinSet
        }),
        row("fs", "fs", async move {
            let _ = tokio::fs::read(path).await; // site: fs
        }),
        row("spawn_blocking", "join", async move {
            let waits = task::spawn_blocking(move || stopped.recv().is_err());
            assert!(waits.await.expect("no panic")); // site: spawn_blocking
        }),
    ];
    let kept: Vec<Kept> = vec![
        Box::new((open, all, value, one, full, locked, written)),
        Box::new((stop, end, fifo)),
    ];
    (rows, kept)
}

async fn combined() -> (Vec<Row>, Vec<Kept>) {
    let rows = vec![
        row("select", "sleep", async {
            // site: select
            tokio::select! {
                () = sleep(LONG) => {}
                () = pending() => {}
            }
        }),
        row("join", "sleep", async {
            // site: join
            tokio::join!(sleep(LONG), std::future::ready(()));
        }),
        row("timeout", "timeout", async {
            let _ = timeout(LONG, pending::<()>()).await; // site: timeout
        }),
        row("FuturesUnordered", "next", async {
            let mut many: FuturesUnordered<_> = (0..3).map(|_| sleep(LONG).tracked()).collect();
            many.next().await; // site: FuturesUnordered
        }),
        row("buffer_unordered", "", async {
            let works = futures::stream::iter(0..9).map(|_| sleep(LONG).tracked());
            works.buffer_unordered(3).collect::<Vec<()>>().await; // site: buffer_unordered
        }),
    ];
    (rows, Vec::new())
}

async fn on_sockets() -> (Vec<Row>, Vec<Kept>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let mut reads = TcpStream::connect(address).await.expect("it listens");
    let (read_by, _) = listener.accept().await.expect("it was connected");
    let mut writes = TcpStream::connect(address).await.expect("it listens");
    let (written_by, _) = listener.accept().await.expect("it was connected");
    let (mut unix, other) = UnixStream::pair().expect("a pair");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("it is bound"));
    let redis = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let redis_url = format!("redis://{}/", redis.local_addr().expect("it is bound"));
    let rows = vec![
        row("accept", "listener", async move {
            let _ = listener.accept().await; // site: accept
        }),
        row("read", "", async move {
            let _ = reads.read_u8().await; // site: read
        }),
        row("write", "", async move {
            let much = vec![0; 64 << 20];
            let _ = writes.write_all(&much).await; // site: write
        }),
        row("UnixStream", "", async move {
            let _ = unix.read_u8().await; // site: UnixStream
        }),
        row("hyper", "reqwest", async move {
            let _ = reqwest::get(url).await; // site: hyper
        }),
        row("redis", "redis", async move {
            let client = redis::Client::open(redis_url).expect("a url");
            let config = redis::AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None);
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            let _ = connection.await; // site: redis
        }),
    ];
    let kept: Vec<Kept> = vec![
        Box::new((read_by, written_by, other)),
        Box::new((silent, redis)),
    ];
    (rows, kept)
}

/// A file that nobody writes, so that to open it waits; till this is gone.
struct Fifo(std::path::PathBuf);

impl Fifo {
    fn new() -> Fifo {
        let name = format!("fifo-{}", std::process::id());
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
        Fifo(path)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Whoever opens it sees that there is nothing in it.
        let opened = std::fs::OpenOptions::new().write(true).open(&self.0);
        drop(opened);
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The task of that name, when it has a leaf.
async fn waiting(name: &str) -> Tracked {
    let started = Instant::now();
    loop {
        let dump = tokio::task::spawn_blocking(debug_async::dump).await;
        let dump = dump.expect("no panic");
        let waits = |object: &&Tracked| {
            object.name == name && object.state == State::Waiting && !object.leaves.is_empty()
        };
        if let Some(found) = dump.objects.iter().find(waits) {
            return found.clone();
        }
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(20), "{name}:\n{}", dump.tree());
        sleep(Duration::from_millis(1)).await;
    }
}

/// Runs these as tasks and looks at them in a dump.
async fn are_named((rows, kept): (Vec<Row>, Vec<Kept>)) {
    const SOURCE: &str = include_str!("leaves.rs");
    let mut tasks = Vec::new();
    let mut wrong = Vec::new();
    for Row { name, calls, waits } in rows {
        let task = debug_async::spawn!(name = name, waits);
        let object = waiting(name).await;
        let stack = &object.leaves[0].stack;
        let called = stack.called().unwrap_or_default().to_lowercase();
        let innermost = stack.frames().first();
        let line = innermost.and_then(|frame| {
            let file = frame.file.as_deref().unwrap_or_default();
            frame.line.filter(|_| file.ends_with("leaves.rs"))
        });
        let expected = line_marked(SOURCE, name);
        if !called.contains(calls) || line != Some(expected) {
            wrong.push(format!("{name} at {expected}, calls {calls}: {stack:#?}"));
        }
        tasks.push((name, task));
    }
    drop(kept);
    for (name, task) in tasks {
        // What runs elsewhere cannot be aborted, and ends by itself now.
        if !["fs", "spawn_blocking"].contains(&name) {
            task.abort();
        }
        let _ = task.await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_runtime_has() {
    in_debug(|run| {
        run.block_on(async { are_named(in_the_runtime().await).await });
        run.expect(&[]);
    });
}

#[test]
fn combinators() {
    in_debug(|run| {
        run.block_on(async { are_named(combined().await).await });
        run.expect(&[]);
    });
}

#[test]
#[cfg_attr(tokio_unstable, ignore = "tokio's hooks show the tasks of the clients")]
fn sockets_and_clients() {
    in_debug(|run| {
        run.block_on(async { are_named(on_sockets().await).await });
        run.expect(&[]);
    });
}

/// How many of each.
const MANY: usize = 1_000;

/// Longer than a finding takes to be certain.
const CERTAIN: Duration = Duration::from_millis(4_500);

/// Of a thing that others have to release, `MANY` that wait.
fn spawn_many<F>(tasks: &mut JoinSet<()>, wait: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 0..MANY {
        tasks.spawn(wait());
    }
}

/// Waits for what is released at the end.
async fn wait_long(tasks: &mut JoinSet<()>) {
    let mutex = Arc::new(Mutex::new(()));
    let locked = Arc::clone(&mutex).lock_owned().await;
    let lock = Arc::new(RwLock::new(()));
    let written = Arc::clone(&lock).write_owned().await;
    let semaphore = Arc::new(Semaphore::new(0));
    let notify = Arc::new(Notify::new());
    let (sent, _) = broadcast::channel(1);
    let (value, seen) = watch::channel(false);
    let (messages, receiver) = mpsc::channel(1);
    let receiver = Arc::new(Mutex::new(receiver));
    spawn_many(tasks, || sleep(CERTAIN));
    spawn_many(tasks, || {
        let (mutex, lock) = (Arc::clone(&mutex), Arc::clone(&lock));
        async move {
            drop(mutex.lock().await);
            drop(lock.read().await);
            drop(lock.write().await);
        }
    });
    spawn_many(tasks, || {
        let (semaphore, notify) = (Arc::clone(&semaphore), Arc::clone(&notify));
        async move {
            tokio::join!(notify.notified(), async {
                drop(semaphore.acquire().await.expect("it is open"));
            });
        }
    });
    spawn_many(tasks, || {
        let (mut sent, mut seen) = (sent.subscribe(), seen.clone());
        async move {
            sent.recv().await.expect("it is sent");
            seen.wait_for(|seen| *seen).await.expect("it is kept");
        }
    });
    spawn_many(tasks, || {
        let (messages, receiver) = (messages.clone(), Arc::clone(&receiver));
        async move {
            let receives = async { receiver.lock().await.recv().await };
            let (sent, received) = tokio::join!(messages.send(()), receives);
            sent.expect("it is kept");
            received.expect("each sends one");
        }
    });
    spawn_many(tasks, || async {
        let (tell, told) = oneshot::channel();
        let task = task::spawn(async move {
            sleep(CERTAIN).await;
            let _ = tell.send(());
        });
        tokio::select! {
            told = told => told.expect("it is told"),
            () = sleep(CERTAIN * 10) => {}
        }
        task.await.expect("no panic");
    });
    spawn_many(tasks, || async {
        let mut set: JoinSet<()> = (1..4).map(|n| sleep(CERTAIN / n)).collect();
        while set.join_next().await.is_some() {}
        assert!(
            timeout(Duration::from_millis(1), pending::<()>())
                .await
                .is_err()
        );
    });
    sleep(CERTAIN).await;
    drop((locked, written));
    notify.notify_waiters();
    semaphore.add_permits(1);
    sent.send(()).expect("they listen");
    value.send(true).expect("they look");
}

/// Answers each command of a client with "OK".
async fn serve_redis(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        task::spawn(async move {
            let mut commands = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut commands).await {
                let count = commands[..read]
                    .iter()
                    .filter(|byte| **byte == b'*')
                    .count();
                let answers = "+OK\r\n".repeat(count);
                if stream.write_all(answers.as_bytes()).await.is_err() {
                    break;
                }
            }
        })
        .detach();
    }
}

/// Does it again and again, each for a little while.
async fn go_round(tasks: &mut JoinSet<()>) {
    let app = axum::Router::new().route("/", axum::routing::get(async || "here"));
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", http.local_addr().expect("it is bound"));
    let echo = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = echo.local_addr().expect("it is bound");
    let server = task::spawn(async move { axum::serve(http, app).await });
    let echoes = task::spawn(async move {
        while let Ok((stream, _)) = echo.accept().await {
            task::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            })
            .detach();
        }
    });
    let redis = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let redis_url = format!("redis://{}/", redis.local_addr().expect("it is bound"));
    let redis_client = redis::Client::open(redis_url).expect("a url");
    let redis_server = task::spawn(serve_redis(redis));
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let redis = redis_client.get_multiplexed_async_connection_with_config(&config);
    // One for all, as each has a task that nobody tracks.
    let redis = redis.await.expect("it answers");
    let client = reqwest::Client::new();
    let mut rounds = JoinSet::new();
    for _ in 0..MANY / 20 {
        let (client, url, mut redis) = (client.clone(), url.clone(), redis.clone());
        rounds.spawn(async move {
            for _ in 0..20 {
                let mut set = redis::cmd("SET");
                let set = set.arg("key").arg(1).query_async::<String>(&mut redis);
                assert_eq!(set.await.expect("it answers"), "OK");
                let answer = client.get(&url).send().await.expect("it answers");
                assert_eq!(answer.text().await.expect("a text"), "here");
                let mut stream = TcpStream::connect(address).await.expect("it listens");
                stream.write_all(b"x").await.expect("it reads");
                assert_eq!(stream.read_u8().await.expect("it answers"), b'x');
                let (mut one, mut other) = UnixStream::pair().expect("a pair");
                let (sent, got) = tokio::join!(one.write_u8(1), other.read_u8());
                assert!(sent.is_ok() && got.is_ok());
                let read = tokio::fs::read("/dev/null").await;
                assert!(read.expect("it is there").is_empty());
                task::spawn_blocking(|| ()).await.expect("no panic");
                let mut all: FuturesUnordered<_> = (0..3)
                    .map(|n| sleep(Duration::from_millis(n)).tracked())
                    .collect();
                while all.next().await.is_some() {}
                let works = futures::stream::iter(0..9).map(|_| task::yield_now().tracked());
                works.buffer_unordered(3).collect::<Vec<()>>().await;
            }
        });
    }
    tasks.spawn(async move {
        rounds.join_all().await;
        server.abort();
        echoes.abort();
        redis_server.abort();
        let _ = tokio::join!(server, echoes, redis_server);
    });
}

#[test]
#[cfg_attr(tokio_unstable, ignore = "tokio's hooks show the tasks of the clients")]
fn a_thousand_of_each_under_load() {
    in_debug(|run| {
        // The machine has more to do than it can.
        let patient = Config::new().slow_poll(LONG).blocked(LONG);
        run.config(patient);
        let stop = Arc::new(AtomicBool::new(false));
        let load = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(Relaxed) {})
        };
        let loads: Vec<_> = (0..2).map(load).collect();
        run.block_on(async {
            let mut tasks = JoinSet::new();
            go_round(&mut tasks).await;
            wait_long(&mut tasks).await;
            tasks.join_all().await;
        });
        stop.store(true, Relaxed);
        for load in loads {
            load.join().expect("no panic");
        }
        let mut seen = run.finish();
        // The clients have tasks of their own.
        seen.retain(|seen| seen.kind != ReportKind::UntrackedTasks);
        assert!(seen.is_empty(), "{seen:#?}");
    });
}
