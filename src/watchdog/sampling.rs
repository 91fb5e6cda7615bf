//! The sampler, got ready when it is first needed, and given up when it fails.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::sampler::{Missed, Refused, Sampler, Thread};
use super::scan::Had;
use super::slot::Slot;
use crate::config::Signal;
use crate::mode::Scope;
use crate::report::{self, Doing, Live};

pub(super) enum Sampling {
    /// Not needed so far.
    Not,
    By(Box<Sampler>),
    /// Not wanted, or not to be had.
    Off,
}

impl Sampling {
    pub(super) fn new() -> Sampling {
        Sampling::Not
    }

    fn ready(&mut self) -> Option<&mut Sampler> {
        if let Sampling::Not = self {
            *self = Sampling::install(Scope::process().settings().sample_signal);
        }
        match self {
            Sampling::By(sampler) => Some(sampler),
            Sampling::Not | Sampling::Off => None,
        }
    }

    fn install(signal: Signal) -> Sampling {
        let Some(signal) = signal.number() else {
            return Sampling::Off;
        };
        match Sampler::install(signal) {
            Ok(sampler) => Sampling::By(Box::new(sampler)),
            // Nothing that the program's author could change.
            Err(Refused::Unsupported) => Sampling::Off,
            Err(refused) => {
                say(refused.to_string());
                Sampling::Off
            }
        }
    }

    /// The stack of a slot's thread, and what `mark` was there.
    pub(super) fn sample(&mut self, slot: &Slot, mark: &AtomicU64) -> Option<(Live, u64)> {
        let sample = self.ask(slot, |sampler, thread| sampler.sample(thread, mark))?;
        let live = Live {
            stack: sample.stack,
            cut: sample.cut,
            doing: None,
            task: sample.task,
        };
        Some((live, sample.mark))
    }

    /// The task that a slot's thread is in.
    pub(super) fn task(&mut self, slot: &Slot) -> Option<tokio::task::Id> {
        self.ask(slot, Sampler::task)?
    }

    fn ask<R>(
        &mut self,
        slot: &Slot,
        ask: impl FnOnce(&mut Sampler, &Thread) -> Result<R, Missed>,
    ) -> Option<R> {
        let sampler = self.ready()?;
        // Held till the thread has answered: it must not end meanwhile.
        let owner = slot.owner();
        let answered = ask(sampler, owner.as_ref()?);
        drop(owner);
        if let Err(missed @ Missed::Replaced { .. }) = &answered {
            say(missed.to_string());
            *self = Sampling::Off;
        }
        answered.ok()
    }
}

/// Says once why there are no stacks: not from here, where locks are held and somebody
/// may wait, as it runs the program's subscriber.
fn say(message: String) {
    static SAID: Mutex<String> = Mutex::new(String::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if *said != message {
        said.clone_from(&message);
        drop(said);
        report::say_soon(message);
    }
}

/// What a slot's thread does at this moment.
pub(super) fn doing_now(slot: &Slot) -> Option<Doing> {
    let owner = slot.owner();
    Some(if owner.as_ref()?.is_runnable()? {
        Doing::Computing
    } else {
        Doing::Waiting
    })
}

/// The name of a slot's thread.
pub(super) fn name(slot: &Slot) -> Option<String> {
    let owner = slot.owner();
    owner.as_ref()?.name().map(str::to_owned)
}

/// For how long a slot's thread has been on a processor.
pub(super) fn cpu(slot: &Slot) -> Option<Duration> {
    slot.owner().as_ref()?.cpu_time()
}

/// For how long it has waited for one.
pub(super) fn queued(slot: &Slot) -> Option<Duration> {
    slot.owner().as_ref()?.queued()
}

/// What a slot's thread has had of the processors.
pub(super) fn had(slot: &Slot) -> Option<Had> {
    let owner = slot.owner();
    let thread = owner.as_ref()?;
    Some(Had {
        cpu: thread.cpu_time()?,
        queued: thread.queued().unwrap_or_default(),
    })
}
