//! An HTTP server with the mistakes that this crate finds, a route for each, and
//! beside them what looks like a mistake and is none.
//!
//! ```console
//! $ ASYNC_DEBUG=1 cargo run --example server
//! listening on http://127.0.0.1:40123
//! ```
//!
//! and then, in another terminal,
//!
//! ```console
//! $ curl http://127.0.0.1:40123/slow_poll
//! $ curl http://127.0.0.1:40123/fine/spawn_blocking
//! $ curl -X POST http://127.0.0.1:40123/shutdown
//! ```
//!
//! The first makes a report, the second none, the third ends the server and with it
//! the program; what was left is reported then. Arguments, in any order: a port to
//! listen on (a free one, if none is given), and `json`, for reports to be collected
//! rather than read. `RUST_LOG` filters as ever.
//!
//! In each of `mod bugs`, the line that is to be reported is marked with what is to be
//! said of it. `tests/server.rs` calls every route many times over, and holds the
//! reports to these marks. This is what the first of the requests above gives:
//!
//! ```text
//! 2026-11-22T22:45:45.581061Z  WARN request{path="/slow_poll"}: debug_async::slow_poll: one poll of future `server::bugs::hash_password` took 300ms, waiting: it blocked its thread (created at examples/server.rs:174:9) name="server::bugs::hash_password" site="examples/server.rs:174:9" task.id=6 blocked_at="server::bugs::hash_password (examples/server.rs:167:9), in `std::thread::functions::sleep`" elapsed=300ms polls=1 busy=300ms age=300ms count=1 help="no other task of this thread could run meanwhile: do what blocks in `spawn_blocking`, split long computations with `yield_now().await`, or allow it with `.slow_ok(duration)`" stack=
//!     at server::bugs::hash_password (examples/server.rs:167:9)
//!     at server::bugs::log_in (examples/server.rs:174:33)
//!     at server::bugs::slow_poll (examples/server.rs:180:28)
//!     at server::in_span (examples/server.rs:667:40)
//!     (128 frames hidden; ASYNC_DEBUG_STACK=full shows all)
//! ```

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use debug_async::prelude::*;
use debug_async::{runtime, task};
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;

/// Much longer than a poll or a drop may take.
const TOO_LONG: Duration = Duration::from_millis(300);

/// What all requests share.
#[derive(Clone, Default)]
struct App(Arc<Shared>);

#[derive(Default)]
struct Shared {
    shutdown: Notify,
    local: LocalThread,
    /// Work for later. Nobody ever comes back to it.
    postponed: Mutex<Vec<BoxFuture<'static, ()>>>,
    /// Tasks to be looked at later. Nobody ever does.
    started: Mutex<Vec<task::JoinHandle<Result<(), Failure>>>>,
    cache: Mutex<Option<u32>>,
}

#[derive(Debug)]
enum Failure {
    CardDeclined,
    ClientGone,
}

mod bugs {
    //! Each of these answers the client as if nothing were wrong.

    use std::panic::AssertUnwindSafe;
    use std::pin::pin;
    use std::rc::Rc;

    use axum::extract::State;
    use debug_async::stream::ClosingStream;
    use futures::{FutureExt as _, Stream, StreamExt as _, stream};

    use super::*;

    #[debug_async::tracked]
    async fn write_audit_log(_entry: &str) {}

    /// The `.await` was forgotten; the name keeps rustc from saying so.
    pub(super) async fn never_polled_dropped() {
        let _written = write_audit_log("payment"); // BUG: never_polled of server::bugs::write_audit_log, on /never_polled/dropped
    }

    #[debug_async::tracked]
    async fn send_receipt() {}

    /// Nothing is dropped here: the futures pile up.
    pub(super) async fn never_polled_kept(State(App(app)): State<App>) {
        let receipt = send_receipt(); // BUG: never_polled of server::bugs::send_receipt, on /never_polled/kept
        app.postponed.lock().await.push(Box::pin(receipt));
    }

