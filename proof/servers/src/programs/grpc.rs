//! A gRPC service with tonic, over HTTP/2: calls of all four kinds, deadlines, errors, and
//! streams that either side leaves.
//!
//! Planted: the error of a task that nobody looks at.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use debug_async::prelude::*;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};

use self::ledger_client::LedgerClient;
use self::ledger_server::{Ledger, LedgerServer};
use crate::load::Load;

#[allow(
    clippy::unwrap_used,
    reason = "it is generated, and the message of a lock that is poisoned"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/proof.Ledger.rs"));
}
use self::generated::{ledger_client, ledger_server};

const CLIENTS: usize = 80;

/// So many clients share a connection.
const SHARE: usize = 4;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Account {
    #[prost(uint64, tag = "1")]
    number: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(uint64, tag = "1")]
    account: u64,
    #[prost(int64, tag = "2")]
    amount: i64,
    #[prost(string, tag = "3")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Balance {
    #[prost(int64, tag = "1")]
    amount: i64,
}

// ----- the service -----------------------------------------------------------------

type Accounts = Arc<Mutex<HashMap<u64, Vec<Entry>>>>;

struct Bank {
    accounts: Accounts,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// An account keeps no more, and begins anew.
const ENTRIES: usize = 50;

const LARGE: i64 = 1_000_000;

/// The text of what is not to wait.
const URGENT: &str = "urgent";

async fn book(accounts: &Accounts, entry: Entry) -> Result<Balance, Status> {
    if entry.amount == 0 {
        return Err(Status::invalid_argument("nothing to book"));
    }
    let mut accounts = accounts.lock().await;
    let entries = accounts.entry(entry.account).or_default();
    if entries.len() == ENTRIES {
        entries.clear();
    }
    entries.push(entry);
    let amount = entries.iter().map(|entry| entry.amount).sum();
    Ok(Balance { amount })
}

/// Large amounts are to be asked about.
async fn audit(amount: i64) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    match amount > LARGE {
        true => Err(format!("an entry of {amount}")),
        false => Ok(()),
    }
}

#[tonic::async_trait]
impl Ledger for Bank {
    async fn book(&self, request: Request<Entry>) -> Result<Response<Balance>, Status> {
        let entry = request.into_inner();
        if entry.text == URGENT {
            // It does not wait for the audit, and forgets it.
            debug_async::spawn!(audit(entry.amount)); // BUG: unretrieved_error
        } else {
            let audit = debug_async::spawn!(audit(entry.amount));
            let audited = audit.await.map_err(|_| Status::internal("no audit"))?;
            audited.map_err(Status::permission_denied)?;
        }
        let balance = book(&self.accounts, entry).tracked().await?;
        Ok(Response::new(balance))
    }

    type StatementStream = Answers<Entry>;

    /// Written by a task of its own, which ends when nobody reads any more.
    async fn statement(
        &self,
        request: Request<Account>,
    ) -> Result<Response<Answers<Entry>>, Status> {
        let number = request.into_inner().number;
        let accounts = self.accounts.lock().await;
        let entries = accounts.get(&number).cloned();
        drop(accounts);
        let entries = entries.ok_or_else(|| Status::not_found("no such account"))?;
        let (sender, receiver) = mpsc::channel(4);
        debug_async::spawn!(name = "statement", async move {
            for entry in entries {
                if sender.send(Ok(entry)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn import(
        &self,
        request: Request<Streaming<Entry>>,
    ) -> Result<Response<Balance>, Status> {
        let mut entries = request.into_inner().tracked_as("import");
        let mut total = 0;
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            total += entry.amount;
            book(&self.accounts, entry).await?;
        }
        Ok(Response::new(Balance { amount: total }))
    }

    type TradeStream = Answers<Balance>;

    async fn trade(
        &self,
        request: Request<Streaming<Entry>>,
    ) -> Result<Response<Answers<Balance>>, Status> {
        let accounts = Arc::clone(&self.accounts);
        let balances = request.into_inner().then(move |entry| {
            let accounts = Arc::clone(&accounts);
            async move { book(&accounts, entry?).await }
        });
        Ok(Response::new(Box::pin(balances.tracked_as("trade"))))
    }
}

#[debug_async::main]
pub(super) async fn run(load: Load) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let bank = Bank {
        accounts: Accounts::default(),
    };
    let (end, is_over) = oneshot::channel::<()>();
    let server = Server::builder()
        .timeout(Duration::from_secs(20))
        .concurrency_limit_per_connection(32)
        .http2_keepalive_interval(Some(Duration::from_secs(1)))
        .add_service(LedgerServer::new(bank))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
            // The end says it by being dropped too.
            let _ = is_over.await;
        });
    let server = debug_async::spawn!(name = "server", server);

    let mut shared: Vec<Channel> = Vec::new();
    for _ in 0..CLIENTS / SHARE {
        shared.push(connect(address).await?);
    }
    let client = |number: usize| {
        let client = Client {
            server: address,
            account: number as u64,
            channel: shared[number % shared.len()].clone(),
        };
        client.visit(load.clone())
    };
    load.run(CLIENTS, client, urgent(shared[0].clone())).await;
    drop(shared);
    let _ = end.send(());
    server.await??;
    Ok(())
}

// ----- its clients -----------------------------------------------------------------

async fn connect(server: SocketAddr) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{server}"))?;
    let endpoint = endpoint.http2_keep_alive_interval(Duration::from_secs(1));
    Ok(endpoint.connect().await?)
}

