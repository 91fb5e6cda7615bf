//! An HTTP server with axum: JSON, bodies that stream both ways, server-sent events,
//! background jobs, a stack of middleware, and a graceful end.
//!
//! Planted: a name is resolved on a worker.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::body::{Body, Bytes};
use axum::error_handling::HandleErrorLayer;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use debug_async::prelude::*;
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{RwLock, broadcast, oneshot, watch};
use tokio_stream::wrappers::{BroadcastStream, IntervalStream};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Instrument as _;

use crate::load::Load;

const CLIENTS: usize = 60;

/// A request that takes longer is told so. Much longer than any takes, but for `/never`,
/// which has a limit of its own.
const TIMEOUT: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_millis(200);

const CHUNK: usize = 4096;

// ----- the server ------------------------------------------------------------------

#[derive(Clone)]
struct App(Arc<Shared>);

struct Shared {
    notes: RwLock<BTreeMap<u64, Note>>,
    next: AtomicU64,
    changes: broadcast::Sender<u64>,
    is_over: watch::Receiver<bool>,
    has_bug: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    author: String,
    lines: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum {
    bytes: usize,
    sum: u64,
}

#[derive(Deserialize)]
struct Size {
    bytes: usize,
}

#[derive(Deserialize)]
struct Peer {
    host: String,
}

#[debug_async::tracked]
impl App {
    async fn add(&self, note: Note) -> u64 {
        let id = self.0.next.fetch_add(1, Relaxed);
        self.0.notes.write().await.insert(id, note);
        // Nobody may be listening.
        let _ = self.0.changes.send(id);
        id
    }

    async fn find(&self, id: u64) -> Option<Note> {
        self.0.notes.read().await.get(&id).cloned()
    }

    async fn remove(&self, id: u64) -> Option<Note> {
        self.0.notes.write().await.remove(&id)
    }
}

impl App {
    async fn over(self) {
        let mut is_over = self.0.is_over.clone();
        // Whoever tells it is gone, or has.
        let _ = is_over.wait_for(|over| *over).await;
    }
}

async fn add_note(State(app): State<App>, Json(note): Json<Note>) -> Json<u64> {
    Json(app.add(note).await)
}

async fn find_note(State(app): State<App>, Path(id): Path<u64>) -> Result<Json<Note>, StatusCode> {
    app.find(id).await.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn remove_note(State(app): State<App>, Path(id): Path<u64>) -> StatusCode {
    match app.remove(id).await {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

/// Comes in pieces, some of them late.
async fn download(Query(Size { bytes }): Query<Size>) -> Body {
    let pieces = (0..bytes).step_by(CHUNK);
    let pieces = stream::iter(pieces).then(move |start| async move {
        if start % (16 * CHUNK) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, Infallible>(Bytes::from(vec![7_u8; CHUNK.min(bytes - start)]))
    });
    Body::from_stream(pieces.tracked_as("download"))
}

async fn upload(body: Body) -> Result<Json<Sum>, StatusCode> {
    let mut pieces = body.into_data_stream().tracked_as("upload");
    let mut total = Sum { bytes: 0, sum: 0 };
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        total.bytes += piece.len();
        total.sum += piece.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    Ok(Json(total))
}

/// Until the client goes, or the server.
async fn events(State(app): State<App>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = BroadcastStream::new(app.0.changes.subscribe());
    // Those who are too slow miss some.
    let changes = changes.filter_map(async |change| change.ok());
    let changes = changes.map(|id| Event::default().event("change").data(id.to_string()));
    let every = tokio::time::interval(Duration::from_millis(20));
    let ticks = IntervalStream::new(every).map(|_| Event::default().event("tick").data("-"));
    let events = stream::select(changes, ticks).take_until(Box::pin(app.over()));
    let events = events.map(Ok);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// A job that runs on when the client does not wait for it.
async fn job(Path(rounds): Path<u64>) -> Result<Json<u64>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    debug_async::spawn!(name = "job", async move {
        let hash = move || {
            (0..rounds).fold(17, |hash: u64, round| {
                hash.wrapping_mul(31).wrapping_add(round)
            })
        };
        let hash = debug_async::task::spawn_blocking(hash).await;
        // The client may have gone.
        let _ = answer.send(hash.expect("it does not panic"));
    });
    let answer = answered.await;
    answer
        .map(Json)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn never() {
    std::future::pending().await
}

async fn panics() {
    panic!("on purpose");
}

async fn crowded() -> &'static str {
    tokio::time::sleep(Duration::from_millis(3)).await;
    "there was room"
}

fn resolve(host: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(host.to_socket_addrs()?.collect()) // BUG: slow_poll
}

async fn peer(
    State(app): State<App>,
    Query(Peer { host }): Query<Peer>,
) -> Result<String, StatusCode> {
    let found = if app.0.has_bug {
        resolve(&host)
    } else {
        let found = tokio::net::lookup_host(host).await;
        found.map(|addresses| addresses.collect())
    };
    match found {
        Ok(addresses) => Ok(format!("{addresses:?}")),
        Err(_) => Err(StatusCode::BAD_GATEWAY),
    }
}

async fn in_span(request: Request, next: Next) -> Response {
    let span = tracing::info_span!(target: "load", "request", path = request.uri().path());
    next.run(request).instrument(span).await
}

fn in_time(limit: Duration) -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit)
}

fn routes(app: App) -> Router {
    // More than may be in there are sent away at once.
    let few = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_| {
            StatusCode::SERVICE_UNAVAILABLE
        }))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(2));
    // An answer that streams is not bound by the timeout: it begins in time.
    let all = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::new())
        .layer(in_time(TIMEOUT));
    let never = get(never).layer(in_time(NEVER));
    Router::new()
        .route("/notes", post(add_note))
        .route("/notes/{id}", get(find_note).delete(remove_note))
        .route("/blob", get(download).post(upload))
        .route("/events", get(events))
        .route("/jobs/{rounds}", post(job))
        .route("/never", never)
        .route("/peer", get(peer))
        .route("/panics", get(panics))
        .merge(Router::new().route("/crowded", get(crowded)).layer(few))
        .layer(RequestBodyLimitLayer::new(1 << 20))
        .layer(all)
        .layer(middleware::from_fn(in_span))
        .with_state(app)
}