    async fn charge_card() -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Err(Failure::CardDeclined)
    }

    pub(super) async fn unretrieved_error_dropped() -> &'static str {
        debug_async::spawn!(charge_card()); // BUG: unretrieved_error of server::bugs::charge_card, on /unretrieved_error/dropped
        "thank you for your payment"
    }

    pub(super) async fn unretrieved_error_kept(State(App(app)): State<App>) -> &'static str {
        let charge = debug_async::spawn!(name = "charge", charge_card()); // BUG: unretrieved_error of charge, on /unretrieved_error/kept
        app.started.lock().await.push(charge);
        "thank you for your payment"
    }

    async fn reindex() {
        let shards: Vec<u32> = Vec::new();
        let _first = shards[0];
    }

    pub(super) async fn unretrieved_panic_spawn() {
        debug_async::spawn!(reindex()); // BUG: unretrieved_panic of server::bugs::reindex, on /unretrieved_panic/spawn
    }

    fn make_thumbnail() -> usize {
        let width = "not a number".parse::<usize>();
        width.expect("uploads have been checked")
    }

    pub(super) async fn unretrieved_panic_spawn_blocking() {
        task::spawn_blocking(make_thumbnail); // BUG: unretrieved_panic of server::bugs::make_thumbnail, on /unretrieved_panic/spawn_blocking
    }

    /// The answer of the first replica is enough; that the other one has crashed
    /// by then goes unseen.
    pub(super) async fn unretrieved_panic_join_set() {
        let mut replicas = task::JoinSet::new();
        let crashed = replicas.spawn(reindex()); // BUG: unretrieved_panic of server::bugs::reindex, on /unretrieved_panic/join_set
        while !crashed.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(replicas);
    }

    async fn count_local() {
        let counter = Rc::new(u8::MAX);
        tokio::task::yield_now().await;
        counter.checked_add(1).expect("there are few");
    }

    pub(super) async fn unretrieved_panic_spawn_local(State(App(app)): State<App>) {
        let start = || async {
            task::spawn_local(count_local()); // BUG: unretrieved_panic of server::bugs::count_local, on /unretrieved_panic/spawn_local
        };
        app.local.run(start).await;
    }

    #[debug_async::tracked]
    async fn hash_password(password: &str) -> usize {
        std::thread::sleep(TOO_LONG); // as a good hash does
        password.len()
    }

    #[debug_async::tracked]
    async fn log_in() -> usize {
        tokio::task::yield_now().await;
        hash_password("secret").await // BUG: slow_poll of server::bugs::hash_password, on /slow_poll
    }

    /// Three futures in one another were polled for too long. One of them is at
    /// fault.
    pub(super) async fn slow_poll() -> String {
        log_in().tracked().await.to_string()
    }

    struct Connection;

    impl Drop for Connection {
        fn drop(&mut self) {
            std::thread::sleep(TOO_LONG); // says goodbye, and waits for the answer
        }
    }

    #[debug_async::tracked]
    async fn query(connection: Connection) {
        std::future::pending::<()>().await;
        drop(connection);
    }

    #[debug_async::tracked]
    async fn query_in_time() -> bool {
        let query = query(Connection); // BUG: slow_drop of server::bugs::query, on /slow_drop
        tokio::time::timeout(Duration::from_millis(2), query)
            .await
            .is_ok()
    }

    pub(super) async fn slow_drop() -> String {
        query_in_time().await.to_string()
    }

    #[debug_async::tracked]
    async fn flush_metrics() {}

    /// A `select!` loop comes back to a branch that has completed, which panics.
    async fn flush_until_idle() {
        let mut flush = pin!(flush_metrics()); // BUG: polled_after_completion of server::bugs::flush_metrics, on /polled_after_completion
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..3 {
            tokio::select! {
                biased;
                () = &mut flush => {}
                _ = ticks.tick() => {}
            }
        }
    }

    pub(super) async fn polled_after_completion() -> String {
        let flushed = AssertUnwindSafe(flush_until_idle()).catch_unwind().await;
        flushed.is_ok().to_string()
    }

    #[debug_async::tracked]
    async fn send_invoice() {
        let span = tracing::info_span!("invoice");
        let _entered = span.enter();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    /// The guard of a span is not `Send`, so on a runtime of many threads the
    /// compiler finds this mistake. On one thread it does not.
    pub(super) async fn span_across_await(State(App(app)): State<App>) {
        let invoice = || send_invoice(); // BUG: span_across_await of server::bugs::send_invoice, on /span_across_await
        app.local.run(invoice).await;
    }

    pub(super) async fn store_upload() -> usize {
        let mut buffer = [0; 20_000];
        tokio::task::yield_now().await;
        buffer.fill(1);
        buffer.iter().sum()
    }

    pub(super) async fn large_future() -> String {
        let stored = debug_async::spawn!(store_upload()); // BUG: large_future of server::bugs::store_upload, on /large_future
        stored.await.expect("it does not panic").to_string()
    }

    /// The client gets what fits the buffer, and then the end.
    pub(super) async fn unflushed_io() -> String {
        let (socket, mut client) = tokio::io::duplex(64);
        let mut page = BufWriter::new(socket).tracked_as("page"); // BUG: unflushed_io of page, on /unflushed_io
        let written = page.write_all(b"<html></html>").await;
        drop(page);
        let mut received = String::new();
        let read = client.read_to_string(&mut received).await;
        format!("{written:?}, {read:?}")
    }

    pub(super) async fn slow_io() -> String {
        let (stock, mut database) = tokio::io::duplex(64);
        tokio::spawn(async move {
            tokio::time::sleep(TOO_LONG).await;
            database.write_all(b"3").await
        });
        let mut stock = stock.tracked_as("database"); // BUG: slow_io of database, on /slow_io
        let mut left = String::new();
        let read = stock.read_to_string(&mut left).await;
        format!("{read:?}")
    }

    /// Rows of a table; whoever has read enough has to close the cursor.
    #[track_caller]
    fn rows(name: &str) -> ClosingStream<impl Stream<Item = u32> + Unpin, Result<(), Failure>> {
        let close_cursor = async {
            tokio::task::yield_now().await;
            Ok(())
        };
        stream::iter(1..9).tracked_as(name).on_close(close_cursor)
    }

    /// Returns from within the loop.
    pub(super) async fn stream_not_closed() -> String {
        let mut rows = rows("orders"); // BUG: stream_not_closed of orders, on /stream_not_closed
        while let Some(row) = rows.next().await {
            if row > 2 {
                return row.to_string();
            }
        }
        "none".to_owned()
    }

    /// The loop looks at the rows alone.
    pub(super) async fn cleanup_failed() -> String {
        let updates = stream::iter(1..9).tracked_as("updates"); // BUG: cleanup_failed of updates, on /cleanup_failed
        let mut updates = updates.on_close(async { Err::<(), _>(Failure::ClientGone) });
        let mut sum = 0;
        while let Some(update) = updates.next().await {
            sum += update;
        }
        sum.to_string()
    }

    /// A thread of one's own is in no runtime.
    pub(super) async fn outside_runtime() -> String {
        let span = tracing::Span::current();
        let report = || {
            let mut rows = rows("report"); // BUG: outside_runtime of report, on /outside_runtime
            rows.next().now_or_never().flatten()
        };
        let thread = std::thread::spawn(move || span.in_scope(report));
        let first = task::spawn_blocking(|| thread.join()).await;
        format!("{:?}", first.expect("it does not panic").ok().flatten())
    }

    async fn watch_for_changes() {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }

    /// Nobody tells these to stop when the server does.
    pub(super) async fn pending_at_shutdown() {
        debug_async::spawn!(watch_for_changes()); // BUG: pending_at_shutdown of server::bugs::watch_for_changes, on /pending_at_shutdown
    }
}

