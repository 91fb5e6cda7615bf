//! The figures of a runtime.

#![cfg(feature = "rt-multi-thread")]

use std::future::pending;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use debug_async::runtime::{Builder, Handle, Runtime, Snapshot, WorkerState};
use debug_async::task;

fn runtime(debug: bool) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().debug(debug);
    builder.build().expect("it can be built")
}

/// Waits until a snapshot is as it should be in the end.
#[track_caller]
fn eventually(runtime: &Runtime, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let started = Instant::now();
    loop {
        let snapshot = runtime.snapshot();
        if wanted(&snapshot) {
            return snapshot;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{snapshot}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is(state: WorkerState, snapshot: &Snapshot) -> usize {
    let workers = snapshot.workers.iter();
    workers.filter(|worker| worker.state == state).count()
}

/// Busy for so long, whatever a sleep takes.
fn spin(duration: Duration) {
    let started = Instant::now();
    while started.elapsed() < duration {}
}

#[test]
fn an_idle_runtime_is_parked_and_not_busy() {
    let runtime = runtime(true);
    let idle = eventually(&runtime, |now| is(WorkerState::Parked, now) == 2);
    assert_eq!(idle.flavor, "multi_thread");
    assert_eq!(idle.id, runtime.handle().id());
    assert_eq!((idle.alive_tasks, idle.global_queue_depth), (0, 0));
    assert_eq!(
        (idle.tracked_tasks, idle.blocking_closures),
        (Some(0), Some(0))
    );
    assert_eq!(idle.untracked_share(), Some(0.0));
    assert!(idle.interval > Some(Duration::ZERO));
    assert!(idle.workers.iter().all(|worker| worker.parks() >= 1));
}

#[test]
#[cfg_attr(
    tokio_unstable,
    ignore = "tokio's hooks track all of them: tests/unstable.rs"
)]
fn tasks_are_counted_and_what_is_not_tracked_of_them() {
    let runtime = runtime(true);
    for _ in 0..3 {
        runtime.spawn(pending::<()>()).detach();
    }
    let tokio = tokio::runtime::Handle::clone(runtime.handle());
    tokio.spawn(pending::<()>());
    let (end, ended) = mpsc::channel::<()>();
    let call = runtime.spawn_blocking(move || ended.recv().is_err());
    let now = runtime.snapshot();
    assert_eq!((now.alive_tasks, now.tracked_tasks), (4, Some(3)));
    assert_eq!(now.untracked_tasks(), Some(1));
    assert_eq!(now.untracked_share(), Some(0.25));
    assert_eq!(now.blocking_closures, Some(1));
    drop(end);
    runtime.block_on(call).expect("no panic");
    eventually(&runtime, |now| now.blocking_closures == Some(0));
}

#[test]
fn a_worker_that_is_blocked_is_active() {
    let runtime = runtime(true);
    eventually(&runtime, |now| is(WorkerState::Parked, now) == 2);
    let (end, ended) = mpsc::channel::<()>();
    let (began, has_begun) = mpsc::channel();
    // Not tracked: it is no finding here.
    tokio::runtime::Handle::clone(runtime.handle()).spawn(async move {
        began.send(()).expect("somebody waits");
        let _ = ended.recv();
    });
    has_begun.recv().expect("it begins");
    eventually(&runtime, |now| {
        is(WorkerState::Active, now) == 1 && is(WorkerState::Parked, now) == 1
    });
    drop(end);
    eventually(&runtime, |now| is(WorkerState::Parked, now) == 2);
}

#[test]
fn an_interval_has_what_was_done_in_it() {
    let busy = Duration::from_millis(50);
    let runtime = runtime(false);
    let spawn = || {
        let task = runtime.spawn(async move { spin(busy) });
        runtime.block_on(task).expect("no panic");
        eventually(&runtime, |now| is(WorkerState::Parked, now) == 2)
    };
    let sum = |now: &Snapshot| {
        now.workers
            .iter()
            .map(|worker| worker.busy)
            .sum::<Duration>()
    };
    let parks = |now: &Snapshot| now.workers.iter().map(|w| w.park_unpark_count).sum::<u64>();
    let first = spawn();
    let second = spawn();
    assert!(sum(&first) >= busy && sum(&second) >= sum(&first) + busy);
    let between = second.since(&first);
    assert_eq!(sum(&between), sum(&second) - sum(&first));
    assert_eq!(parks(&between), parks(&second) - parks(&first));
    assert!(parks(&between) >= 2, "{between:?}");
    let interval = between.interval.expect("it is known");
    assert!(interval >= busy && Some(interval) < second.interval);
    let share = between.busy_share().expect("it is known");
    let expected = sum(&between).as_secs_f64() / interval.as_secs_f64() / 2.0;
    assert!(
        (share - expected.min(1.0)).abs() < 1e-9,
        "{share} {expected}"
    );
    // What is subtracted is the total, also of an interval.
    let third = spawn();
    assert_eq!(sum(&third.since(&between)), sum(&third) - sum(&second));
    // Backwards, there is nothing.
    let back = first.since(&second);
    assert_eq!((sum(&back), back.busy_share()), (Duration::ZERO, None));
    // Production counts nothing of its own.
    assert_eq!((third.tracked_tasks, third.blocking_closures), (None, None));
    assert_eq!(third.untracked_share(), None);
}

#[test]
fn an_earlier_one_of_another_runtime_is_not_subtracted() {
    let (one, other) = (runtime(true), runtime(true));
    let task = other.spawn(async { spin(Duration::from_millis(5)) });
    other.block_on(task).expect("no panic");
    let now = eventually(&other, |now| is(WorkerState::Parked, now) == 2);
    let same = now.since(&one.snapshot());
    assert_eq!(same.interval, now.interval);
    assert_eq!(format!("{same}"), format!("{now}"));
}

#[test]
fn a_runtime_of_tokio_has_them_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it can be built");
    runtime.block_on(async {
        let handle = Handle::current();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let first = handle.snapshot();
        assert_eq!(first.flavor, "current_thread");
        assert_eq!(first.workers.len(), 1);
        // When it began is not known.
        assert_eq!((first.interval, first.busy_share()), (None, None));
        assert!(!first.to_string().contains("busy over"), "{first}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let between = handle.snapshot().since(&first);
        assert!(between.busy_share().expect("it is known") <= 1.0);
        assert!(between.workers[0].parks() >= 1);
        assert_eq!(between.workers[0].state, WorkerState::Active);
    });
}

#[test]
fn a_local_runtime_has_them_too() {
    let runtime = Builder::new_current_thread()
        .debug(true)
        .build_local(Default::default())
        .expect("it can be built");
    let task = runtime.spawn_local(async {});
    let now = runtime.snapshot();
    assert_eq!((now.alive_tasks, now.tracked_tasks), (1, Some(1)));
    assert_eq!(now.workers[0].state, WorkerState::New);
    runtime.block_on(task).expect("no panic");
}

#[test]
fn it_reads_well() {
    let runtime = runtime(true);
    runtime.block_on(async {
        task::spawn_blocking(|| ()).await.expect("no panic");
    });
    let now = eventually(&runtime, |now| {
        is(WorkerState::Parked, now) == 2 && now.blocking_closures == Some(0)
    });
    let text = now.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let first = format!("runtime {} (multi_thread): 0 tasks alive", now.id);
    assert!(lines[0].starts_with(&first), "{text}");
    let rest = " (0% not tracked), 0 queued, 0 blocking closures, ";
    assert!(lines[0].contains(rest), "{text}");
    assert!(lines[0].contains("% busy over "), "{text}");
    assert_eq!(lines[1], "  worker  state    busy        share   parks");
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[2].starts_with("       0  parked   "), "{text}");
    assert!(lines.iter().all(|line| !line.ends_with(' ')), "{text}");
}
