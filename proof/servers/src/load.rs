//! What the clients of a program share: when to stop, and what became of each request.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use debug_async::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// The `tracing` target of the counts.
pub(crate) const TARGET: &str = "load";

/// How long the load is on before the bug shows itself.
const BEFORE_BUG: Duration = Duration::from_secs(2);

/// How often the program is looked at, in seconds.
const DUMP_EVERY: u64 = 60;

/// No request may take longer. Far beyond what any does here, if it is not lost.
const LOST: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Load(Arc<Shared>);

struct Shared {
    until: Instant,
    has_bug: bool,
    service: Option<String>,
    sent: AtomicU64,
    answered: AtomicU64,
    hung_up: AtomicU64,
}

impl Load {
    pub(crate) fn new(time: Duration, has_bug: bool, service: Option<String>) -> Load {
        Load(Arc::new(Shared {
            until: Instant::now() + time,
            has_bug,
            service,
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            hung_up: AtomicU64::new(0),
        }))
    }

    /// Reports, and the counts, to stdout, a line of JSON each.
    pub(crate) fn listen_to_reports(&self) {
        let filter = EnvFilter::new(format!("debug_async=debug,{TARGET}=debug"));
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .init();
    }

    /// Where the database is.
    pub(crate) fn service(&self) -> &str {
        self.0.service.as_deref().unwrap_or_default()
    }

    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.0.until
    }

    /// One request and its right answer.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = anyhow::Result<T>>,
    ) -> Option<T> {
        self.0.sent.fetch_add(1, Relaxed);
        match tokio::time::timeout(LOST, request).await {
            Ok(Ok(answer)) => {
                self.0.answered.fetch_add(1, Relaxed);
                Some(answer)
            }
            Ok(Err(error)) => {
                tracing::error!(target: TARGET, what, error = format!("{error:#}"));
                None
            }
            Err(_) => {
                tracing::error!(target: TARGET, what, error = "no answer");
                None
            }
        }
    }

    /// A client has gone away in the middle of it, as it wanted to.
    pub(crate) fn hung_up(&self) {
        self.0.hung_up.fetch_add(1, Relaxed);
    }

    /// What a client does between two requests.
    pub(crate) async fn think(&self) {
        let millis = fastrand::u64(5..60);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Runs so many clients until the time is over. `bug` is run once, beside them, where
    /// it is planted; its request need not be answered.
    pub(crate) async fn run<C: Future<Output = ()> + Send + 'static>(
        &self,
        clients: usize,
        client: impl Fn(usize) -> C,
        bug: impl Future<Output = ()>,
    ) {
        let mut running = JoinSet::new();
        for number in 0..clients {
            running.spawn(client(number));
        }
        let watch = debug_async::spawn!(self.clone().watch());
        if self.0.has_bug {
            tokio::time::sleep(BEFORE_BUG).await;
            bug.await;
        }
        while let Some(ended) = running.join_next().await {
            ended.expect("a client does not panic");
        }
        watch.abort();
        self.say(true);
    }

    async fn watch(self) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        for second in 0_u64.. {
            seconds.tick().await;
            self.say(false);
            if second % DUMP_EVERY == 1 {
                // As somebody does who looks at where everything waits. It loads symbols,
                // and so is early: what they take is no growth.
                let dump = || debug_async::dump().to_string();
                let dump = debug_async::task::spawn_blocking(dump).await;
                let dump = dump.expect("it does not panic");
                assert!(dump.contains("visit"), "the clients are in it: {dump}");
            }
        }
    }

    fn say(&self, done: bool) {
        let Shared {
            sent,
            answered,
            hung_up,
            ..
        } = &*self.0;
        let (sent, answered) = (sent.load(Relaxed), answered.load(Relaxed));
        let hung_up = hung_up.load(Relaxed);
        tracing::info!(target: TARGET, sent, answered, hung_up, done);
    }

    pub(crate) fn has_bug(&self) -> bool {
        self.0.has_bug
    }
}