mod fine {
    //! Nothing here is to be reported.

    use std::pin::pin;

    use axum::extract::State;
    use debug_async::stream::{ClosingStream, aclosing};
    use futures::stream::{self, FuturesUnordered, Stream};
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;

    #[debug_async::tracked]
    async fn look_up(millis: u64) -> u32 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        42
    }

    async fn decline() -> Result<(), Failure> {
        Err(Failure::CardDeclined)
    }

    async fn hang_up() -> Result<(), Failure> {
        Err(Failure::ClientGone)
    }

    async fn crash() {
        panic!("not caught, but looked at");
    }

    /// Flushed, or lost on purpose, or with whoever would have read it.
    pub(super) async fn flushed() -> String {
        let (socket, mut client) = tokio::io::duplex(64);
        let mut page = BufWriter::new(socket).tracked_as("page");
        let written = page.write_all(b"<html></html>").await;
        let flushed = page.flush().await;
        drop(page);
        let mut received = String::new();
        let read = client.read_to_string(&mut received).await;
        let mut log = BufWriter::new(client).tracked_as("log").buffered(false);
        let logged = log.write_all(b"best effort").await;
        let slow = async {
            let mut page = BufWriter::new(tokio::io::duplex(64).0).tracked();
            let _ = page.write_all(b"<html>").await;
            std::future::pending::<()>().await;
            page.flush().await
        };
        let gone = tokio::time::timeout(Duration::from_millis(2), slow).await;
        format!(
            "{written:?}, {flushed:?}, {read:?}, {logged:?}, {}",
            gone.is_err()
        )
    }

    #[track_caller]
    fn rows() -> ClosingStream<impl Stream<Item = u32> + Unpin, Result<(), Failure>> {
        let rows = stream::iter(1..9).then(std::future::ready);
        rows.tracked_as("rows").on_close(async { Ok(()) })
    }

    /// Closed on the way out, at the end, by hand, twice; or not wanted.
    pub(super) async fn closed() -> String {
        let first = aclosing(rows(), async |mut rows| rows.next().await).await;
        let all = rows().count().await;
        let mut some = rows();
        some.next().await;
        let (closed, again) = (some.close().await, some.close().await);
        rows().discard();
        format!("{first:?}, {all}, {closed:?}, {again:?}")
    }

    /// A transaction that is too late: its cleanup is left to the runtime.
    pub(super) async fn closing_cancelled() -> String {
        let forever = aclosing(rows(), async |mut rows| {
            rows.next().await;
            std::future::pending::<()>().await;
        });
        let ended = tokio::time::timeout(Duration::from_millis(2), forever).await;
        ended.is_ok().to_string()
    }

    /// A stream without cleanup may be left whenever one likes.
    pub(super) async fn half_way() -> String {
        let mut numbers = stream::iter(1..9).tracked();
        let first = numbers.next().await;
        let some = stream::iter(1..9).tracked().take(3).count().await;
        tokio::select! {
            biased;
            () = async {} => {}
            _ = numbers.next() => {}
        }
        format!("{first:?}, {some}")
    }

    /// A socket has nothing to flush, a buffer that is shut down has nothing left.
    pub(super) async fn copied() -> String {
        // The other routes keep the workers from it.
        let patient = Duration::from_secs(60);
        let (client, near) = tokio::io::duplex(64);
        let (far, server) = tokio::io::duplex(64);
        let proxy = async {
            let mut near = near.tracked_as("near").slow_ok(patient);
            let mut far = far.tracked_as("far").slow_ok(patient);
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        };
        let ask = async {
            let (mut read, write) = tokio::io::split(client.tracked().slow_ok(patient));
            let mut write = BufWriter::new(write).tracked().slow_ok(patient);
            write.write_all(b"ping").await?;
            write.shutdown().await?;
            let mut answer = String::new();
            read.read_to_string(&mut answer).await
        };
        let answer = async {
            let mut server = server.tracked().slow_ok(patient);
            let mut asked = String::new();
            server.read_to_string(&mut asked).await?;
            server.write_all(b"pong").await?;
            server.shutdown().await
        };
        format!("{:?}", tokio::join!(proxy, ask, answer))
    }

    /// One branch wins before the other was polled, a third was never enabled.
    pub(super) async fn select() -> String {
        tokio::select! {
            biased;
            () = std::future::ready(()) => "ready".to_owned(),
            found = look_up(1) => found.to_string(),
            found = look_up(2), if false => found.to_string(),
        }
    }

    /// The lookup is dropped half-way, and what comes after it untouched.
    pub(super) async fn timeout() -> String {
        let both = async {
            let second = look_up(3);
            look_up(60_000).await + second.await
        };
        let found = tokio::time::timeout(Duration::from_millis(2), both).await;
        found.is_ok().to_string()
    }

    /// The future is made first, and dropped if the cache has the answer.
    pub(super) async fn cache(State(App(app)): State<App>) -> String {
        let lookup = look_up(1);
        let cached = *app.cache.lock().await;
        let found = match cached {
            Some(hit) => hit,
            None => lookup.await,
        };
        *app.cache.lock().await = Some(found);
        found.to_string()
    }

    pub(super) async fn discard() {
        look_up(1).discard();
    }

    /// The first error ends it; the other one may not even have begun.
    pub(super) async fn try_join() -> String {
        let found = async { Ok::<_, Failure>(look_up(1).await) };
        tokio::try_join!(decline(), found.tracked())
            .is_ok()
            .to_string()
    }

    pub(super) async fn first_of_many() -> String {
        let mut lookups: FuturesUnordered<_> = (1..=20).map(|n| look_up(n * n)).collect();
        lookups.next().await.unwrap_or_default().to_string()
    }

    pub(super) async fn error_awaited() -> String {
        let declined = debug_async::spawn!(decline())
            .await
            .expect("it does not panic");
        declined.is_err().to_string()
    }

    pub(super) async fn error_expected() {
        debug_async::spawn!(hang_up().expected(|error| matches!(error, Failure::ClientGone)));
    }

    pub(super) async fn error_detached() {
        debug_async::spawn!(decline()).detach();
    }

    pub(super) async fn panic_awaited() -> String {
        let crashed = debug_async::spawn!(crash()).await;
        crashed.is_err().to_string()
    }

    pub(super) async fn fire_and_forget() {
        debug_async::spawn!(look_up(1));
    }

    /// Whether it had begun or not.
    pub(super) async fn aborted() {
        debug_async::spawn!(std::future::pending::<()>()).abort();
        let begun = debug_async::spawn!(std::future::pending::<()>());
        tokio::task::yield_now().await;
        begun.abort();
    }

    pub(super) async fn join_set_joined() -> String {
        let mut set = task::JoinSet::new();
        set.spawn(decline());
        set.spawn(hang_up());
        let declined = set.join_all().await;
        declined.len().to_string()
    }

    /// Dropping a set aborts what is in it: that is what it is for.
    pub(super) async fn join_set_dropped() -> String {
        let mut set: task::JoinSet<u32> = [1, 60_000].map(look_up).into_iter().collect();
        set.join_next().await.is_some().to_string()
    }

    pub(super) async fn spawn_blocking() {
        let block = || std::thread::sleep(TOO_LONG);
        task::spawn_blocking(block)
            .await
            .expect("it does not panic");
    }

    /// The runtime gives the other tasks to another thread first.
    pub(super) async fn block_in_place() {
        let ours = async { task::block_in_place(|| std::thread::sleep(TOO_LONG)) };
        ours.tracked().await;
        let tokios = async { tokio::task::block_in_place(|| std::thread::sleep(TOO_LONG)) };
        tokios.tracked().await;
    }

    pub(super) async fn slow_ok() {
        let hash = async { std::thread::sleep(TOO_LONG) };
        let allowed = hash.tracked().slow_ok(Duration::from_secs(60));
        let log_in = async {
            allowed.await;
            42
        };
        log_in.tracked().await;
    }

    struct Upload;

    impl Drop for Upload {
        fn drop(&mut self) {
            std::thread::sleep(TOO_LONG); // deletes its files
        }
    }

    /// What takes long to drop is dropped where it may.
    pub(super) async fn drop_elsewhere() {
        let upload = Upload;
        let receive = async {
            tokio::task::yield_now().await;
            task::spawn_blocking(move || drop(upload))
                .await
                .expect("it does not panic");
        };
        receive.tracked().await;
    }

    /// `Fuse` is there to be polled again.
    pub(super) async fn fused() {
        let mut flush = pin!(async {}.fuse().tracked());
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..3 {
            tokio::select! {
                biased;
                () = &mut flush => {}
                _ = ticks.tick() => {}
            }
        }
    }

    /// `instrument` leaves the span whenever the future waits.
    pub(super) async fn instrumented(State(App(app)): State<App>) {
        let invoice = || {
            let send = look_up(2).instrument(tracing::info_span!("invoice"));
            send.tracked()
        };
        app.local.run(invoice).await;
    }

    /// What is spawned is a pointer.
    pub(super) async fn boxed() -> String {
        let stored = debug_async::spawn!(Box::pin(bugs::store_upload()));
        stored.await.expect("it does not panic").to_string()
    }
}

