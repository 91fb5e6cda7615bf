//! Threads that are asked while they block.

mod places;
mod signals;
mod slots;
mod stress;

use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Sampler, Thread};
use crate::watchdog::sampler::{Missed, Refused, Sample};

/// Handlers and the sampler are the process's: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sampler(signal: i32) -> Sampler {
    Sampler::install(signal).unwrap_or_else(|refused| panic!("{refused}"))
}

/// A thread that does something, and how to make it stop.
struct Worker {
    thread: Thread,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
    release: Option<Box<dyn FnOnce()>>,
}

impl Worker {
    /// Runs `work`, which is told when to stop, and makes `release` stop it.
    fn new(
        work: impl FnOnce(&AtomicBool) + Send + 'static,
        release: impl FnOnce() + 'static,
    ) -> Worker {
        Worker::with(std::thread::Builder::new(), work, release)
    }

    fn with(
        builder: std::thread::Builder,
        work: impl FnOnce(&AtomicBool) + Send + 'static,
        release: impl FnOnce() + 'static,
    ) -> Worker {
        let (send, receive): (Sender<Thread>, Receiver<Thread>) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let handle = builder.spawn(move || {
            let thread = Thread::current().expect("it is known");
            send.send(thread).expect("somebody listens");
            drop(send);
            work(&stopped);
        });
        Worker {
            thread: receive.recv().expect("it is sent"),
            stop,
            handle: Some(handle.expect("a thread")),
            release: Some(Box::new(release)),
        }
    }

    /// Samples until a function of this name is on the stack. Where there are only line
    /// tables, the name has no path.
    fn sample_in(&self, sampler: &mut Sampler, function: &str) -> (Sample, Vec<String>) {
        let mark = AtomicU64::new(0);
        let start = Instant::now();
        loop {
            let sample = sampler.sample(&self.thread, &mark);
            let sample = sample.unwrap_or_else(|missed| panic!("{missed}"));
            let functions = functions(&sample);
            if functions.iter().any(|name| name.contains(function)) {
                return (sample, functions);
            }
            let limit = Duration::from_secs(20);
            assert!(start.elapsed() < limit, "no {function}: {functions:#?}");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(release) = self.release.take() {
            release();
        }
        // In a test that fails it may wait for what that has.
        if let Some(handle) = self.handle.take().filter(|_| !std::thread::panicking()) {
            handle.join().expect("no panic");
        }
    }
}

/// The functions of a sample, innermost first.
fn functions(sample: &Sample) -> Vec<String> {
    let frames = sample.stack.frames().into_iter();
    frames.map(|frame| frame.function).collect()
}

fn pipe() -> (std::fs::File, std::fs::File) {
    let mut ends = [0; 2];
    #[allow(unsafe_code)]
    // SAFETY: the call fills the array with two descriptors, which nobody else has.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        let [read, write] = ends.map(|end| OwnedFd::from_raw_fd(end));
        (read.into(), write.into())
    }
}

/// A system call in which a thread waits, with the system's own interruption of it.
fn read_byte(mut from: &std::fs::File) -> std::io::Result<usize> {
    from.read(&mut [0])
}

fn write_byte(mut to: &std::fs::File) {
    // If nobody reads any more, the reader has said why.
    let _ = to.write_all(&[7]);
}

/// Waits for something that comes soon.
fn wait_until(comes: impl Fn() -> bool) {
    let start = Instant::now();
    while !comes() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it does not come"
        );
        std::thread::yield_now();
    }
}

/// Until a thread waits in the kernel.
fn wait_until_asleep(thread: &Thread) {
    wait_until(|| thread.is_runnable() == Some(false));
}

#[test]
fn there_is_one_sampler() {
    let _alone = alone();
    let first = sampler(libc::SIGURG);
    let second = Sampler::install(libc::SIGUSR2).err();
    assert_eq!(second, Some(Refused::Taken));
    drop(first);
    drop(sampler(libc::SIGURG));
}

