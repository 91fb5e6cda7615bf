//! A client of PostgreSQL with tokio-postgres and a pool: transactions, prepared
//! statements, rows that stream, notifications, and queries that are cancelled.
//!
//! Planted: a futurelock. A future that holds the pool's only connection is not polled
//! while its task waits for one.

use std::collections::HashMap;
use std::pin::pin;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use debug_async::prelude::*;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, future, stream};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::load::Load;

const CLIENTS: usize = 40;
const CONNECTIONS: usize = 12;

/// Everything is well within.
const TIMEOUT: Duration = Duration::from_secs(20);

const ACCOUNTS: i64 = 20;

// ----- the application -------------------------------------------------------------

#[derive(Clone)]
struct App {
    config: Config,
    pool: Pool,
    notes: Notes,
}

/// Who waits for the notification with a number.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>);

impl Notes {
    fn wait_for(&self, number: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(number, sender);
        receiver
    }

    fn has_come(&self, number: u64) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = waiting.remove(&number) {
            // It may have had enough.
            let _ = waiter.send(());
        }
    }
}

fn pool(config: &Config, size: usize) -> anyhow::Result<Pool> {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Verified,
    };
    let manager = Manager::from_config(config.clone(), NoTls, recycling);
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(TIMEOUT));
    Ok(pool.build()?)
}

#[debug_async::tracked]
impl App {
    /// From one account to another, or not at all.
    async fn transfer(&self, from: i64, to: i64, amount: i64) -> anyhow::Result<()> {
        let mut postgres = self.pool.get().await?;
        let transaction = postgres.transaction().await?;
        let book = "UPDATE accounts SET amount = amount + $1 WHERE id = $2";
        let book = transaction.prepare_cached(book).await?;
        // In order, so that two of them do not wait for each other.
        let mut both = [(-amount, from), (amount, to)];
        both.sort_by_key(|(_, account)| *account);
        for (amount, account) in both {
            let changed = transaction.execute(&book, &[&amount, &account]).await?;
            ensure!(changed == 1, "{changed} rows");
        }
        if amount % 7 == 0 {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn total(&self) -> anyhow::Result<i64> {
        let postgres = self.pool.get().await?;
        let sum = "SELECT sum(amount)::bigint FROM accounts";
        let sum = postgres.prepare_cached(sum).await?;
        Ok(postgres.query_one(&sum, &[]).await?.try_get(0)?)
    }
}

/// Drives a connection on which there are notifications, until its client is gone.
async fn listen(
    config: Config,
    notes: Notes,
    listening: oneshot::Sender<Client>,
) -> anyhow::Result<()> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let (sender, mut notifications) = mpsc::unbounded_channel();
    let drive = async move {
        let mut messages = stream::poll_fn(|cx| connection.poll_message(cx));
        while let Some(message) = messages.try_next().await? {
            if let AsyncMessage::Notification(note) = message {
                sender.send(note.payload().parse::<u64>()?)?;
            }
        }
        anyhow::Ok(())
    };
    let driven = debug_async::spawn!(name = "connection of the listener", drive);
    client.batch_execute("LISTEN notes").await?;
    let _ = listening.send(client);
    while let Some(number) = notifications.recv().await {
        notes.has_come(number);
    }
    driven.await?
}

#[debug_async::main]
pub(super) async fn run(load: Load) -> anyhow::Result<()> {
    let (host, port) = load.service().split_once(':').context("an address")?;
    let mut config = Config::from_str("user=postgres dbname=postgres")?;
    config.host(host).port(port.parse()?);
    let app = App {
        pool: pool(&config, CONNECTIONS)?,
        config: config.clone(),
        notes: Notes::default(),
    };
    app.pool.get().await?.batch_execute(TABLES).await?;
    let (listening, listener) = oneshot::channel();
    let listen = debug_async::spawn!(listen(config.clone(), app.notes.clone(), listening));
    let listener = listener.await.context("nobody listens")?;

    let client = |number| visit(load.clone(), app.clone(), number as i64);
    load.run(CLIENTS, client, hold_and_wait(&config)).await;
    drop(listener);
    listen.await??;
    let total = app.total().await?;
    ensure!(total == 0, "{total} came from nowhere");
    app.pool.close();
    Ok(())
}

const TABLES: &str = "
    DROP TABLE IF EXISTS accounts, uploads;
    CREATE TABLE accounts (id bigint PRIMARY KEY, amount bigint NOT NULL);
    INSERT INTO accounts SELECT id, 0 FROM generate_series(0, 19) AS id;
    CREATE TABLE uploads (client bigint NOT NULL, line text NOT NULL);";

// ----- its users -------------------------------------------------------------------

async fn visit(load: Load, app: App, number: i64) {
    let user = User { app, number };
    while load.goes_on() {
        match fastrand::u8(..16) {
            0..4 => _ = load.ask("transfer", user.transfer()).await,
            4 => _ = load.ask("total", user.total()).await,
            5..7 => _ = load.ask("rows", user.rows()).await,
            7 => _ = load.ask("some rows", user.some_rows()).await,
            8 => _ = load.ask("pipelined", user.pipelined()).await,
            9 => _ = load.ask("copy", user.copy()).await,
            10 => _ = load.ask("notification", user.notification()).await,
            11 => _ = load.ask("too late", user.too_late()).await,
            12 => _ = load.ask("cancelled", user.cancelled()).await,
            13 => _ = load.ask("own connection", user.own_connection()).await,
            14 => _ = load.ask("refused", user.refused()).await,
            _ => {
                user.hang_up().await;
                load.hung_up();
            }
        }
        load.think().await;
    }
}

struct User {
    app: App,
    number: i64,
}

impl User {
    async fn transfer(&self) -> anyhow::Result<()> {
        let from = fastrand::i64(0..ACCOUNTS);
        let to = (from + fastrand::i64(1..ACCOUNTS)) % ACCOUNTS;
        self.app.transfer(from, to, fastrand::i64(1..1000)).await
    }