/// Looks at the size of it now and then, until the end.
async fn sweep(app: App) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut is_over = pin!(app.clone().over());
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                let notes = app.0.notes.read().await.len();
                assert!(notes <= CLIENTS * 2, "notes are removed by who made them");
            }
            () = &mut is_over => break,
        }
    }
}

#[debug_async::main]
pub(super) async fn run(load: Load) -> anyhow::Result<()> {
    expect_the_panic();
    let (end, is_over) = watch::channel(false);
    let app = App(Arc::new(Shared {
        notes: RwLock::default(),
        next: AtomicU64::new(0),
        changes: broadcast::channel(64).0,
        is_over,
        has_bug: load.has_bug(),
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sweeper = debug_async::spawn!(sweep(app.clone()));
    let is_over = app.clone().over();
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(is_over);
    let server = debug_async::spawn!(name = "server", server.into_future());

    let client = |_| visit(load.clone(), address);
    load.run(CLIENTS, client, resolve_once(address)).await;
    end.send(true)?;
    server.await??;
    sweeper.await?;
    Ok(())
}

/// Only the route `/panics` may, and needs no words.
fn expect_the_panic() {
    let said = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&"on purpose") {
            said(info);
        }
    }));
}

// ----- its clients -----------------------------------------------------------------

async fn visit(load: Load, server: SocketAddr) {
    let mut client = Client::new(server);
    while load.goes_on() {
        if fastrand::u8(..) < 16 {
            client = Client::new(server);
        }
        match fastrand::u8(..16) {
            0..4 => client.note(&load).await,
            4..6 => _ = load.ask("download", client.download()).await,
            6..8 => _ = load.ask("upload", client.upload()).await,
            8..10 => _ = load.ask("job", client.job()).await,
            10 => _ = load.ask("events", client.events()).await,
            11 => _ = load.ask("crowded", client.crowded()).await,
            12 => _ = load.ask("peer", client.peer()).await,
            13 => _ = load.ask("never", client.status("never", 408)).await,
            14 => _ = load.ask("panics", client.status("panics", 500)).await,
            _ => client.hang_up(&load).await,
        }
        load.think().await;
    }
}

struct Client {
    server: SocketAddr,
    http: reqwest::Client,
}