#[test]
fn signals_with_another_meaning_are_refused() {
    let _alone = alone();
    for signal in [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        32,
        0,
        -1,
        65,
    ] {
        let refused = Sampler::install(signal).err();
        assert_eq!(refused, Some(Refused::Unusable(signal)));
    }
}

#[test]
fn a_thread_that_has_ended() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let worker = Worker::new(|_| {}, || {});
    let thread = worker.thread.clone();
    drop(worker);
    wait_until(|| thread.cpu_time().is_none());
    let missed = sampler.sample(&thread, &AtomicU64::new(0)).err();
    assert_eq!(missed, Some(Missed::Gone));
}

#[test]
fn the_mark_is_that_of_the_moment() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    // Counts as a slot counts polls; a sample must not be of a later one than it says.
    let mark = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&mark);
    let count = move |stop: &AtomicBool| {
        while !stop.load(SeqCst) {
            counted.fetch_add(1, SeqCst);
        }
    };
    let worker = Worker::new(count, || {});
    let mut last = 0;
    for _ in 0..100 {
        let before = mark.load(SeqCst);
        let sample = sampler.sample(&worker.thread, &mark).expect("it answers");
        assert!((before..=mark.load(SeqCst)).contains(&sample.mark));
        assert!(sample.mark >= last);
        last = sample.mark;
    }
    drop(worker);
    let other = AtomicU64::new(41);
    let own = Thread::current().expect("it is known");
    assert_eq!(
        sampler.sample(&own, &other).map(|sample| sample.mark),
        Ok(41)
    );
}

#[test]
fn a_thread_that_holds_the_signal_back_answers_nothing_late() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    fn hold_back(how: i32) {
        #[allow(unsafe_code)]
        // SAFETY: the set is filled before it is used, and only this thread's mask
        // changes.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGURG);
            assert_eq!(libc::pthread_sigmask(how, &set, std::ptr::null_mut()), 0);
        }
    }
    let (go, gone) = channel::<()>();
    let (held, is_held) = channel::<()>();
    let deaf = Worker::new(
        move |stop| {
            hold_back(libc::SIG_BLOCK);
            held.send(()).expect("somebody listens");
            gone.recv().expect("it is sent");
            // The late signal comes here, while another thread is asked.
            hold_back(libc::SIG_UNBLOCK);
            while !stop.load(SeqCst) {
                std::thread::yield_now();
            }
        },
        || {},
    );
    is_held.recv().expect("it is sent");
    let mark = AtomicU64::new(0);
    let missed = sampler.sample(&deaf.thread, &mark).err();
    assert_eq!(missed, Some(Missed::Unanswered));
    go.send(()).expect("it listens");
    let other = Worker::new(places::take_a_nap, || {});
    for _ in 0..20 {
        other.sample_in(&mut sampler, "take_a_nap");
    }
    deaf.sample_in(&mut sampler, "a_thread_that_holds_the_signal_back");
}

#[test]
fn the_task_that_is_polled() {
    let _alone = alone();
    let mut sampler = sampler(libc::SIGURG);
    let (send, receive) = channel();
    let (end, ended) = channel::<()>();
    let runtime = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let tells = send.clone();
        let task = runtime.spawn(async move {
            tells
                .send((Thread::current(), tokio::task::try_id()))
                .expect("somebody listens");
            let _ = ended.recv();
        });
        runtime.block_on(task).expect("it ends");
        send.send((Thread::current(), None))
            .expect("somebody listens");
    });
    let (thread, id) = receive.recv().expect("it is sent");
    let thread = thread.expect("it is known");
    let mark = AtomicU64::new(0);
    let sample = sampler.sample(&thread, &mark).expect("it answers");
    assert!(id.is_some());
    assert_eq!(sample.task, id);
    drop(end);
    receive.recv().expect("it is sent");
    runtime.join().expect("it ends");
    let own = Thread::current().expect("it is known");
    let sample = sampler.sample(&own, &mark).expect("it answers");
    assert_eq!(sample.task, None);
}