    async fn total(&self) -> anyhow::Result<()> {
        let total = self.app.total().await?;
        ensure!(total == 0, "{total} came from nowhere");
        Ok(())
    }

    async fn rows(&self) -> anyhow::Result<()> {
        let postgres = self.app.pool.get().await?;
        let to = fastrand::i64(1..2000);
        let rows = postgres.query_raw("SELECT n FROM generate_series(1, $1::bigint) AS n", [to]);
        let mut rows = pin!(rows.await?.tracked_as("rows"));
        let mut sum = 0;
        while let Some(row) = rows.try_next().await? {
            sum += row.try_get::<_, i64>(0)?;
        }
        ensure!(sum == to * (to + 1) / 2, "{sum} for {to}");
        Ok(())
    }

    /// Of many. The rest is thrown away by the connection.
    async fn some_rows(&self) -> anyhow::Result<()> {
        let postgres = self.app.pool.get().await?;
        let rows = postgres.query_raw(
            "SELECT n FROM generate_series(1, $1::bigint) AS n",
            [5000_i64],
        );
        let rows = pin!(rows.await?.tracked_as("some rows"));
        let some: Vec<_> = rows.take(3).try_collect().await?;
        ensure!(some.len() == 3, "{} rows", some.len());
        Ok(())
    }

    /// Several at once on one connection.
    async fn pipelined(&self) -> anyhow::Result<()> {
        let postgres = self.app.pool.get().await?;
        let add = postgres.prepare_cached("SELECT $1::bigint + 1").await?;
        let sums = (0..10_i64).map(|number| {
            let (postgres, add) = (&postgres, &add);
            async move {
                postgres
                    .query_one(add, &[&number])
                    .await?
                    .try_get::<_, i64>(0)
            }
        });
        let sums = future::try_join_all(sums).await?;
        ensure!(sums.iter().copied().eq(1..11), "{sums:?}");
        Ok(())
    }

