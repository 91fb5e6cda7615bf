//! The loops that are timed, for any arm. Also compiled into `unstable/`.

use std::collections::HashMap;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinError;

/// The runtime that a loop runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// `current_thread` with neither I/O nor time.
    Current,
    /// `current_thread` with both, as `#[main]` makes it: a `yield_now` then asks
    /// the kernel for events.
    CurrentDrivers,
    /// `multi_thread` with so many workers.
    Multi(usize),
}

impl Flavor {
    /// tokio's builder of it.
    pub fn builder(self) -> tokio::runtime::Builder {
        let mut builder = match self {
            Flavor::Current | Flavor::CurrentDrivers => {
                tokio::runtime::Builder::new_current_thread()
            }
            Flavor::Multi(workers) => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
        };
        if self == Flavor::CurrentDrivers {
            builder.enable_all();
        }
        builder
    }
}

/// A way to run futures.
pub trait Arm: 'static {
    /// Its runtime.
    type Runtime: Sync;

    /// Builds it.
    fn runtime(flavor: Flavor) -> Self::Runtime;

    /// Runs a future on it, itself not instrumented.
    fn block_on<F: Future>(runtime: &Self::Runtime, future: F) -> F::Output;

    /// Spawns an instrumented task.
    fn spawn<F>(future: F) -> impl Future<Output = Result<F::Output, JoinError>> + Send
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns one from outside, and forgets it.
    fn spawn_on<F>(runtime: &Self::Runtime, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Wraps a future that another one awaits.
    fn wrap<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// What a task must be for `wrap` to work in it.
    fn root<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        future
    }
}

/// Implements [`Arm`] with a plain runtime of tokio's.
macro_rules! on_tokio {
    ($arm:ty, |$task:ident| $instrumented_task:expr, |$inner:ident| $wrapped:expr $(, |$root:ident| $rooted:expr)?) => {
        impl $crate::loops::Arm for $arm {
            type Runtime = tokio::runtime::Runtime;

            fn runtime(flavor: $crate::loops::Flavor) -> Self::Runtime {
                flavor.builder().build().expect("a runtime")
            }

            fn block_on<F: Future>(runtime: &Self::Runtime, future: F) -> F::Output {
                runtime.block_on(future)
            }

            #[inline]
            fn spawn<F>($task: F) -> impl Future<Output = Result<F::Output, tokio::task::JoinError>> + Send
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                tokio::spawn($instrumented_task)
            }

            #[inline]
            fn spawn_on<F>(runtime: &Self::Runtime, $task: F)
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                runtime.handle().spawn($instrumented_task);
            }

            #[inline]
            fn wrap<F>($inner: F) -> impl Future<Output = F::Output> + Send + 'static
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                $wrapped
            }

            $(fn root<F>($root: F) -> impl Future<Output = F::Output> + Send + 'static
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                $rooted
            })?
        }
    };
}

pub(crate) use on_tokio;

/// tokio, and nothing else.
#[derive(Debug)]
pub struct Bare;

on_tokio!(Bare, |future| future, |future| future);

/// A loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// Spawns a task that does nothing and joins it.
    SpawnJoin,
    /// Polls a spawned task that does nothing but `yield_now`.
    Poll,
    /// Polls through so many instrumented futures, one around the other.
    Nested(usize),
    /// Spawns empty tasks from two threads that are not the runtime's.
    Contended,
}

/// A loop in a runtime.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called, in questions and in tables.
    pub name: &'static str,
    /// What is done.
    pub what: Loop,
    /// Where.
    pub flavor: Flavor,
}

const fn case(name: &'static str, what: Loop, flavor: Flavor) -> Case {
    Case { name, what, flavor }
}

/// All of them.
pub const CASES: &[Case] = &[
    case("spawn+join", Loop::SpawnJoin, Flavor::Current),
    case("poll", Loop::Poll, Flavor::Current),
    case("poll, I/O on", Loop::Poll, Flavor::CurrentDrivers),
    case("1 nested", Loop::Nested(1), Flavor::Current),
    case("4 nested", Loop::Nested(4), Flavor::Current),
    case("16 nested", Loop::Nested(16), Flavor::Current),
    case("spawn+join, 1 worker", Loop::SpawnJoin, Flavor::Multi(1)),
    case("poll, 1 worker", Loop::Poll, Flavor::Multi(1)),
    case("spawn+join, 2 workers", Loop::SpawnJoin, Flavor::Multi(2)),
    case("poll, 2 workers", Loop::Poll, Flavor::Multi(2)),
    case("contended spawn", Loop::Contended, Flavor::Multi(2)),
];

/// Runs the loops of one arm; keeps its runtimes.
#[allow(missing_debug_implementations, reason = "a runtime need not have one")]
pub struct Runner<A: Arm>(HashMap<Flavor, A::Runtime>);

impl<A: Arm> Default for Runner<A> {
    fn default() -> Runner<A> {
        Runner(HashMap::new())
    }
}

impl<A: Arm> Runner<A> {
    /// Nanoseconds for each of `times` turns of a loop.
    ///
    /// On one thread it is the thread's processor time, which other programs on
    /// the machine do not count into; on several it is the time that passed.
    pub fn run(&mut self, case: Case, times: u64) -> f64 {
        let runtime = self
            .0
            .entry(case.flavor)
            .or_insert_with(|| A::runtime(case.flavor));
        let warm_up = times / 4 + 1;
        let elapsed = match (case.what, case.flavor) {
            (Loop::Contended, _) => {
                contended::<A>(runtime, warm_up);
                contended::<A>(runtime, times)
            }
            (what, Flavor::Multi(workers)) => A::block_on(runtime, async move {
                // A loop for each worker, at the same time.
                let each = || tokio::spawn(turn::<A>(what, warm_up, times, Clock::Wall));
                let loops: Vec<_> = (0..workers).map(|_| each()).collect();
                let mut longest = Duration::ZERO;
                for one in loops {
                    longest = longest.max(one.await.expect("no panic"));
                }
                longest
            }),
            (what, Flavor::Current | Flavor::CurrentDrivers) => {
                A::block_on(runtime, turn::<A>(what, warm_up, times, Clock::Thread))
            }
        };
        elapsed.as_nanos() as f64 / times as f64
    }
}

