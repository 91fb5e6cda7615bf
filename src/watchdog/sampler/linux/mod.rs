//! Asking a thread by a signal.
//!
//! ```text
//! thread   what is known of a thread
//! context  its registers when a signal comes
//! slot     the question and the answer
//! handler  the signal
//! ```

mod context;
mod handler;
mod slot;
mod thread;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use self::slot::{Answer, Asker, Question};
pub(crate) use self::thread::Thread;
use super::{Missed, Refused, Sample};
use crate::config;
use crate::stack::unwind::native::{Copied, Walker, is_in_program};

/// How long a thread has to begin its answer. One that can run needs some 20 µs.
const LIMIT: Duration = Duration::from_millis(250);

/// Takes samples; has the signal for as long as it lives.
pub(crate) struct Sampler {
    asker: Asker,
    signal: i32,
    /// Somebody took the signal from us.
    replaced: bool,
    with_task: bool,
    walker: Walker,
}

impl Sampler {
    pub(crate) fn install(signal: i32) -> Result<Sampler, Refused> {
        if !config::is_usable(signal) {
            return Err(Refused::Unusable(signal));
        }
        let asker = Asker::claim().ok_or(Refused::Taken)?;
        handler::install(signal)?;
        Ok(Sampler {
            asker,
            signal,
            replaced: false,
            with_task: is_in_program(tokios_code()),
            walker: Walker::new(),
        })
    }

    /// Where the thread is now, and what the mark is at that moment.
    pub(crate) fn sample(&mut self, thread: &Thread, mark: &AtomicU64) -> Result<Sample, Missed> {
        let stack = thread.stack.clone();
        self.ask(thread, stack, mark, |walker, answer, words| {
            let (stack, cut) = walker.walk(&Copied {
                registers: answer.registers,
                start: answer.start,
                words,
            });
            Sample {
                stack,
                cut,
                mark: answer.mark,
                task: answer.task,
            }
        })
    }

    /// Which task the thread is in now. Leaves nothing behind; a stack stays in the
    /// table of all stacks.
    pub(crate) fn task(&mut self, thread: &Thread) -> Result<Option<tokio::task::Id>, Missed> {
        self.ask(thread, 0..0, &AtomicU64::new(0), |_, answer, _| answer.task)
    }

    fn ask<R>(
        &mut self,
        thread: &Thread,
        stack: Range<u64>,
        mark: &AtomicU64,
        then: impl FnOnce(&mut Walker, &Answer, &[u64]) -> R,
    ) -> Result<R, Missed> {
        let signal = self.signal;
        self.replaced |= !handler::is_in_force(signal);
        if self.replaced {
            return Err(Missed::Replaced { signal });
        }
        let question = Question {
            handle: thread.handle,
            stack,
            mark,
            with_task: self.with_task,
        };
        let send = || {
            handler::send(signal, thread.id).map_err(|errno| match errno {
                libc::ESRCH => Missed::Gone,
                errno => Missed::Failed { signal, errno },
            })
        };
        let answered = self.asker.ask(thread.id, question, LIMIT, send)?;
        let (answer, words) = answered.ok_or(Missed::Unanswered)?;
        Ok(then(&mut self.walker, answer, words))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        handler::restore(self.signal);
    }
}

/// An address within tokio.
fn tokios_code() -> u64 {
    type Build = fn(&mut tokio::runtime::Builder) -> std::io::Result<tokio::runtime::Runtime>;
    tokio::runtime::Builder::build as Build as usize as u64
}
