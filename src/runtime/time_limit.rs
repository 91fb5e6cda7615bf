//! A body that must end within some time, of the system's clock.
//!
//! Not tokio's timer, which a paused clock lets run out at once, and which a thread that
//! blocks does not look at: a thread waits for the end of the body. When it comes too
//! late the thread takes a dump and wakes the body, which is then dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::clock;
use crate::dump;
use crate::mode::Scope;
use crate::notice;

/// How long a body has to return from the poll that it is in.
const GRACE: Duration = Duration::from_secs(2);

/// The time is up: where the body was then.
#[derive(Debug)]
pub(super) struct TimedOut {
    pub(super) limit: Duration,
    pub(super) dump: String,
}

#[derive(Default)]
struct State {
    /// Of the last poll.
    waker: Option<Waker>,
    /// There when the time is up.
    dump: Option<String>,
}

type Shared = Arc<Mutex<State>>;

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

pin_project! {
    /// A body with its time limit, if it has one.
    pub(super) struct Within<F> {
        #[pin]
        body: F,
        limit: Option<Limit>,
    }
}

struct Limit {
    duration: Duration,
    state: Shared,
    /// Dropped with the body: the thread then ends.
    _ended: Sender<()>,
}

impl<F> Within<F> {
    pub(super) fn new(body: F, limit: Option<Duration>, scope: &Arc<Scope>) -> Within<F> {
        let limit = limit.map(|duration| Limit::begin(duration, scope));
        Within { body, limit }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(limit) = this.limit {
            let waker = cx.waker().clone();
            let before = lock(&limit.state).waker.replace(waker);
            drop(before);
        }
        let polled = this.body.poll(cx);
        // Also of a body that has ended, too late.
        if let Some(limit) = this.limit
            && let Some(dump) = lock(&limit.state).dump.take()
        {
            let limit = limit.duration;
            return Poll::Ready(Err(TimedOut { limit, dump }));
        }
        polled.map(Ok)
    }
}

impl Limit {
    fn begin(duration: Duration, scope: &Arc<Scope>) -> Limit {
        let state = Shared::default();
        let (ended, is_over) = mpsc::channel::<()>();
        let (watched, scope) = (Arc::clone(&state), Arc::clone(scope));
        let watch = move || {
            // Nothing is ever sent.
            let is_late = |limit| is_over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if !is_late(duration) {
                return;
            }
            let dump = dump::of(&scope).tree().to_string();
            let waker = {
                let mut state = lock(&watched);
                state.dump = Some(dump.clone());
                state.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
            if is_late(GRACE) && lock(&watched).dump.is_some() {
                let limit = clock::human(duration);
                notice::to_stderr(&format!(
                    "ERROR debug_async: a test did not end within {limit}, and cannot be ended: \
                     its thread is blocked\n{dump}\n"
                ));
            }
        };
        std::thread::Builder::new()
            .name("debug-async-timeout".into())
            .spawn(watch)
            .expect("a thread for the time limit");
        Limit {
            duration,
            state,
            _ended: ended,
        }
    }
}