/// A thread for futures that are not `Send`.
struct LocalThread(mpsc::UnboundedSender<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl LocalThread {
    /// Runs the future that `make` makes over there, in the present span.
    async fn run<F: Future<Output: Send> + 'static>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> F::Output {
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        let job: Job = Box::new(|| {
            let work = async { answer.send(make().await).ok() };
            task::spawn_local(work.instrument(span));
        });
        let _ = self.0.send(job);
        answered.await.expect("the thread lives as long as the app")
    }
}

impl Default for LocalThread {
    fn default() -> LocalThread {
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        std::thread::spawn(move || {
            let mut builder = runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().expect("as much as a runtime");
            let work = async {
                while let Some(job) = inbox.recv().await {
                    job();
                }
            };
            runtime.block_on(task::LocalSet::new().run_until(work));
        });
        LocalThread(jobs)
    }
}

/// Every report says in which request it came about.
async fn in_span(request: Request, next: Next) -> Response {
    let span = tracing::info_span!("request", path = request.uri().path());
    next.run(request).instrument(span).await
}

fn routes(app: App) -> Router {
    let shutdown = Arc::clone(&app.0);
    Router::new()
        .route("/never_polled/dropped", get(bugs::never_polled_dropped))
        .route("/never_polled/kept", get(bugs::never_polled_kept))
        .route(
            "/unretrieved_error/dropped",
            get(bugs::unretrieved_error_dropped),
        )
        .route("/unretrieved_error/kept", get(bugs::unretrieved_error_kept))
        .route(
            "/unretrieved_panic/spawn",
            get(bugs::unretrieved_panic_spawn),
        )
        .route(
            "/unretrieved_panic/spawn_blocking",
            get(bugs::unretrieved_panic_spawn_blocking),
        )
        .route(
            "/unretrieved_panic/join_set",
            get(bugs::unretrieved_panic_join_set),
        )
        .route(
            "/unretrieved_panic/spawn_local",
            get(bugs::unretrieved_panic_spawn_local),
        )
        .route("/slow_poll", get(bugs::slow_poll))
        .route("/slow_drop", get(bugs::slow_drop))
        .route(
            "/polled_after_completion",
            get(bugs::polled_after_completion),
        )
        .route("/span_across_await", get(bugs::span_across_await))
        .route("/large_future", get(bugs::large_future))
        .route("/unflushed_io", get(bugs::unflushed_io))
        .route("/slow_io", get(bugs::slow_io))
        .route("/stream_not_closed", get(bugs::stream_not_closed))
        .route("/cleanup_failed", get(bugs::cleanup_failed))
        .route("/outside_runtime", get(bugs::outside_runtime))
        .route("/pending_at_shutdown", get(bugs::pending_at_shutdown))
        .route("/fine/flushed", get(fine::flushed))
        .route("/fine/copied", get(fine::copied))
        .route("/fine/closed", get(fine::closed))
        .route("/fine/closing_cancelled", get(fine::closing_cancelled))
        .route("/fine/half_way", get(fine::half_way))
        .route("/fine/select", get(fine::select))
        .route("/fine/timeout", get(fine::timeout))
        .route("/fine/cache", get(fine::cache))
        .route("/fine/discard", get(fine::discard))
        .route("/fine/try_join", get(fine::try_join))
        .route("/fine/first_of_many", get(fine::first_of_many))
        .route("/fine/error_awaited", get(fine::error_awaited))
        .route("/fine/error_expected", get(fine::error_expected))
        .route("/fine/error_detached", get(fine::error_detached))
        .route("/fine/panic_awaited", get(fine::panic_awaited))
        .route("/fine/fire_and_forget", get(fine::fire_and_forget))
        .route("/fine/aborted", get(fine::aborted))
        .route("/fine/join_set_joined", get(fine::join_set_joined))
        .route("/fine/join_set_dropped", get(fine::join_set_dropped))
        .route("/fine/spawn_blocking", get(fine::spawn_blocking))
        .route("/fine/block_in_place", get(fine::block_in_place))
        .route("/fine/slow_ok", get(fine::slow_ok))
        .route("/fine/drop_elsewhere", get(fine::drop_elsewhere))
        .route("/fine/fused", get(fine::fused))
        .route("/fine/instrumented", get(fine::instrumented))
        .route("/fine/boxed", get(fine::boxed))
        .route(
            "/shutdown",
            post(move || async move { shutdown.shutdown.notify_one() }),
        )
        .layer(middleware::from_fn(in_span))
        .with_state(app)
}

#[debug_async::main(worker_threads = 4)]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.iter().find_map(|argument| argument.parse().ok());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,debug_async=debug"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    match arguments.iter().any(|argument| argument == "json") {
        true => subscriber.json().init(),
        false => subscriber.init(),
    }

    let app = App::default();
    let shared = Arc::clone(&app.0);
    axum::serve(listener, routes(app))
        .with_graceful_shutdown(async move { shared.shutdown.notified().await })
        .await
}
