//! Where everything waits: the dump, and tasks that can never wake.

// The mistakes are what is tested.
#![allow(clippy::async_yields_async, clippy::redundant_async_block)]
#![cfg(feature = "rt-multi-thread")]

mod support;

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use debug_async::config::Config;
use debug_async::dump::{Kind, SiteDelay, Snapshot, State, Tracked};
use debug_async::prelude::*;
use debug_async::report::ReportKind;
use debug_async::runtime::{Builder, Runtime};
use debug_async::task;
use support::run::{Flavor, Host, case};
use support::{Expected, in_debug, on, silent, site, wait_until};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::sleep;

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Longer than a finding takes to be certain.
const CERTAIN: Duration = Duration::from_millis(3_500);

fn runtimes(debug: bool, config: &Config) -> Vec<Runtime> {
    let builders = [Builder::new_current_thread(), Builder::new_multi_thread()];
    let built = builders.into_iter().map(|mut builder| {
        let builder = builder.enable_all().worker_threads(2).debug(debug);
        builder.config(config.clone()).build()
    });
    built
        .map(|runtime| runtime.expect("it can be built"))
        .collect()
}

/// Runs it in debug mode, each time in a process of its own: a dump shows all that is
/// there.
macro_rules! both {
    ($scenario:expr) => {
        in_debug(|run| {
            run.block_on($scenario());
            run.expect(&[]);
        })
    };
}

/// Takes a dump where that may take its time.
async fn take() -> Snapshot {
    let dump = tokio::task::spawn_blocking(debug_async::dump);
    dump.await.expect("no panic")
}

