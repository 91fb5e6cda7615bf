//! Every kind of leaf, in many tasks at once: all come to their end, and no clone is
//! left.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Barrier, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::sleep;

use crate::waker::{Outlook, Owner, Tracker};

/// What is tracked, for the end.
#[derive(Clone)]
struct All {
    tracker: fn() -> Tracker,
    owners: Arc<Mutex<Vec<Arc<Owner>>>>,
}

impl All {
    fn track<F: Future>(&self, future: F) -> Tracked<F> {
        Tracked {
            inner: Box::pin(future),
            tracker: (self.tracker)(),
            all: self.clone(),
        }
    }
}

/// The least that a wrapper can be.
struct Tracked<F> {
    inner: Pin<Box<F>>,
    tracker: Tracker,
    all: All,
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let first = this.tracker.owner().is_none();
        let result = this.tracker.polled(cx, |cx| this.inner.as_mut().poll(cx));
        let owner = this.tracker.owner().expect("it was polled");
        if result.is_pending() {
            // All that run here keep to the contract.
            assert_ne!(owner.outlook(), Outlook::Lost);
        }
        if first {
            this.all
                .owners
                .lock()
                .expect("not poisoned")
                .push(Arc::clone(owner));
        }
        result
    }
}

type Leaf = fn(All) -> BoxFuture<'static, ()>;

const LEAVES: &[Leaf] = &[
    |_| {
        async {
            sleep(Duration::from_millis(1)).await;
            tokio::task::yield_now().await;
        }
        .boxed()
    },
    |all| {
        async move {
            let (notify, wait) = pair(Notify::new());
            let waiting = tokio::spawn(all.track(async move { wait.notified().await }));
            notify.notify_one();
            waiting.await.expect("no panic");
        }
        .boxed()
    },
    |all| {
        async move {
            let (sender, mut receiver) = mpsc::channel(1);
            let sending = tokio::spawn(all.track(async move {
                for number in 0..20 {
                    sender.send(number).await.expect("it is received");
                }
            }));
            let mut sum = 0;
            while let Some(number) = all.track(receiver.recv()).await {
                sum += number;
            }
            assert_eq!(sum, 190);
            sending.await.expect("no panic");
        }
        .boxed()
    },
    |all| {
        async move {
            let (sender, receiver) = oneshot::channel();
            let sending = tokio::spawn(all.track(async move { sender.send(7) }));
            assert_eq!(all.track(receiver).await, Ok(7));
            assert_eq!(sending.await.expect("no panic"), Ok(()));
        }
        .boxed()
    },
    |all| {
        async move {
            let mutex = Arc::new(tokio::sync::Mutex::new(0));
            let count = |mutex: Arc<tokio::sync::Mutex<u32>>| async move {
                for _ in 0..10 {
                    let mut count = mutex.lock().await;
                    tokio::task::yield_now().await;
                    *count += 1;
                }
            };
            let counting = [(); 3].map(|()| tokio::spawn(all.track(count(Arc::clone(&mutex)))));
            for counting in counting {
                counting.await.expect("no panic");
            }
            assert_eq!(*mutex.lock().await, 30);
        }
        .boxed()
    },
    |all| {
        async move {
            let (semaphore, lock) = (Semaphore::new(1), RwLock::new(0));
            let work = async || {
                let _permit = semaphore.acquire().await.expect("it is open");
                *all.track(lock.write()).await += 1;
                tokio::task::yield_now().await;
            };
            tokio::join!(work(), all.track(work()), work());
            assert_eq!(*lock.read().await, 3);
        }
        .boxed()
    },
    |all| {
        async move {
            let mut members: FuturesUnordered<_> = (0..40)
                .map(|number| {
                    all.track(async move {
                        sleep(Duration::from_micros(100 * (number % 7))).await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            while let Some(number) = all.track(members.next()).await {
                sum += number;
            }
            assert_eq!(sum, 780);
        }
        .boxed()
    },
    |all| {
        async move {
            // The one that is slow is polled by reference, round after round.
            let mut slow = std::pin::pin!(all.track(sleep(Duration::from_millis(3))));
            let mut rounds = 0;
            loop {
                tokio::select! {
                    () = &mut slow => break,
                    () = all.track(sleep(Duration::from_micros(500))) => rounds += 1,
                }
            }
            assert!(rounds < 1000);
        }
        .boxed()
    },
    |all| {
        async move {
            let (mut near, mut far) = tokio::io::duplex(16);
            let writing = tokio::spawn(all.track(async move {
                near.write_all(&[3; 500]).await.expect("it is read");
            }));
            let mut read = Vec::new();
            all.track(far.read_to_end(&mut read))
                .await
                .expect("it is written");
            assert_eq!(read.len(), 500);
            writing.await.expect("no panic");
        }
        .boxed()
    },
    |all| {
        async move {
            let (sender, mut watching) = watch::channel(0);
            let (wide, mut hearing) = broadcast::channel(4);
            let barrier = Arc::new(Barrier::new(2));
            let met = Arc::clone(&barrier);
            let sending = tokio::spawn(all.track(async move {
                met.wait().await;
                sender.send(1).expect("it is watched");
                wide.send(2).expect("it is heard");
                sender.closed().await;
            }));
            barrier.wait().await;
            all.track(watching.changed()).await.expect("it is sent");
            assert_eq!(all.track(hearing.recv()).await, Ok(2));
            drop(watching);
            sending.await.expect("no panic");
        }
        .boxed()
    },
    |all| {
        async move {
            // Given up while it waits; moved, while it waits, to another task.
            let never = all.track(std::future::pending::<()>().left_future::<tokio::time::Sleep>());
            drop(never);
            let timeout = Duration::from_micros(200);
            let wait = all.track(sleep(Duration::from_secs(600)));
            assert!(tokio::time::timeout(timeout, wait).await.is_err());
            let mut moved = Box::pin(all.track(sleep(Duration::from_millis(50))));
            assert!(futures::poll!(&mut moved).is_pending());
            tokio::spawn(moved).await.expect("no panic");
            let blocking = all.track(tokio::task::spawn_blocking(|| ()));
            blocking.await.expect("no panic");
        }
        .boxed()
    },
];

fn pair<T>(value: T) -> (Arc<T>, Arc<T>) {
    let one = Arc::new(value);
    (Arc::clone(&one), one)
}

fn all_leaves_in_many_tasks(tracker: fn() -> Tracker) {
    let all = All {
        tracker,
        owners: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..25)
            .flat_map(|_| LEAVES)
            .map(|leaf| tokio::spawn(all.track(leaf(all.clone()))))
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    drop(runtime);
    let owners = all.owners.lock().expect("not poisoned");
    assert!(owners.len() > 1000);
    for owner in &*owners {
        assert_eq!(
            (owner.clones(), Arc::strong_count(owner)),
            (0, 1),
            "{owner:?}"
        );
    }
}

#[test]
fn all_leaves_in_many_tasks_with_listed_clones() {
    all_leaves_in_many_tasks(|| Tracker::new(true));
}

#[test]
fn all_leaves_in_many_tasks_with_counted_clones() {
    all_leaves_in_many_tasks(|| Tracker::new(false));
}

#[test]
fn all_leaves_in_many_tasks_whose_wakers_are_kept() {
    all_leaves_in_many_tasks(|| Tracker::new(false).of_task(true));
}