/// Gives each set of processes another heap to begin with. What `malloc` takes for
/// a task of tokio's, which wants to be aligned, depends on it by tens of
/// nanoseconds.
///
/// # Panics
///
/// If that is no number.
pub fn unsettle_the_heap(number: &str) {
    let number: usize = number.parse().expect("a number");
    for n in 1..=number {
        let kept: Vec<u8> = vec![1; 16 + n * 112];
        let freed: Vec<u8> = vec![1; 40 + n * 176];
        std::mem::forget(black_box(kept));
        drop(black_box(freed));
    }
}

/// Answers questions of the form `case:times`.
///
/// # Panics
///
/// If there is no such case.
pub fn serve<A: Arm>() {
    let mut runner = Runner::<A>::default();
    super::child::serve(|question| {
        let (case, times) = parse(question);
        runner.run(case, times).to_string()
    });
}

/// Runs one loop for so long, for a profiler to look at.
///
/// # Panics
///
/// If there is no such case.
pub fn spin<A: Arm>(case: &str, how_long: Duration) {
    let case = find(case);
    let mut runner = Runner::<A>::default();
    let start = std::time::Instant::now();
    while start.elapsed() < how_long {
        runner.run(case, 20_000);
    }
}

/// The case of a name.
///
/// # Panics
///
/// If there is none.
pub fn find(name: &str) -> Case {
    let found = CASES.iter().find(|case| case.name == name);
    *found.unwrap_or_else(|| panic!("no case `{name}`"))
}

fn parse(question: &str) -> (Case, u64) {
    let (name, times) = question.split_once(':').expect("case:times");
    (find(name), times.parse().expect("a number of times"))
}

#[derive(Clone, Copy)]
enum Clock {
    Thread,
    Wall,
}

impl Clock {
    fn now(self) -> Duration {
        let id = match self {
            Clock::Thread => ClockId::ThreadCPUTime,
            Clock::Wall => ClockId::Monotonic,
        };
        let time = clock_gettime(id);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// A loop within a task or `block_on`.
async fn turn<A: Arm>(what: Loop, warm_up: u64, times: u64, clock: Clock) -> Duration {
    match what {
        Loop::SpawnJoin => {
            spawn_join::<A>(warm_up).await;
            let start = clock.now();
            spawn_join::<A>(times).await;
            clock.now() - start
        }
        Loop::Poll => A::spawn(yields(warm_up, times, clock))
            .await
            .expect("no panic"),
        Loop::Nested(depth) => {
            let yields = yields(warm_up, times, clock);
            let task = match depth {
                1 => tokio::spawn(A::root(nest::<A, _>(yields))),
                4 => tokio::spawn(A::root(nest_4::<A, _>(yields))),
                16 => tokio::spawn(A::root(nest_16::<A, _>(yields))),
                _ => panic!("no nest of that depth"),
            };
            task.await.expect("no panic")
        }
        Loop::Contended => unreachable!("it is not run in a task"),
    }
}

/// See [`Loop::SpawnJoin`].
///
/// The task holds four words. tokio rounds a task up to 128 bytes, and with one
/// word or none a wrapper's word would push it over that edge, which is a matter of
/// malloc's and not of the wrapper's.
pub async fn spawn_join<A: Arm>(times: u64) {
    for n in 0..times {
        let words = black_box([n; 4]);
        let task = A::spawn(async move { words.iter().sum::<u64>() });
        black_box(task.await.expect("no panic"));
    }
}

async fn yields(warm_up: u64, times: u64, clock: Clock) -> Duration {
    yield_times(warm_up).await;
    let start = clock.now();
    yield_times(times).await;
    clock.now() - start
}

/// See [`Loop::Poll`].
pub async fn yield_times(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

fn nest<A: Arm, F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    A::wrap(future)
}

fn nest_4<A: Arm, F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    nest::<A, _>(nest::<A, _>(nest::<A, _>(nest::<A, _>(future))))
}

fn nest_16<A: Arm, F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    nest_4::<A, _>(nest_4::<A, _>(nest_4::<A, _>(nest_4::<A, _>(future))))
}

/// See [`Loop::Contended`]. Half of the tasks from each thread; till all have run.
fn contended<A: Arm>(runtime: &A::Runtime, times: u64) -> Duration {
    let each = times.div_ceil(2);
    let ran = Arc::new(AtomicU64::new(0));
    let (done, all_done) = mpsc::channel();
    let spawn_each = || {
        for _ in 0..each {
            let (ran, done) = (Arc::clone(&ran), done.clone());
            A::spawn_on(runtime, async move {
                if ran.fetch_add(1, Relaxed) + 1 == 2 * each {
                    let _ = done.send(());
                }
            });
        }
    };
    let start = Clock::Wall.now();
    std::thread::scope(|scope| {
        let second = scope.spawn(spawn_each);
        spawn_each();
        second.join().expect("no panic");
    });
    all_done.recv().expect("the last task says so");
    Clock::Wall.now() - start
}
