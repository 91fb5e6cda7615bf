//! The figures of a runtime at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor, RuntimeMetrics};

use crate::clock::{self, Instant};
use crate::mode::{Mode, Scope};

/// The figures of a runtime at one moment: those of [`tokio::runtime::RuntimeMetrics`]
/// that are stable, and how much of it is tracked. Given by
/// [`Handle::snapshot`](super::Handle::snapshot), for any runtime.
///
/// What counts up is counted from the beginning of the runtime; [`since`] counts it
/// from an earlier snapshot. Its `Display` is a small table:
///
/// ```text
/// runtime 1 (multi_thread): 12 tasks alive (25% not tracked), 0 queued, 3 blocking closures, 41% busy over 10s
///   worker  state    busy        share   parks
///        0  active   5s 120ms      51%     804
///        1  parked   3s 90ms       31%    1299
/// ```
///
/// tokio adds up what a worker is busy with when it parks, and every so many polls
/// besides: a poll that still runs is not in it, and one that was long is in the
/// interval that it ended in.
///
/// [`since`]: Snapshot::since
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use debug_async::runtime::Handle;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// // Of tokio's runtimes too, in every mode.
/// let handle = Handle::from(tokio::runtime::Handle::current());
/// let before = handle.snapshot();
/// tokio::time::sleep(Duration::from_millis(20)).await;
/// let interval = handle.snapshot().since(&before);
/// println!("{interval}");
/// assert_eq!(interval.workers.len(), 1);
/// assert!(interval.busy_share().unwrap() < 1.0);
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// tokio's id of the runtime.
    pub id: Id,
    /// Which sort of runtime it is, as `#[main]` has it: `current_thread` or
    /// `multi_thread`.
    pub flavor: &'static str,
    /// The time that the workers' counts are of: since the runtime began, or since
    /// the earlier snapshot. Nobody knows when a runtime began that is not one of
    /// [`debug_async::runtime`](crate::runtime).
    pub interval: Option<Duration>,
    /// Its workers, by their index. A `current_thread` runtime has one: the thread
    /// that is in `block_on`.
    pub workers: Vec<Worker>,
    /// Tasks that have been spawned and have not ended, tracked or not. Blocking
    /// closures and the tasks of a `LocalSet` are not among them.
    pub alive_tasks: usize,
    /// Tasks in the queue that all workers share. Those that wait in a worker's own
    /// are not known.
    pub global_queue_depth: usize,
    /// Tracked tasks that are alive, those of `LocalSet`s included; known in debug
    /// mode. tokio's runtimes share one count. With `--cfg tokio_unstable`, all tasks
    /// of a runtime of [`debug_async::runtime`](crate::runtime) are among them.
    pub tracked_tasks: Option<usize>,
    /// Tracked blocking closures that run or wait for a thread; known in debug mode.
    /// tokio's runtimes share one count.
    pub blocking_closures: Option<usize>,
    at: Instant,
}

/// A worker of a runtime, in a [`Snapshot`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Worker {
    /// What it does.
    pub state: WorkerState,
    /// For how long it was not parked.
    pub busy: Duration,
    /// How often it parked or unparked. Each is one; see [`parks`](Worker::parks).
    pub park_unpark_count: u64,
    /// See [`Snapshot::interval`].
    interval: Option<Duration>,
    /// From the beginning.
    total: (Duration, u64),
}

/// What a worker does at the moment of a [`Snapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has not parked yet: it is at its first polls, or has not begun.
    New,
    /// It runs tasks, or looks for some; or it is blocked by one. Or its runtime is a
    /// `current_thread` one, and nobody is in its `block_on`.
    Active,
    /// It has nothing to do, and waits.
    Parked,
}

impl Snapshot {
    pub(super) fn take(handle: &Handle, scope: &Arc<Scope>) -> Snapshot {
        let metrics = handle.metrics();
        let ours = !Arc::ptr_eq(scope, Scope::process());
        let at = clock::now();
        let interval = ours.then(|| at.saturating_duration_since(scope.began()));
        let workers = 0..metrics.num_workers();
        let in_debug = scope.mode() == Mode::Debug;
        Snapshot {
            id: handle.id(),
            flavor: match handle.runtime_flavor() {
                RuntimeFlavor::CurrentThread => "current_thread",
                RuntimeFlavor::MultiThread => "multi_thread",
                _ => "other",
            },
            interval,
            workers: workers
                .map(|index| Worker::take(&metrics, index, interval))
                .collect(),
            alive_tasks: metrics.num_alive_tasks(),
            global_queue_depth: metrics.global_queue_depth(),
            tracked_tasks: in_debug.then(|| scope.tasks()),
            blocking_closures: in_debug.then(|| scope.calls()),
            at,
        }
    }

