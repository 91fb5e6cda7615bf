//! A client of Redis: commands and pipelines over connections that are shared, lists as a
//! queue between workers, messages, and connections that break.
//!
//! Planted: a connection that nobody drives.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use crate::load::Load;

const CLIENTS: usize = 60;
const WORKERS: usize = 4;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The list with what is to be done, and the channel on which is told what has changed.
const JOBS: &str = "jobs";
const CHANGES: &str = "changes";

/// Answers may take half a second if nothing is said.
fn patient() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT))
}

// ----- the application -------------------------------------------------------------

#[derive(Clone)]
struct App {
    redis: Client,
    /// One connection, which is made anew when it breaks.
    shared: ConnectionManager,
    changes: Changes,
    is_over: watch::Receiver<bool>,
}

/// Who waits for the message with a number.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>);

impl Changes {
    fn wait_for(&self, number: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(number, sender);
        receiver
    }

    fn have_come(&self, number: u64) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = waiting.remove(&number) {
            // It may have had enough.
            let _ = waiter.send(());
        }
    }
}

impl App {
    async fn is_over(&self) {
        // Whoever tells it is gone, or has.
        let _ = self.is_over.clone().wait_for(|over| *over).await;
    }

    /// One of its own.
    async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        let config = patient();
        let redis = &self.redis;
        Ok(redis
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }

    /// Takes jobs from the list, and pushes each result to the list of who asked.
    async fn work(self) -> anyhow::Result<u64> {
        let mut redis = self.connect().await?;
        let mut is_over = pin!(self.is_over());
        let mut done = 0;
        loop {
            let job: Option<(String, String)> = tokio::select! {
                job = redis.blpop(JOBS, 1.0) => job?,
                () = &mut is_over => break Ok(done),
            };
            let Some((_, job)) = job else { continue };
            let (reply, number) = job.split_once(' ').context("a job")?;
            let square = number.parse::<u64>()?.pow(2);
            let mut answer = redis::pipe();
            answer
                .rpush(reply, square)
                .ignore()
                .expire(reply, 60)
                .ignore();
            () = answer.query_async(&mut redis).await?;
            done += 1;
        }
    }

    async fn listen(self) -> anyhow::Result<()> {
        let mut channel = self.redis.get_async_pubsub().await?;
        channel.subscribe(CHANGES).await?;
        let mut messages = channel.on_message();
        let mut is_over = pin!(self.is_over());
        loop {
            let message = tokio::select! {
                message = messages.next() => message.context("the channel is closed")?,
                () = &mut is_over => break Ok(()),
            };
            self.changes.have_come(message.get_payload()?);
        }
    }
}

/// What the connection of a `MultiplexedConnection` needs, until all of those are gone.
#[debug_async::tracked]
async fn drive(connection: impl Future<Output = ()>) {
    connection.await;
}

#[debug_async::main]
pub(super) async fn run(load: Load) -> anyhow::Result<()> {
    let redis = Client::open(format!("redis://{}", load.service()))?;
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(TIMEOUT));
    let (end, is_over) = watch::channel(false);
    let app = App {
        shared: ConnectionManager::new_with_config(redis.clone(), config).await?,
        redis,
        changes: Changes::default(),
        is_over,
    };
    let mut workers = debug_async::task::JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(app.clone().work());
    }
    let listener = debug_async::spawn!(app.clone().listen());

    let client = |number| visit(load.clone(), app.clone(), number);
    load.run(CLIENTS, client, forget_to_drive(&app)).await;
    end.send(true)?;
    listener.await??;
    let mut done = 0;
    while let Some(worked) = workers.join_next().await {
        done += worked??;
    }
    ensure!(done > 0, "the workers have had nothing to do");
    Ok(())
}

// ----- its users -------------------------------------------------------------------

async fn visit(load: Load, app: App, number: usize) {
    let mut user = User {
        key: format!("user:{number}"),
        own: None,
        app,
    };
    while load.goes_on() {
        match fastrand::u8(..16) {
            0..4 => _ = load.ask("set and get", user.set_and_get()).await,
            4..7 => _ = load.ask("pipeline", user.pipeline()).await,
            7..9 => _ = load.ask("message", user.message()).await,
            9..12 => _ = load.ask("job", user.job()).await,
            12 => _ = load.ask("connection", user.connection()).await,
            13 => _ = load.ask("broken", user.broken()).await,
            14 => user.own = None,
            _ => {
                user.hang_up().await;
                load.hung_up();
            }
        }
        load.think().await;
    }
}

struct User {
    key: String,
    /// For commands that wait: they would hold up all others of a shared connection.
    own: Option<MultiplexedConnection>,
    app: App,
}

impl User {
    async fn own(&mut self) -> anyhow::Result<&mut MultiplexedConnection> {
        if self.own.is_none() {
            self.own = Some(self.app.connect().await?);
        }
        self.own.as_mut().context("it is there")
    }