struct Client {
    server: SocketAddr,
    account: u64,
    channel: Channel,
}

impl Client {
    async fn visit(mut self, load: Load) {
        while load.goes_on() {
            match fastrand::u8(..16) {
                0..5 => _ = load.ask("book", self.book()).await,
                5..8 => _ = load.ask("statement", self.statement(usize::MAX)).await,
                8 => _ = load.ask("some of a statement", self.statement(3)).await,
                9..11 => _ = load.ask("import", self.import()).await,
                11..13 => _ = load.ask("trade", self.trade()).await,
                13 => _ = load.ask("refused", self.refused()).await,
                14 => {
                    if let Some(channel) = load.ask("connect", connect(self.server)).await {
                        self.channel = channel;
                    }
                }
                _ => {
                    self.hang_up().await;
                    load.hung_up();
                }
            }
            load.think().await;
        }
    }

    fn ledger(&self) -> LedgerClient<Channel> {
        LedgerClient::new(self.channel.clone())
    }

    fn entry(&self, amount: i64) -> Entry {
        Entry {
            account: self.account,
            amount,
            text: "a payment".to_owned(),
        }
    }

    async fn book(&self) -> anyhow::Result<()> {
        let booked = self.ledger().book(self.entry(5)).await?.into_inner();
        ensure!(booked.amount != 0, "{booked:?}");
        Ok(())
    }

    /// Some entries of an account of which there may be none.
    async fn statement(&self, wanted: usize) -> anyhow::Result<()> {
        let number = self.account;
        let entries = match self.ledger().statement(Account { number }).await {
            Ok(entries) => entries.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(()),
            Err(status) => return Err(status.into()),
        };
        let mut entries = entries.take(wanted);
        while let Some(entry) = entries.next().await {
            let account = entry?.account;
            ensure!(account == number, "{account} is not {number}");
        }
        Ok(())
    }

    async fn import(&self) -> anyhow::Result<()> {
        let amounts: Vec<i64> = (1..fastrand::i64(2..200)).collect();
        let right: i64 = amounts.iter().sum();
        let entries: Vec<Entry> = amounts.iter().map(|n| self.entry(*n)).collect();
        let imported = self.ledger().import(stream::iter(entries)).await?;
        let amount = imported.into_inner().amount;
        ensure!(amount == right, "{amount} is not {right}");
        Ok(())
    }

    /// One after the other, each when the one before is answered.
    async fn trade(&self) -> anyhow::Result<()> {
        let (orders, receiver) = mpsc::channel(1);
        let trade = ReceiverStream::new(receiver);
        let mut balances = self.ledger().trade(trade).await?.into_inner();
        for amount in 1..fastrand::i64(2..20) {
            orders.send(self.entry(amount)).await?;
            balances.next().await.context("the trade ends")??;
        }
        drop(orders);
        ensure!(balances.next().await.is_none(), "one more");
        Ok(())
    }

    async fn refused(&self) -> anyhow::Result<()> {
        let (amount, right) = match fastrand::bool() {
            true => (0, Code::InvalidArgument),
            false => (LARGE + 1, Code::PermissionDenied),
        };
        match self.ledger().book(self.entry(amount)).await {
            Err(status) if status.code() == right => Ok(()),
            answer => bail!("{answer:?} is not {right:?}"),
        }
    }

    /// In the middle of a stream, or because it takes too long.
    async fn hang_up(&self) {
        let (orders, receiver) = mpsc::channel(4);
        if fastrand::bool() {
            // It waits for orders that do not come.
            let mut request = Request::new(ReceiverStream::new(receiver));
            request.set_timeout(Duration::from_millis(15));
            let ended = self.ledger().import(request).await;
            let code = ended.expect_err("it never ends").code();
            assert!(
                matches!(code, Code::Cancelled | Code::DeadlineExceeded),
                "{code}"
            );
        } else {
            let mut ledger = self.ledger();
            let trade = ledger.trade(ReceiverStream::new(receiver));
            let one = async {
                orders.send(self.entry(1)).await?;
                trade
                    .await?
                    .into_inner()
                    .next()
                    .await
                    .context("it ends")??;
                anyhow::Ok(())
            };
            // It may have come to anything.
            let _ = tokio::time::timeout(Duration::from_millis(5), one).await;
        }
    }
}

async fn urgent(channel: Channel) {
    let entry = Entry {
        account: u64::MAX,
        amount: LARGE + 1,
        text: URGENT.to_owned(),
    };
    let booked = LedgerClient::new(channel).book(entry).await;
    booked.expect("it is booked all the same");
}
