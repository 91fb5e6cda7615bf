//! What is known of a thread, and what the system tells of it.

use std::fs;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::time::Duration;

use crate::stack::unwind::native::stack_of_this_thread;

/// A thread of this process: plain data, which stays what it is when the thread
/// has ended.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(super) id: i32,
    /// What `pthread_self` gives on it.
    pub(super) handle: usize,
    pub(super) stack: Range<u64>,
    name: Option<String>,
}

impl Thread {
    /// The calling thread.
    pub(crate) fn current() -> Option<Thread> {
        // tokio's thread-local registers its destructor when it is first used,
        // which takes a lock. It is used here, so that the signal handler never
        // is the first.
        let _ = tokio::task::try_id();
        Some(Thread {
            id: current_id(),
            handle: current_handle(),
            stack: stack_of_this_thread()?,
            name: std::thread::current().name().map(str::to_owned),
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The time that it has been running on a CPU. `None` when it has ended.
    #[allow(unsafe_code)]
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        // As `pthread_getcpuclockid` makes it, which has undefined behaviour for a
        // thread that has ended: the kernel's number for the clock of one thread
        // (4), of kind "scheduler" (2).
        let clock = (!self.id << 3) | 6;
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the call fills `time`, or fails; and it fails for a thread that
        // is not one of this process.
        let time = unsafe {
            if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
                return None;
            }
            time.assume_init()
        };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }

    /// The time that it could have been running, had there been a CPU for it.
    /// `None` when it has ended, or the kernel does not count.
    pub(crate) fn queued(&self) -> Option<Duration> {
        parse_queued(&self.read("schedstat")?)
    }

    /// What it does: `R`uns or could, `S`leeps, waits for a `D`isk, is `T`raced, …
    pub(crate) fn state(&self) -> Option<char> {
        parse_state(&self.read("stat")?)
    }

    /// Whether it runs, or waits for nothing but a CPU.
    pub(crate) fn is_runnable(&self) -> Option<bool> {
        self.state().map(|state| state == 'R')
    }

    fn read(&self, file: &str) -> Option<String> {
        // A thread may give itself a name that is not UTF-8.
        let bytes = fs::read(format!("/proc/self/task/{}/{file}", self.id)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The kernel's number of the calling thread.
#[allow(unsafe_code)]
pub(super) fn current_id() -> i32 {
    // SAFETY: a system call without arguments that cannot fail. (`gettid` itself is
    // missing in older C libraries.)
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// The C library's handle of the calling thread.
#[allow(unsafe_code)]
pub(super) fn current_handle() -> usize {
    // SAFETY: it only reads a register.
    unsafe { libc::pthread_self() as usize }
}

/// Whether a thread of this process holds a signal back that was sent to it. If the
/// system does not tell, one may.
pub(super) fn is_pending(signal: i32) -> bool {
    let holds = |status: std::io::Result<Vec<u8>>| {
        // A thread that has ended holds nothing.
        status.is_ok_and(|bytes| parse_pending(&String::from_utf8_lossy(&bytes), signal))
    };
    fs::read_dir("/proc/self/task").map_or(true, |mut threads| {
        threads.any(|thread| {
            thread.map_or(true, |thread| holds(fs::read(thread.path().join("status"))))
        })
    })
}

/// The mask of the signals that a thread holds back, as a number to the base 16.
fn parse_pending(status: &str, signal: i32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << ((signal - 1) & 63)) != 0)
}

/// The third field, behind the name in brackets, which may hold anything.
fn parse_state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next()
}

/// The second of the numbers, in nanoseconds.
fn parse_queued(schedstat: &str) -> Option<Duration> {
    let queued = schedstat.split_ascii_whitespace().nth(1)?;
    queued.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(parse_state("7 (tokio-rt-worker) S 1 7 7"), Some('S'));
        assert_eq!(parse_state("7 (a) R (b) D 1) R 1 7 7"), Some('R'));
        for nonsense in ["", "7", "7 (x", "7 (x)", "7 (x) "] {
            assert_eq!(parse_state(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_time_in_the_queue_is_the_second_number() {
        let queued = parse_queued("1000 2000000000 3\n");
        assert_eq!(queued, Some(Duration::from_secs(2)));
        for nonsense in ["", "1", "1 x 3", "1 -2 3"] {
            assert_eq!(parse_queued(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn signals_that_are_held_back() {
        let status = "Name:\tx\nSigPnd:\t0000000000400000\nShdPnd:\t0000000000000200\n";
        assert!(parse_pending(status, libc::SIGURG));
        assert!(!parse_pending(status, libc::SIGUSR1));
        assert!(!parse_pending(status, 64));
        assert!(parse_pending("", libc::SIGUSR1), "nobody knows");
    }

    #[test]
    fn a_thread_that_runs_and_one_that_sleeps() {
        let (send, receive) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let named = std::thread::Builder::new().name("a (sleepy) one".into());
        let sleeper = named.spawn(move || {
            send.send(Thread::current()).expect("somebody listens");
            let _ = ended.recv();
        });
        let sleeper = sleeper.expect("a thread");
        let thread = receive.recv().expect("it sends").expect("it is known");
        assert_eq!(thread.name(), Some("a (sleepy) one"));
        while thread.is_runnable() != Some(false) {
            std::thread::yield_now();
        }
        assert_eq!(thread.state(), Some('S'));
        let spent = thread.cpu_time().expect("it lives");
        assert!(thread.queued().is_some());

        let own = Thread::current().expect("it is known");
        assert_eq!(own.is_runnable(), Some(true));
        let before = own.cpu_time().expect("it lives");
        while own.cpu_time().expect("it lives") < before + Duration::from_millis(20) {}
        assert_eq!(thread.cpu_time(), Some(spent));

        drop(end);
        sleeper.join().expect("it ends");
        // The handle is joined when the thread has told so, not yet when the kernel
        // has put it away.
        while thread.cpu_time().is_some() {
            std::thread::yield_now();
        }
        assert_eq!(thread.state(), None);
        assert_eq!(thread.queued(), None);
    }
}