/// Waits for a dump in which there is something like that.
async fn find(what: &str, wanted: impl Fn(&Tracked) -> bool) -> (Tracked, Snapshot) {
    let started = Instant::now();
    loop {
        let dump = take().await;
        if let Some(found) = dump.objects.iter().find(|object| wanted(object)) {
            return (found.clone(), dump);
        }
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(20), "`{what}`:\n{dump}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// The same, of this name.
async fn object(name: &str, wanted: impl Fn(&Tracked) -> bool) -> (Tracked, Snapshot) {
    find(name, |object| object.name == name && wanted(object)).await
}

/// Waits till it waits, having left its waker with somebody.
async fn registered(name: &str) {
    let registered = |object: &Tracked| object.state == State::Waiting && object.wakers == Some(1);
    object(name, registered).await;
}

async fn waiting(name: &str) -> (Tracked, Snapshot) {
    let one_leaf = |object: &Tracked| object.state == State::Waiting && !object.leaves.is_empty();
    object(name, one_leaf).await
}

/// The lines of this file in the first of its leaves, innermost first.
fn lines(object: &Tracked) -> Vec<u32> {
    let frames = object.leaves[0].stack.frames().iter();
    let here = frames.filter(|frame| {
        let file = frame.file.as_deref();
        file.is_some_and(|file| file.ends_with("waiting.rs"))
    });
    here.filter_map(|frame| frame.line).collect()
}

async fn inner() {
    sleep(LONG).await; // site: inner
}

async fn middle() {
    inner().tracked().await // site: middle
}

#[test]
fn the_awaits_down_to_the_leaf() {
    both!(async || {
        let task = debug_async::spawn!(name = "outer", async {
            middle().await; // site: outer
        });
        let (outer, dump) = waiting("outer").await;
        assert_eq!(
            lines(&outer),
            [site!("inner"), site!("middle"), site!("outer")]
        );
        let leaf = &outer.leaves[0];
        assert_eq!(leaf.stack.called(), Some("tokio::time::sleep::Sleep"));
        assert_eq!(outer.leaves.len(), 1);
        assert!(!leaf.stale && leaf.waiting <= outer.age);
        assert_eq!(
            (outer.kind, outer.polls, outer.wakers),
            (Kind::Task, 1, Some(1))
        );
        assert_eq!(outer.task_id, Some(task.id()));

        let (inner, _) = waiting("waiting::inner").await;
        assert_eq!(inner.kind, Kind::PlainFuture);
        assert_eq!(inner.polled_in, Some(outer.id));
        assert_eq!(inner.created_in, Some(outer.id));
        // The leaf is shown once, and with the future that is nearer. (Another may be left of
        // this one's own wait.)
        let tree = dump.tree().to_string();
        assert_eq!(
            tree.matches(" in tokio::time::sleep::Sleep\n").count(),
            1,
            "{tree}"
        );
        let place = format!("waiting.rs:{}:", site!("inner"));
        assert!(
            tree.contains(&place) && dump.to_string().contains(&place),
            "{tree}\n{dump}"
        );
        task.abort();
        let _ = task.await;
    });
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks: tests/unstable.rs"
)]
fn the_leaf_is_named() {
    type Waits = Pin<Box<dyn Future<Output = ()> + Send>>;
    both!(async || {
        let (_kept, mut bounded) = mpsc::channel::<()>(1);
        let (_kept, mut sent) = broadcast::channel::<()>(1);
        let (_kept, mut seen) = watch::channel(());
        let (_kept, once) = oneshot::channel::<()>();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port is free");
        let mutex = Arc::new(AsyncMutex::new(()));
        let _held = mutex.clone().lock_owned().await;
        let semaphore = Arc::new(Semaphore::new(0));
        let notify = Arc::new(Notify::new());
        let task = tokio::spawn(pending::<()>());
        let waits: Vec<(&str, Waits)> = vec![
            (
                "mpsc",
                Box::pin(async move { assert!(bounded.recv().await.is_none()) }),
            ),
            (
                "broadcast",
                Box::pin(async move { drop(sent.recv().await) }),
            ),
            ("watch", Box::pin(async move { drop(seen.changed().await) })),
            ("oneshot", Box::pin(async move { drop(once.await) })),
            (
                "TcpListener",
                Box::pin(async move { drop(listener.accept().await) }),
            ),
            ("mutex", Box::pin(async move { drop(mutex.lock().await) })),
            (
                "semaphore",
                Box::pin(async move { drop(semaphore.acquire().await) }),
            ),
            ("notify", Box::pin(async move { notify.notified().await })),
            ("JoinHandle", Box::pin(async move { drop(task.await) })),
        ];
        let names: Vec<&str> = waits.iter().map(|(name, _)| *name).collect();
        let tasks: Vec<_> = waits
            .into_iter()
            .map(|(name, future)| debug_async::spawn!(name = name, future))
            .collect();
        for name in names {
            let (object, _) = waiting(name).await;
            let called = object.leaves[0].stack.called().unwrap_or_default();
            assert!(
                called.starts_with("tokio::") && called.contains(name),
                "{name}: {called}"
            );
            assert_eq!(lines(&object).len(), 1, "{name}");
        }
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
    });
}

#[test]
fn each_branch_of_a_select_is_a_leaf() {
    both!(async || {
        let (_kept, mut messages) = mpsc::channel::<()>(1);
        let task = debug_async::spawn!(name = "selects", async move {
            tokio::select! {
                _ = messages.recv() => {}
                () = sleep(LONG) => {}
            }
        });
        let two = |object: &Tracked| object.leaves.len() == 2;
        let (object, dump) = object("selects", two).await;
        let called: Vec<_> = object
            .leaves
            .iter()
            .map(|leaf| leaf.stack.called())
            .collect();
        assert!(
            called.contains(&Some("tokio::time::sleep::Sleep")),
            "{called:?}"
        );
        assert!(
            called
                .iter()
                .flatten()
                .any(|called| called.contains("mpsc")),
            "{called:?}"
        );
        assert!(dump.to_string().contains("(+1)"), "{dump}");
        task.abort();
        let _ = task.await;
    });
}

#[test]
fn who_spawned_whom() {
    both!(async || {
        let task = debug_async::spawn!(name = "parent", async {
            let mut child = task::JoinSet::new();
            child.spawn(sleep(LONG));
            child.join_next().await
        });
        let (child, dump) = waiting("Sleep").await;
        let (parent, _) = waiting("parent").await;
        assert_eq!(child.created_in, Some(parent.id));
        assert_eq!(child.polled_in, None);
        // A library's future alone has no line of ours.
        assert_eq!(
            child.leaves[0].stack.called(),
            Some("tokio::time::sleep::Sleep")
        );
        assert!(child.leaves[0].stack.frames().is_empty());
        let tree = dump.tree().to_string();
        let line = |name: &str| {
            let mut lines = tree.lines().filter(|line| line.contains(name));
            lines.next().expect("it is there").to_owned()
        };
        let indent = |line: String| line.len() - line.trim_start().len();
        assert!(indent(line("`Sleep`")) > indent(line("`parent`")), "{tree}");
        task.abort();
        let _ = task.await;
    });
}

#[test]
fn the_states() {
    both!(async || {
        let future = sleep(LONG).tracked_as("fresh");
        let (fresh, _) = object("fresh", |_| true).await;
        assert_eq!(
            (fresh.state, fresh.polls, fresh.last_polled),
            (State::NeverPolled, 0, None)
        );
        future.discard();

        let (end, ended) = std::sync::mpsc::channel::<()>();
        let blocking = task::spawn_blocking(move || ended.recv().is_err());
        let runs =
            |object: &Tracked| object.kind == Kind::BlockingTask && object.state == State::Running;
        find("the closure", runs).await;
        drop(end);
        blocking.await.expect("no panic");

        let mut done = Box::pin(async {}.tracked_as("done"));
        done.as_mut().await;
        let (object, _) = object("done", |_| true).await;
        assert_eq!((object.state, object.polls), (State::Finished, 1));
    });
}

#[test]
fn one_that_dumps_runs_and_one_that_was_woken_says_so() {
    let [runtime, _] = &runtimes(true, &Config::new())[..] else {
        unreachable!("there are two")
    };
    runtime.block_on(async {
        let wakers: Arc<Mutex<Option<Waker>>> = Arc::default();
        let kept = wakers.clone();
        let task = debug_async::spawn!(
            name = "woken",
            poll_fn(move |cx| {
                let before = kept
                    .lock()
                    .expect("not poisoned")
                    .replace(cx.waker().clone());
                if before.is_some() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        );
        waiting("woken").await;
        let waker = wakers
            .lock()
            .expect("not poisoned")
            .clone()
            .expect("it was polled");
        waker.wake();
        // It cannot be polled as long as this one is.
        let dump = debug_async::dump();
        let woken = dump
            .objects
            .iter()
            .find(|object| object.name == "woken")
            .expect("it is there");
        assert_eq!((woken.state, woken.waiting()), (State::Woken, None));
        assert!(woken.woken.is_some_and(|ago| ago <= woken.age));
        let main = dump.objects.iter().find(|object| object.kind == Kind::Main);
        assert_eq!(main.expect("it is there").state, State::Running);
        task.await.expect("no panic");
    });
}

#[test]
fn a_task_that_was_aborted_and_cannot_go_yet() {
    let [runtime, _] = &runtimes(true, &Config::new())[..] else {
        unreachable!("there are two")
    };
    runtime.block_on(async {
        let task = debug_async::spawn!(name = "aborted", sleep(LONG));
        waiting("aborted").await;
        task.abort();
        let dump = debug_async::dump();
        let mut found = dump
            .objects
            .iter()
            .filter(|object| object.name == "aborted");
        assert_eq!(
            found.next().map(|object| object.state),
            Some(State::Aborted)
        );
        let _ = task.await;
    });
}

#[test]
fn without_await_stacks_the_wakers_are_counted() {
    for runtime in runtimes(true, &Config::new().await_stacks(false)) {
        runtime.block_on(async {
            let task = debug_async::spawn!(name = "counted", sleep(LONG));
            let (object, dump) = object("counted", |object| object.wakers == Some(1)).await;
            assert!(object.leaves.is_empty() && object.state == State::Waiting);
            assert!(!dump.to_string().contains("nobody"), "{dump}");
            task.abort();
            let _ = task.await;
        });
    }
}

#[test]
fn in_production_there_is_nothing() {
    for runtime in runtimes(false, &Config::new()) {
        runtime.block_on(async {
            let task = debug_async::spawn!(name = "production", sleep(LONG));
            sleep(Duration::from_millis(5)).await;
            let dump = debug_async::dump();
            assert!(
                dump.objects
                    .iter()
                    .all(|object| object.name != "production")
            );
            task.abort();
            let _ = task.await;
        });
    }
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks show its tasks: tests/unstable.rs"
)]
fn what_is_not_tracked_is_counted() {
    let program = support::Program::new(|| {
        let runtimes = runtimes(true, &Config::new());
        assert_eq!(debug_async::dump().untracked, Some(0));
        let tokio: &tokio::runtime::Runtime = &runtimes[1];
        tokio.spawn(pending::<()>());
        runtimes[1].spawn(pending::<()>()).detach();
        let dump = debug_async::dump();
        assert_eq!((dump.untracked, dump.objects.len()), (Some(1), 1));
        assert!(
            dump.to_string()
                .ends_with("\nand 1 task that is not tracked"),
            "{dump}"
        );
        drop(runtimes);
        assert_eq!(debug_async::dump().untracked, None);
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_chain_of_tasks_is_shown_however_long() {
    fn spawn_next(left: u32, told: mpsc::Sender<()>) -> task::JoinHandle<()> {
        debug_async::spawn(async move {
            let next = (left > 0).then(|| spawn_next(left - 1, told.clone()));
            drop(told);
            sleep(LONG).await;
            drop(next);
        })
    }
    let program = support::Program::new(|| {
        let [_, runtime] = &runtimes(true, &Config::new())[..] else {
            unreachable!("there are two")
        };
        runtime.block_on(async {
            let (told, mut tell) = mpsc::channel(1);
            let _first = spawn_next(10_000, told);
            assert!(tell.recv().await.is_none());
            let dump = debug_async::dump();
            let tree = dump.tree().to_string();
            assert!(tree.lines().filter(|line| line.contains(" task `")).count() > 10_000);
        });
        std::process::exit(0);
    });
    program.run(&[]).succeeded();
}

/// Returns `Pending`, and does not keep the waker.
struct Forgets;

impl Future for Forgets {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn lost() -> Expected {
    Expected::new(ReportKind::LostWaker)
}

fn is_lost(seen: &[support::Seen], count: usize) -> bool {
    let lost = seen
        .iter()
        .filter(|seen| seen.kind == ReportKind::LostWaker);
    lost.count() >= count
}

#[test]
fn a_future_that_forgets_to_register() {
    in_debug(|run| {
        run.block_on(async {
            // site: forgets
            let task = debug_async::spawn!(name = "forgetful", async { Forgets.await });
            let flavor = tokio::runtime::Handle::current().runtime_flavor();
            let (object, dump) = object("forgetful", |object| object.state == State::Waiting).await;
            assert_eq!(
                (object.state, object.wakers),
                (State::Waiting, Some(0)),
                "{flavor:?}"
            );
            assert!(dump.to_string().contains("nobody can wake it"), "{dump}");
            let seen = task::spawn_blocking(|| wait_until("it", |seen| is_lost(seen, 1)));
            seen.await.expect("it was seen");
            // Said once.
            sleep(CERTAIN).await;
            task.abort();
            let _ = task.await;
        });
        let expected = lost()
            .at(site!("forgets"))
            .named("forgetful")
            .task_named("forgetful");
        run.expect(&[expected.says("can never run again").stack(true)]);
    });
}

/// One place for a waker, in which each of two waits.
#[derive(Clone, Default)]
struct OnePlace(Arc<Mutex<Option<Waker>>>);

impl OnePlace {
    async fn wait(self) {
        poll_fn(|cx| -> Poll<()> {
            *self.0.lock().expect("not poisoned") = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[test]
fn a_waker_that_was_overwritten() {
    in_debug(|run| {
        run.block_on(async {
            let place = OnePlace::default();
            // site: overwritten
            let first = debug_async::spawn!(name = "first", place.clone().wait());
            registered("first").await;
            let second = debug_async::spawn!(name = "second", place.clone().wait());
            registered("second").await;
            let seen = task::spawn_blocking(|| wait_until("it", |seen| is_lost(seen, 1)));
            seen.await.expect("it was seen");
            for task in [first, second] {
                task.abort();
                let _ = task.await;
            }
        });
        run.expect(&[lost().at(site!("overwritten")).named("first")]);
    });
}

#[test]
fn without_await_stacks_a_lost_waker_is_found_too() {
    in_debug(|run| {
        if run.case.host == support::Host::Tokio {
            return run.expect(&[]);
        }
        run.config(Config::new().await_stacks(false));
        run.block_on(async {
            let place = OnePlace::default();
            let first = debug_async::spawn!(name = "first", place.clone().wait());
            registered("first").await;
            let second = debug_async::spawn!(name = "second", place.clone().wait());
            let seen = task::spawn_blocking(|| wait_until("it", |seen| is_lost(seen, 1)));
            seen.await.expect("it was seen");
            for task in [first, second] {
                task.abort();
                let _ = task.await;
            }
        });
        run.expect(&[lost().named("first")]);
    });
}

/// What waits for its own reasons, for long enough to be judged.
#[test]
fn what_waits_can_be_woken() {
    silent(async || {
        let mut tasks = task::JoinSet::new();
        // To be aborted, and said so.
        tasks.spawn(pending::<()>());
        tasks.spawn(async { pending::<()>().tracked().parked().await });
        tasks.spawn(async {
            let nested = async { pending::<()>().tracked().parked().await };
            nested.tracked().await
        });
        tasks.spawn(pending::<()>().tracked().parked());
        // One of two that waits is enough.
        tasks.spawn(async {
            tokio::select! {
                () = pending() => {}
                () = sleep(LONG) => {}
            }
        });
        tasks.spawn(async {
            let never = futures::future::pending::<()>();
            futures::future::join(never, Notify::new().notified()).await;
        });
        // Many at once, each with a waker of theirs that has ours.
        tasks.spawn(async {
            use futures::StreamExt;
            let mut many: futures::stream::FuturesUnordered<_> =
                (0..40).map(|_| sleep(LONG).tracked()).collect();
            many.next().await;
        });
        tasks.spawn(async {
            let mut all: task::JoinSet<_> = (0..40).map(|_| sleep(LONG)).collect();
            all.join_next().await;
        });
        // Busy, and yielding.
        tasks.spawn(async {
            loop {
                task::yield_now().await;
                sleep(Duration::from_millis(1)).await;
            }
        });
        // It is being polled.
        if Flavor::MultiThread == flavor() {
            tasks.spawn(async { task::block_in_place(|| std::thread::sleep(CERTAIN)) });
        }
        // Woken by a thread of its own, late.
        tasks.spawn(async {
            let mut started = false;
            poll_fn(move |cx| {
                if std::mem::replace(&mut started, true) {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                std::thread::spawn(move || {
                    std::thread::sleep(CERTAIN);
                    waker.wake();
                });
                Poll::Pending
            })
            .await;
        });
        tokio::time::sleep(CERTAIN).await;
        tasks.shutdown().await;
    });
}

fn flavor() -> Flavor {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::CurrentThread => Flavor::CurrentThread,
        _ => Flavor::MultiThread,
    }
}

#[test]
fn local_tasks_and_sets_of_them_can_be_woken() {
    silent(async || {
        let set = task::LocalSet::new();
        set.spawn_local(async { sleep(LONG).await });
        set.spawn_local(async {
            let inner = task::LocalSet::new();
            inner.spawn_local(sleep(LONG));
            inner.await;
        });
        set.run_until(sleep(CERTAIN)).await;
    });
}

#[test]
fn a_local_task_that_forgets_to_register() {
    in_debug(|run| {
        run.block_on(async {
            let set = task::LocalSet::new();
            // site: local
            set.spawn_local(async { Forgets.await });
            let seen = task::spawn_blocking(|| wait_until("it", |seen| is_lost(seen, 1)));
            set.run_until(async { seen.await.expect("it was seen") })
                .await;
        });
        run.expect(&[lost().at(site!("local")).says("local task")]);
    });
}

/// Parked futures that are not what the task waits in do not stand for it.
#[test]
fn a_parked_future_that_is_no_longer_polled() {
    in_debug(|run| {
        run.block_on(async {
            // site: no longer
            let task = debug_async::spawn!(name = "moved on", async {
                let mut parked = Box::pin(pending::<()>().tracked().parked());
                tokio::select! {
                    biased;
                    () = sleep(Duration::from_millis(50)) => {}
                    () = &mut parked => {}
                }
                Forgets.await;
                drop(parked);
            });
            let seen = task::spawn_blocking(|| wait_until("it", |seen| is_lost(seen, 1)));
            seen.await.expect("it was seen");
            task.abort();
            let _ = task.await;
        });
        run.expect(&[lost().at(site!("no longer")).named("moved on")]);
    });
}

#[test]
fn the_table_has_a_line_for_each() {
    let program = support::Program::new(|| {
        let [runtime, _] = &runtimes(true, &Config::new())[..] else {
            unreachable!("there are two")
        };
        runtime.block_on(async {
            let tasks: BTreeMap<&str, _> = ["a", "b"]
                .into_iter()
                .map(|name| (name, debug_async::spawn!(name = name, sleep(LONG))))
                .collect();
            waiting("b").await;
            let dump = debug_async::dump();
            let table = dump.to_string();
            // What is polled late follows, on a machine that is busy.
            let late = |line: &&str| line.starts_with("polled late");
            let lines: Vec<&str> = table.lines().take_while(|line| !late(line)).collect();
            assert_eq!(lines.len(), 1 + 3, "{table}");
            for head in [
                "id",
                "name",
                "state",
                "polls",
                "busy",
                "age",
                "waits at",
                "created at",
            ] {
                assert!(lines[0].contains(head), "{table}");
            }
            assert_eq!(table.matches("  waiting  ").count(), 2, "{table}");
            drop(tasks);
        });
    });
    program.run(&[]).succeeded();
}

#[test]
fn a_result_that_nobody_takes() {
    both!(async || {
        let unread = debug_async::spawn!(name = "unread", async { 1 });
        let mut set = task::JoinSet::new();
        set.spawn(async { 2 });
        debug_async::spawn!(name = "dropped", async { 3 });
        debug_async::spawn!(name = "detached", async { 4 }).detach();
        let closure = task::spawn_blocking(|| 5);
        let finished = |dump: &Snapshot| {
            let objects = dump.objects.iter();
            objects
                .filter(|object| object.state == State::FinishedUnread)
                .count()
        };
        let (first, mut dump) =
            object("unread", |object| object.state == State::FinishedUnread).await;
        let is_let_go = |dump: &Snapshot| {
            let text = dump.to_string();
            !text.contains("dropped") && !text.contains("detached")
        };
        while finished(&dump) < 3 || !is_let_go(&dump) {
            dump = take().await;
        }
        assert_eq!((first.polls, first.wakers), (1, Some(0)));
        let text = dump.to_string();
        assert!(text.contains("finished unread"), "{text}");
        assert_eq!(unread.await.expect("no panic"), 1);
        assert_eq!(set.join_next().await.expect("one").expect("no panic"), 2);
        drop(closure);
        let dump = take().await;
        assert_eq!(finished(&dump), 0, "{dump}");
    });
}

#[test]
fn how_late_a_task_is_polled() {
    on(&[case(Host::Ours, Flavor::CurrentThread, true)], |run| {
        run.config(Config::new().slow_poll(LONG));
        run.block_on(async {
            let notify = Arc::new(Notify::new());
            let waits = Arc::clone(&notify);
            let task = debug_async::spawn!(name = "late", async move {
                waits.notified().await;
                waits.notified().await;
            }); // site: late
            registered("late").await;
            let (before, dump) = object("late", |_| true).await;
            assert_eq!(before.delay, None, "{dump}");
            // It is woken, and this thread has something else to do.
            notify.notify_one();
            std::thread::sleep(Duration::from_millis(100));
            registered("late").await;
            let (late, dump) = object("late", |late| late.polls == 2).await;
            let delay = late.delay.expect("it was woken");
            assert_eq!(delay.polls, 1);
            assert!(delay.longest >= Duration::from_millis(95), "{dump}");
            assert_eq!(delay.mean(), delay.longest);
            let line = format!(": spawned at {}", late.site);
            assert!(dump.to_string().contains(&line), "{dump}");
            // It is remembered of its site.
            notify.notify_one();
            task.await.expect("no panic");
            let dump = take().await;
            let of_site = |site: &&SiteDelay| site.site == late.site;
            let site = dump.delays.iter().find(of_site).expect("it is there");
            assert_eq!(site.delay.polls, 2);
            assert!(site.delay.longest >= delay.longest);
        });
        run.expect(&[]);
    });
}
