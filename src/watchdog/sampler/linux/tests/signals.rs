//! The signal belongs to the program as well.

use std::sync::atomic::AtomicUsize;

use super::*;

/// Sets a handler and gives the one before.
#[allow(unsafe_code)]
fn handle(signal: i32, function: usize, flags: i32) -> libc::sigaction {
    // SAFETY: each handler here only counts, and has the type that its flags say.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = function;
        action.sa_flags = flags;
        let mut before = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, &action, &mut before), 0);
        before
    }
}

#[allow(unsafe_code)]
fn in_force(signal: i32) -> usize {
    // SAFETY: it only fills `action`.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, std::ptr::null(), &mut action), 0);
        action.sa_sigaction
    }
}

/// Sends a signal to a thread in the way that programs do.
#[allow(unsafe_code)]
fn kill(thread: &Thread, signal: i32) {
    // SAFETY: a system call without pointers.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.id, signal) };
    assert_eq!(sent, 0);
}

static SHORT: AtomicUsize = AtomicUsize::new(0);
static LONG: AtomicUsize = AtomicUsize::new(0);
static OF_US: AtomicUsize = AtomicUsize::new(0);

extern "C" fn short(_: libc::c_int) {
    SHORT.fetch_add(1, SeqCst);
}

#[allow(unsafe_code)]
extern "C" fn long(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    assert!(!context.is_null());
    // SAFETY: the system's argument; what is read is there for each signal.
    let code = unsafe { (*info).si_code };
    OF_US.fetch_add(usize::from(code == libc::SI_QUEUE), SeqCst);
    LONG.fetch_add(1, SeqCst);
}

fn wait_for(count: &AtomicUsize, number: usize) {
    wait_until(|| count.load(SeqCst) >= number);
}

#[test]
fn a_handler_of_the_program_keeps_its_signals_and_gets_none_of_ours() {
    let _alone = alone();
    let short = short as extern "C" fn(_) as usize;
    let long = long as extern "C" fn(_, _, _) as usize;
    for (function, flags, count) in [(short, 0, &SHORT), (long, libc::SA_SIGINFO, &LONG)] {
        for signal in [libc::SIGURG, libc::SIGUSR1, libc::SIGRTMIN() + 3] {
            let before = handle(signal, function, flags);
            let mut sampler = sampler(signal);
            let worker = Worker::new(places::take_a_nap, || {});
            let start = count.load(SeqCst);
            for round in 1..=10 {
                kill(&worker.thread, signal);
                wait_for(count, start + round);
                worker.sample_in(&mut sampler, "take_a_nap");
            }
            assert_eq!(count.load(SeqCst), start + 10);
            drop(sampler);
            assert_eq!(in_force(signal), function, "it is back");
            kill(&worker.thread, signal);
            wait_for(count, start + 11);
            drop(worker);
            handle(signal, before.sa_sigaction, before.sa_flags);
        }
    }
    assert_eq!(OF_US.load(SeqCst), 0);
}

#[test]
fn a_handler_for_one_time() {
    static ONCE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn once(_: libc::c_int) {
        ONCE.fetch_add(1, SeqCst);
    }
    let _alone = alone();
    let once = once as extern "C" fn(_) as usize;
    handle(libc::SIGURG, once, libc::SA_RESETHAND);
    let sampler = sampler(libc::SIGURG);
    let own = Thread::current().expect("it is known");
    for _ in 0..3 {
        kill(&own, libc::SIGURG);
    }
    assert_eq!(ONCE.load(SeqCst), 1);
    drop(sampler);
    assert_eq!(in_force(libc::SIGURG), libc::SIG_DFL);
}

#[test]
fn a_handler_over_ours_ends_sampling() {
    let _alone = alone();
    // Not one that the others use: it is not taken from a program again.
    let signal = libc::SIGWINCH;
    let mut sampler = sampler(signal);
    let worker = Worker::new(places::take_a_nap, || {});
    worker.sample_in(&mut sampler, "take_a_nap");
    let short = short as extern "C" fn(_) as usize;
    let ours = handle(signal, short, 0);
    let replaced = Some(Missed::Replaced { signal });
    let mark = AtomicU64::new(0);
    assert_eq!(sampler.sample(&worker.thread, &mark).err(), replaced);
    // It stays so: nobody takes turns with a program.
    handle(signal, ours.sa_sigaction, ours.sa_flags);
    assert_eq!(sampler.sample(&worker.thread, &mark).err(), replaced);
    handle(signal, short, 0);
    drop(sampler);
    assert_eq!(in_force(signal), short, "it is left alone");
    // It may know our handler, and call it.
    let again = Sampler::install(signal).err();
    assert_eq!(again, Some(Refused::Replaced { signal }));
    handle(signal, libc::SIG_DFL, 0);
}

#[test]
fn a_signal_from_elsewhere_is_ignored_where_it_was() {
    let _alone = alone();
    for (signal, before) in [
        (libc::SIGURG, libc::SIG_DFL),
        (libc::SIGURG, libc::SIG_IGN),
        (libc::SIGUSR1, libc::SIG_IGN),
    ] {
        handle(signal, before, 0);
        let mut sampler = sampler(signal);
        let worker = Worker::new(places::take_a_nap, || {});
        for _ in 0..10 {
            kill(&worker.thread, signal);
            worker.sample_in(&mut sampler, "take_a_nap");
        }
        drop(sampler);
        assert_eq!(in_force(signal), before);
        handle(signal, libc::SIG_DFL, 0);
    }
}

#[test]
fn a_signal_that_would_end_the_program_does() {
    let _alone = alone();
    let _sampler = sampler(libc::SIGUSR2);
    #[allow(unsafe_code)]
    // SAFETY: between `fork` and the end, the child makes system calls only.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::raise(libc::SIGUSR2);
            libc::_exit(0);
        }
        assert!(child > 0);
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert!(libc::WIFSIGNALED(status), "{status}");
    assert_eq!(libc::WTERMSIG(status), libc::SIGUSR2);
}

#[test]
fn our_handler_stays_while_a_signal_of_ours_may_come() {
    let _alone = alone();
    // Without our handler this signal would end the program.
    let signal = libc::SIGUSR2;
    #[allow(unsafe_code)]
    fn mask(how: i32, signal: i32) {
        // SAFETY: the set is filled before it is used, and only this thread's mask
        // changes.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, signal);
            assert_eq!(libc::pthread_sigmask(how, &set, std::ptr::null_mut()), 0);
        }
    }
    let mut first = sampler(signal);
    let own = Thread::current().expect("it is known");
    let mark = AtomicU64::new(0);
    mask(libc::SIG_BLOCK, signal);
    assert_eq!(first.sample(&own, &mark).err(), Some(Missed::Unanswered));
    drop(first);
    assert_ne!(in_force(signal), libc::SIG_DFL);
    mask(libc::SIG_UNBLOCK, signal);
    // Another sampler finds it there, and takes it away when nothing is to come.
    let mut second = sampler(signal);
    assert!(second.sample(&own, &mark).is_ok());
    drop(second);
    assert_eq!(in_force(signal), libc::SIG_DFL);
}