    async fn copy(&self) -> anyhow::Result<()> {
        let mut postgres = self.app.pool.get().await?;
        let transaction = postgres.transaction().await?;
        let mut upload = pin!(transaction.copy_in("COPY uploads FROM STDIN").await?);
        let lines = fastrand::u64(1..100);
        for line in 0..lines {
            let line = format!("{}\tline {line}\n", self.number);
            upload.send(std::io::Cursor::new(line.into_bytes())).await?;
        }
        let copied = upload.finish().await?;
        ensure!(copied == lines, "{copied} of {lines} lines");
        // It was only to see.
        transaction.rollback().await?;
        Ok(())
    }

    async fn notification(&self) -> anyhow::Result<()> {
        let number = fastrand::u64(..);
        let come = self.app.notes.wait_for(number);
        let postgres = self.app.pool.get().await?;
        let notify = "SELECT pg_notify('notes', $1)";
        postgres.execute(notify, &[&number.to_string()]).await?;
        drop(postgres);
        Ok(come.await?)
    }

    /// The server gives up.
    async fn too_late(&self) -> anyhow::Result<()> {
        let mut postgres = self.app.pool.get().await?;
        let transaction = postgres.transaction().await?;
        transaction
            .batch_execute("SET LOCAL statement_timeout = 10")
            .await?;
        let slept = transaction.batch_execute("SELECT pg_sleep(60)").await;
        is_cancelled(slept)
    }

    /// Whoever asked gives up, and says so over another connection. That may be late, so
    /// the first one is none of the pool's: the next query on it would be cancelled.
    async fn cancelled(&self) -> anyhow::Result<()> {
        let (postgres, connection) = self.app.config.connect(NoTls).await?;
        debug_async::spawn!(connection).detach();
        let token = postgres.cancel_token();
        let mut sleep = pin!(postgres.batch_execute("SELECT pg_sleep(60)"));
        // It may come before the query does, and then has no effect.
        loop {
            tokio::select! {
                slept = &mut sleep => break is_cancelled(slept),
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            token.cancel_query(NoTls).await?;
        }
    }

    async fn own_connection(&self) -> anyhow::Result<()> {
        let (client, connection) = self.app.config.connect(NoTls).await?;
        let connection = debug_async::spawn!(connection);
        let one: i32 = client.query_one("SELECT 1", &[]).await?.try_get(0)?;
        ensure!(one == 1, "{one}");
        drop(client);
        Ok(connection.await??)
    }

    async fn refused(&self) -> anyhow::Result<()> {
        let postgres = self.app.pool.get().await?;
        match postgres.batch_execute("SELECT 1 / 0").await {
            Err(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO) => Ok(()),
            answer => bail!("{answer:?}"),
        }
    }

    /// In the middle of a transaction, or of a wait for a connection.
    async fn hang_up(&self) {
        let limit = Duration::from_millis(fastrand::u64(..8));
        let many = async {
            for _ in 0..20 {
                self.transfer().await?;
            }
            anyhow::Ok(())
        };
        // It may have come to anything.
        let _ = tokio::time::timeout(limit, many).await;
    }
}

fn is_cancelled(ended: Result<(), tokio_postgres::Error>) -> anyhow::Result<()> {
    match ended {
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => Ok(()),
        ended => bail!("{ended:?}"),
    }
}

#[debug_async::tracked]
async fn refresh(pool: &Pool) -> anyhow::Result<()> {
    let postgres = pool.get().await?;
    postgres.batch_execute("SELECT pg_sleep(0.3)").await?;
    Ok(())
}

/// The arm waits for the connection that `refresh` has, and `refresh` to be polled.
async fn hold_and_wait(config: &Config) {
    let pool = pool(config, 1).expect("a pool");
    let mut refresh = pin!(refresh(&pool)); // BUG: starved
    tokio::select! {
        refreshed = &mut refresh => refreshed.expect("it is refreshed"),
        () = tokio::time::sleep(Duration::from_millis(100)) => {
            let limit = Some(Duration::from_secs(10));
            let timeouts = deadpool_postgres::Timeouts { wait: limit, ..pool.timeouts() };
            let postgres = pool.timeout_get(&timeouts).await;
            assert!(postgres.is_err(), "they are both stuck");
        }
    }
}