impl Client {
    fn new(server: SocketAddr) -> Client {
        let http = reqwest::Client::new();
        Client { server, http }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.server)
    }

    async fn note(&self, load: &Load) {
        let author = fastrand::u32(..).to_string();
        let lines = vec!["a line".to_owned(); fastrand::usize(1..20)];
        let note = Note { author, lines };
        let Some(id) = load.ask("add", self.add(&note)).await else {
            return;
        };
        load.ask("find", async {
            let response = self.http.get(self.url(&format!("notes/{id}")));
            let found: Note = response.send().await?.error_for_status()?.json().await?;
            ensure!(found == note, "{found:?} is not {note:?}");
            Ok(())
        })
        .await;
        load.ask("remove", async {
            let response = self.http.delete(self.url(&format!("notes/{id}")));
            let status = response.send().await?.status();
            ensure!(status == StatusCode::NO_CONTENT, "{status}");
            Ok(())
        })
        .await;
        load.ask("find", self.status(&format!("notes/{id}"), 404))
            .await;
    }

    async fn add(&self, note: &Note) -> anyhow::Result<u64> {
        let added = self.http.post(self.url("notes")).json(note).send();
        Ok(added.await?.error_for_status()?.json().await?)
    }

    async fn download(&self) -> anyhow::Result<()> {
        let bytes = fastrand::usize(1..300_000);
        let response = self.http.get(self.url(&format!("blob?bytes={bytes}")));
        let mut pieces = response.send().await?.error_for_status()?.bytes_stream();
        let mut received = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            ensure!(piece.iter().all(|byte| *byte == 7), "other bytes");
            received += piece.len();
        }
        ensure!(received == bytes, "{received} of {bytes} bytes");
        Ok(())
    }

    async fn upload(&self) -> anyhow::Result<()> {
        let pieces = fastrand::usize(1..40);
        let body = stream::iter(0..pieces).then(async |_| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Bytes::from_static(&[3; CHUNK]))
        });
        let body = reqwest::Body::wrap_stream(body);
        let response = self.http.post(self.url("blob")).body(body).send().await?;
        let sum: Sum = response.error_for_status()?.json().await?;
        let bytes = pieces * CHUNK;
        let right = Sum {
            bytes,
            sum: 3 * bytes as u64,
        };
        ensure!(sum == right, "{sum:?} is not {right:?}");
        Ok(())
    }

    async fn job(&self) -> anyhow::Result<()> {
        let rounds = fastrand::u64(..10_000);
        let response = self.http.post(self.url(&format!("jobs/{rounds}"))).send();
        let hash: u64 = response.await?.error_for_status()?.json().await?;
        let right = (0..rounds).fold(17_u64, |hash, round| {
            hash.wrapping_mul(31).wrapping_add(round)
        });
        ensure!(hash == right, "{hash} is not {right}");
        Ok(())
    }

    /// Reads some, then has enough.
    async fn events(&self) -> anyhow::Result<()> {
        let response = self.http.get(self.url("events")).send().await?;
        let mut pieces = response.error_for_status()?.bytes_stream();
        let wanted = fastrand::usize(2..10);
        let mut text = String::new();
        while text.matches("event: ").count() < wanted {
            let piece = pieces.next().await.context("the events end")??;
            text.push_str(std::str::from_utf8(&piece)?);
        }
        Ok(())
    }

    async fn crowded(&self) -> anyhow::Result<()> {
        let response = self.http.get(self.url("crowded")).send().await?;
        match response.status().as_u16() {
            200 => ensure!(response.text().await? == "there was room"),
            503 => {}
            status => bail!("{status}"),
        }
        Ok(())
    }

    async fn peer(&self) -> anyhow::Result<()> {
        // Where the bug is planted, a name would be looked up on a worker.
        let found = self.http.get(self.url("peer?host=127.0.0.1:80")).send();
        let found = found.await?.error_for_status()?.text().await?;
        ensure!(found == "[127.0.0.1:80]", "{found}");
        Ok(())
    }

    async fn status(&self, path: &str, right: u16) -> anyhow::Result<()> {
        let status = self.http.get(self.url(path)).send().await?.status();
        ensure!(status.as_u16() == right, "{status} is not {right}");
        Ok(())
    }

    /// In the middle of the answer, of the request, or of the wait.
    async fn hang_up(&self, load: &Load) {
        let gone = match fastrand::u8(..4) {
            0 => {
                self.cut("GET /blob?bytes=10000000 HTTP/1.1\r\nhost: here\r\n\r\n")
                    .await
            }
            1 => {
                self.cut("POST /blob HTTP/1.1\r\nhost: here\r\ncontent-length: 5000\r\n\r\nx")
                    .await
            }
            2 => self.cut("GET /no").await,
            _ => {
                let never = self.http.get(self.url("never"));
                let never = never.timeout(Duration::from_millis(15)).send().await;
                assert!(never.is_err(), "{never:?}");
                Ok(())
            }
        };
        if gone.is_ok() {
            load.hung_up();
        }
    }

    async fn cut(&self, request: &str) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(self.server).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut some = [0; 512];
        let read = socket.read(&mut some);
        let _ = tokio::time::timeout(Duration::from_millis(10), read).await;
        Ok(())
    }
}

/// The name does not exist. What is told of it does not matter, but how long it takes.
async fn resolve_once(server: SocketAddr) {
    let client = Client::new(server);
    let path = "peer?host=database.invalid:5432";
    let asked = client.http.get(client.url(path)).send().await;
    let status = asked.expect("the server answers").status();
    assert_eq!(status, StatusCode::BAD_GATEWAY);
}