    /// The same, but with what counts up counted from `earlier`, a snapshot of the
    /// same runtime. If it is of another one, there is nothing to subtract: then this
    /// is a copy.
    ///
    /// It does not matter whether `earlier` is itself the result of `since`.
    ///
    /// ```
    /// use debug_async::runtime::Builder;
    ///
    /// let runtime = Builder::new_current_thread().debug(true).build()?;
    /// let first = runtime.snapshot();
    /// runtime.block_on(async { debug_async::spawn!(async {}).await }).unwrap();
    /// let second = runtime.snapshot();
    /// let interval = second.since(&first);
    /// assert!(interval.interval < second.interval);
    /// assert_eq!(interval.alive_tasks, second.alive_tasks);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let mut since = self.clone();
        if self.id != earlier.id {
            return since;
        }
        since.interval = Some(self.at.saturating_duration_since(earlier.at));
        for (worker, before) in since.workers.iter_mut().zip(&earlier.workers) {
            worker.interval = since.interval;
            worker.busy = worker.total.0.saturating_sub(before.total.0);
            worker.park_unpark_count = worker.total.1.saturating_sub(before.total.1);
        }
        since
    }

    /// Which share of their time the workers were busy, all of them together: from 0
    /// to 1. Known if the interval is.
    pub fn busy_share(&self) -> Option<f64> {
        let busy = self.workers.iter().map(|worker| worker.busy).sum();
        let all = self.interval?.checked_mul(self.workers.len() as u32)?;
        share(busy, all)
    }

    /// How many of the tasks that are alive are not tracked, at least. Known in debug
    /// mode.
    pub fn untracked_tasks(&self) -> Option<usize> {
        let tracked = self.tracked_tasks?;
        Some(self.alive_tasks.saturating_sub(tracked))
    }

    /// Which share of the tasks that are alive is not tracked: from 0 to 1. Findings
    /// about them are missing. Known in debug mode.
    pub fn untracked_share(&self) -> Option<f64> {
        let untracked = self.untracked_tasks()?;
        Some(untracked as f64 / self.alive_tasks.max(1) as f64)
    }
}

impl Worker {
    fn take(metrics: &RuntimeMetrics, index: usize, interval: Option<Duration>) -> Worker {
        let busy = metrics.worker_total_busy_duration(index);
        let count = metrics.worker_park_unpark_count(index);
        Worker {
            state: WorkerState::of(count),
            busy,
            park_unpark_count: count,
            interval,
            total: (busy, count),
        }
    }

    /// How often it parked. In an interval it may be one more: that it was parked at
    /// the beginning counts.
    pub fn parks(&self) -> u64 {
        self.park_unpark_count.div_ceil(2)
    }

    /// Which share of its time it was busy: from 0 to 1. Known if the interval is.
    pub fn busy_share(&self) -> Option<f64> {
        share(self.busy, self.interval?)
    }
}

impl WorkerState {
    fn of(park_unpark_count: u64) -> WorkerState {
        match park_unpark_count {
            0 => WorkerState::New,
            count if count % 2 == 0 => WorkerState::Active,
            _ => WorkerState::Parked,
        }
    }
}

/// At most 1: what was added up late is of the time before.
fn share(busy: Duration, all: Duration) -> Option<f64> {
    (!all.is_zero()).then(|| (busy.as_secs_f64() / all.as_secs_f64()).min(1.0))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0))
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            WorkerState::New => "new",
            WorkerState::Active => "active",
            WorkerState::Parked => "parked",
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        let tasks = self.alive_tasks;
        write!(f, "runtime {} ({}): {tasks}", self.id, self.flavor)?;
        write!(f, " task{} alive", plural(tasks))?;
        if let Some(share) = self.untracked_share() {
            write!(f, " ({} not tracked)", percent(Some(share)))?;
        }
        write!(f, ", {} queued", self.global_queue_depth)?;
        if let Some(closures) = self.blocking_closures {
            write!(f, ", {closures} blocking closure{}", plural(closures))?;
        }
        if let (Some(interval), Some(share)) = (self.interval, self.busy_share()) {
            let (share, interval) = (percent(Some(share)), clock::human(interval));
            write!(f, ", {share} busy over {interval}")?;
        }
        write!(f, "\n  worker  state    busy        share   parks")?;
        for (index, worker) in self.workers.iter().enumerate() {
            write!(
                f,
                "\n  {index:>6}  {:<7}  {:<10}  {:>5}  {:>6}",
                worker.state,
                clock::human(worker.busy),
                percent(worker.busy_share()),
                worker.parks(),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_says_whether_it_is_parked() {
        let states = [0, 1, 2, 3].map(WorkerState::of);
        let (active, parked) = (WorkerState::Active, WorkerState::Parked);
        assert_eq!(states, [WorkerState::New, parked, active, parked]);
    }

    #[test]
    fn a_share_is_never_more_than_all() {
        let second = Duration::from_secs(1);
        assert_eq!(share(second, 4 * second), Some(0.25));
        assert_eq!(share(2 * second, second), Some(1.0));
        assert_eq!(share(second, Duration::ZERO), None);
        assert_eq!(percent(Some(0.414)), "41%");
        assert_eq!(percent(None), "-");
    }
}
