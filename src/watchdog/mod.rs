//! The watchdog: a thread that looks at the polls in progress, and at the workers of
//! the runtimes, and tells what blocks them while it does.
//!
//! ```text
//! slot      what each thread says of the poll it is in
//! runtimes  the runtimes that are watched, and which thread runs which worker
//! watch     the same for runtimes that are not ours
//! scan      what to do about what is seen: pure functions
//! polls     doing it for the tracked polls in progress
//! workers   doing it for the workers of a runtime, whatever they run
//! sampling  having the sampler ready, or doing without
//! sampler   taking the stack of another thread
//! stalls    times in which the process stood still, or was not looked at
//! thread    the thread that does it
//! ```
//!
//! The thread is there while a runtime of ours lives in debug mode, or something
//! tracked is polled in it, and goes when that is over.

mod polls;
mod runtimes;
mod sampler;
mod sampling;
mod scan;
mod slot;
mod stalls;
mod thread;
mod watch;
mod workers;

pub(crate) use self::runtimes::{Driving, Registration, number, on_worker, register, untracked};
pub(crate) use self::slot::{Showing, Untold};
pub(crate) use self::stalls::since as stalled_since;
pub use self::watch::watch;

use std::time::Duration;

use crate::clock::Tick;
use crate::report::Live;
use slot::Slot;

/// What was seen of a poll in progress.
#[derive(Debug)]
pub(crate) struct Taken {
    at: Tick,
    pub(crate) live: Live,
}

/// The slot of this thread, with somebody there to look at it.
#[inline]
pub(crate) fn slot() -> Option<&'static Slot> {
    thread::ensure();
    slot::mine()
}

/// This thread was, for so long, in what has been told of or is allowed: the polls in
/// progress are no older for it.
pub(crate) fn excuse(nanos: u64) {
    if let Some(slot) = slot::mine_if_any() {
        slot.excuse(nanos);
    }
}

/// For how long this thread has waited for a processor, in the poll that began then and
/// was slow. It is not known of the time before the watchdog saw that it might be; if it
/// did not for want of a processor, as long as it did not.
pub(crate) fn queued_since(start: Tick) -> Duration {
    slot::mine_if_any().map_or(Duration::ZERO, |slot| slot.queued_since(start))
}

/// What was seen of this thread since `start`.
pub(crate) fn taken_since(start: Tick) -> Option<Live> {
    let taken = slot::mine_if_any()?.taken_since(start)?;
    Some(taken.live)
}

/// This thread tells of something that has blocked it since `start`, other than a poll.
/// False if it has been told of: as a poll, or as what blocked its worker.
pub(crate) fn tells_itself(start: Tick) -> bool {
    slot::mine_if_any().is_none_or(|slot| slot.tells_itself(start) && !slot.is_told())
}
