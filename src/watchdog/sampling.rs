//! The sampler, got ready when it is first needed, and given up when it fails.

use std::sync::atomic::AtomicU64;

use super::sampler::Sampler;
use super::scan::Had;
use super::slot::Slot;
use crate::config::SampleSignal;
use crate::mode::Scope;
use crate::notice;
use crate::report::Live;

pub(super) enum Sampling {
    /// Not needed so far.
    Not,
    By(Sampler),
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

    fn install(signal: SampleSignal) -> Sampling {
        let Some(signal) = signal.number() else {
            return Sampling::Off;
        };
        match Sampler::install(signal) {
            Ok(sampler) => Sampling::By(sampler),
            Err(refused) => {
                say(&refused);
                Sampling::Off
            }
        }
    }

    /// The stack of a slot's thread, and what `mark` was there.
    pub(super) fn sample(&mut self, slot: &Slot, mark: &AtomicU64) -> Option<(Live, u64)> {
        let in_runtime = slot.worker().is_some();
        let sampler = self.ready()?;
        // Held till the thread has answered: it must not end meanwhile.
        let owner = slot.owner();
        let sampled = sampler.sample(owner.as_ref()?, mark, in_runtime);
        drop(owner);
        match sampled {
            Ok(sample) => {
                let live = Live {
                    stack: sample.stack,
                    cut: sample.cut,
                    doing: None,
                    task: sample.task,
                };
                Some((live, sample.mark))
            }
            Err(missed) => {
                if missed.is_final() {
                    say(&missed);
                    *self = Sampling::Off;
                }
                None
            }
        }
    }
}

fn say(why: &impl std::fmt::Display) {
    notice::say(&format!(
        "the stacks of blocked threads cannot be taken: {why}; reports of slow polls go without \
         (ASYNC_DEBUG_SAMPLE_SIGNAL chooses another signal, or `off`)"
    ));
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
