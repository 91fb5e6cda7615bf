//! The dump that a signal asks for.
//!
//! The handler writes a byte into a pipe; a thread that waits for it takes the dump.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::sync::Once;
use std::sync::atomic::{
    AtomicI32,
    Ordering::{Acquire, Relaxed, Release},
};

use super::Snapshot;
use crate::config::{self, Signal};
use crate::notice;
use crate::report;
use crate::sigaction::{self, Before};

/// The end of the pipe to write to; negative: there is none.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// The process whose pipe it is. One that was forked has a copy of it.
static PROCESS: AtomicI32 = AtomicI32::new(0);
static BEFORE: Before = Before::new();

/// A tree of more than this is for a program to read.
const MOST: usize = 1_000;

/// Listens from now on, unless it does. `signal`: `None` for the default, which gives
/// way to a handler of the program's.
pub(super) fn listen(signal: Option<Signal>) {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let (number, gives_way) = match signal {
            Some(signal) => (signal.number(), false),
            None => (Signal::USR1.number(), true),
        };
        let Some(number) = number else { return };
        if let Err(error) = install(number, gives_way) {
            let name = config::name_of(number);
            report::say_soon(format!(
                "no dump can be asked for by {name}, which cannot be handled: {error}"
            ));
        }
    });
}

fn install(signal: i32, gives_way: bool) -> io::Result<()> {
    let failed = io::Error::from_raw_os_error;
    let before = sigaction::in_force(signal).map_err(failed)?;
    let is_default = before.sa_sigaction == libc::SIG_DFL;
    if gives_way && !is_default {
        return Ok(());
    }
    let (reader, writer) = pipe()?;
    std::thread::Builder::new()
        .name("debug-async-dump".into())
        .spawn(move || serve(reader, signal, gives_way))?;
    PROCESS.store(std::process::id().cast_signed(), Relaxed);
    // It is never closed: a handler may be about to write.
    PIPE.store(writer.into_raw_fd(), Release);
    BEFORE.remember(&before);
    sigaction::set(signal, &sigaction::ours(handler, &before)).map_err(failed)?;
    Ok(())
}

fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    // SAFETY: a system call on a descriptor that is open.
    #[allow(unsafe_code)]
    let set = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if set == 0 {
        Ok((reader, writer))
    } else {
        Err(io::Error::last_os_error())
    }
}

fn serve(mut reader: PipeReader, signal: i32, gives_way: bool) {
    // One dump is enough for all who asked before it.
    let mut asked = [0; 512];
    while reader.read(&mut asked).is_ok_and(|count| count > 0) {
        if gives_way && !is_in_force(signal) {
            // A handler that the program has installed since has called ours.
            continue;
        }
        let snapshot = Snapshot::take(None);
        let (process, name) = (std::process::id(), config::name_of(signal));
        let tree = snapshot.tree().first(MOST);
        notice::to_stderr(&format!(
            "debug_async: dump of process {process}, for {name}\n{tree}\n"
        ));
    }
}

fn is_in_force(signal: i32) -> bool {
    let ours = handler as sigaction::Handler as usize;
    sigaction::in_force(signal).is_ok_and(|action| action.sa_sigaction == ours)
}

#[allow(unsafe_code)]
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: this is this thread's `errno`; the other calls may be made in a handler,
    // and write one byte to a descriptor that is never closed. What is handed on are
    // the arguments of a handler with `SA_SIGINFO`.
    unsafe {
        let errno = libc::__errno_location();
        let kept = *errno;
        if libc::getpid() == PROCESS.load(Relaxed) {
            let byte = [1u8];
            libc::write(PIPE.load(Acquire), byte.as_ptr().cast(), 1);
        }
        *errno = kept;
        if BEFORE
            .get()
            .is_some_and(|before| sigaction::is_function(&before))
        {
            BEFORE.hand_on(signal, info, context);
        }
    }
}