    async fn set_and_get(&mut self) -> anyhow::Result<()> {
        let value = "v".repeat(fastrand::usize(1..10_000));
        let shared = &mut self.app.shared;
        () = shared.set_ex(&self.key, &value, 60).await?;
        let found: String = shared.get(&self.key).await?;
        ensure!(found == value, "{} of {} bytes", found.len(), value.len());
        Ok(())
    }

    async fn pipeline(&mut self) -> anyhow::Result<()> {
        let key = format!("{}:count", self.key);
        let by = fastrand::i64(1..100);
        let mut all = redis::pipe();
        all.atomic().del(&key).ignore();
        for _ in 0..by {
            all.incr(&key, 1).ignore();
        }
        all.get(&key).del(&key).ignore();
        let (count,): (i64,) = all.query_async(&mut self.app.shared).await?;
        ensure!(count == by, "{count} is not {by}");
        Ok(())
    }

    /// Through Redis, to who listens, and back.
    async fn message(&mut self) -> anyhow::Result<()> {
        let number = fastrand::u64(..);
        let come = self.app.changes.wait_for(number);
        // The listener may not have begun.
        loop {
            let heard: u32 = self.app.shared.publish(CHANGES, number).await?;
            if heard > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(come.await?)
    }

    async fn job(&mut self) -> anyhow::Result<()> {
        let number = fastrand::u64(..1_000_000);
        let reply = format!("{}:reply:{number}", self.key);
        let job = format!("{reply} {number}");
        () = self.app.shared.rpush(JOBS, job).await?;
        let answer: Option<(String, u64)> = self.own().await?.blpop(&reply, 15.0).await?;
        let (_, square) = answer.context("nobody has done it")?;
        ensure!(square == number.pow(2), "{square} is not {number}²");
        Ok(())
    }

    /// By hand, over a socket of one's own.
    async fn connection(&self) -> anyhow::Result<()> {
        let info = self.app.redis.get_connection_info();
        let socket = TcpStream::connect(info.addr().to_string()).await?;
        let settings = info.redis_settings();
        let made = MultiplexedConnection::new_with_config(settings, socket, patient()).await;
        let (mut redis, connection) = made?;
        let driver = debug_async::spawn!(drive(connection));
        let answer: String = redis.ping().await?;
        ensure!(answer == "PONG", "{answer}");
        drop(redis);
        Ok(driver.await?)
    }

    /// The server closes a connection, and the next one is good again.
    async fn broken(&mut self) -> anyhow::Result<()> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(TIMEOUT))
            .set_min_delay(Duration::from_millis(1));
        let redis = self.app.redis.clone();
        let mut redis = ConnectionManager::new_with_config(redis, config).await?;
        let id: u64 = redis::cmd("CLIENT")
            .arg("ID")
            .query_async(&mut redis)
            .await?;
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(id);
        () = kill.query_async(&mut self.app.shared).await?;
        loop {
            let answer: redis::RedisResult<String> = redis.ping().await;
            match answer {
                Ok(answer) => {
                    ensure!(answer == "PONG", "{answer}");
                    break Ok(());
                }
                Err(error) if error.is_io_error() || error.is_connection_dropped() => {}
                Err(error) => break Err(error.into()),
            }
        }
    }

    /// Before there is an answer.
    async fn hang_up(&mut self) {
        let limit = Duration::from_millis(fastrand::u64(..5));
        if fastrand::bool() {
            let mut redis = self.own.take();
            let wait = async {
                let redis = match &mut redis {
                    Some(redis) => redis,
                    None => redis.insert(self.app.connect().await?),
                };
                let never: Option<(String, u64)> = redis.blpop("never", 0.0).await?;
                anyhow::Ok(never)
            };
            let ended = tokio::time::timeout(limit, wait).await;
            assert!(!matches!(ended, Ok(Ok(_))), "{ended:?}");
        } else {
            let many = async {
                for _ in 0..100 {
                    self.pipeline().await?;
                }
                anyhow::Ok(())
            };
            // It may have come to anything.
            let _ = tokio::time::timeout(limit, many).await;
        }
    }
}

/// Redis may not be up yet, so it is asked again. But the answers never come, since nobody
/// reads them.
async fn forget_to_drive(app: &App) {
    let info = app.redis.get_connection_info();
    let socket = TcpStream::connect(info.addr().to_string()).await;
    let socket = socket.expect("Redis is there");
    let made = MultiplexedConnection::new(info.redis_settings(), socket).await;
    let (mut redis, connection) = made.expect("Redis is there");
    let _connection = drive(connection); // BUG: never_polled
    for _ in 0..20 {
        let answer: redis::RedisResult<String> = redis.ping().await;
        assert!(answer.is_err(), "{answer:?}");
    }
}
