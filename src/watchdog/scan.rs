//! What to do about what is seen: pure functions of slots, metrics, time and limits.
//!
//! Times are counted from any point that does not change.

use std::time::Duration;

use tokio::task::Id;

use crate::report::Doing;

/// The bounds of the time between two looks that nothing calls for: an eighth of the
/// threshold, or a fifth while nothing is at work, within these.
pub(super) const OFTEN: Duration = Duration::from_millis(5);
pub(super) const SELDOM: Duration = Duration::from_millis(50);

/// From when on a poll is slow, and from when on it is told of while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) slow: Duration,
    pub(super) blocked: Duration,
}

impl Limits {
    /// The age at which a block is told of, after it has been `told` times.
    fn next(&self, told: u32) -> Duration {
        self.blocked
            .max(self.slow)
            .saturating_mul(10u32.saturating_pow(told))
    }
}

/// What has been done about one poll in progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) noted: bool,
    pub(super) sampled: bool,
    pub(super) told: u32,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, for so long.
    Wait(Duration),
    /// Note how much processor time its thread has had.
    Note,
    /// Take its stack.
    Sample,
    /// Tell that it is still running.
    Tell,
}

/// What to do about a tracked poll that has been running for `age`.
pub(super) fn poll(age: Duration, done: Done, limits: Limits) -> Next {
    let tell_at = limits.next(done.told);
    if age >= limits.slow / 2 && !done.noted && !done.sampled {
        Next::Note
    } else if age >= tell_at {
        Next::Tell
    } else if age >= limits.slow && !done.sampled {
        Next::Sample
    } else if !done.sampled {
        // A look comes by in time to note, as a rule: none is called for.
        let is_noted = done.noted || limits.slow / 2 >= SELDOM;
        let next = if is_noted {
            limits.slow
        } else {
            limits.slow / 2
        };
        Next::Wait(next - age)
    } else {
        Next::Wait(tell_at - age)
    }
}

/// What a thread did between two looks, of which it had `cpu` on a processor and
/// `queued` in wait for one. Who slept waits for a processor as well, so that says nothing.
pub(super) fn doing(passed: Duration, cpu: Duration, queued: Duration) -> Doing {
    if cpu > passed.saturating_sub(queued) / 2 {
        Doing::Computing
    } else {
        Doing::Waiting
    }
}

/// What tokio counts for a worker. Both stand still during a poll; they move when the
/// worker parks, and every `event_interval` polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Reading {
    pub(super) park_unpark: u64,
    pub(super) busy: Duration,
}

impl Reading {
    pub(super) fn is_active(self) -> bool {
        self.park_unpark.is_multiple_of(2)
    }
}

/// The time that a thread has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Had {
    /// On a processor.
    pub(super) cpu: Duration,
    /// In wait for one.
    pub(super) queued: Duration,
}

/// The thread of a worker, to be asked. What comes last costs most.
pub(super) trait Thread {
    /// For how long it has been on a processor, if the thread is known.
    fn cpu(&self) -> Option<Duration>;
    /// For how long it has waited for one.
    fn queued(&self) -> Duration;
    /// Whether it is waiting for something else than a processor.
    fn waits(&self) -> bool;
}

/// A worker, as seen from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    reading: Reading,
    /// When the reading last changed.
    since: Duration,
    /// When that was first seen to stand still, and what its thread had had of the
    /// processors.
    first: Option<(Duration, Duration)>,
    /// Since when its thread has not been on a processor, and what it had had there.
    still: (Duration, Duration),
    queue: Option<Queue>,
    sampled: Sampled,
    /// Each sample found it running, or waiting for a processor.
    ran: bool,
    block: Option<Block>,
}

/// How long a thread had waited for a processor, when that was last asked.
#[derive(Clone, Copy, Debug)]
struct Queue {
    at: Duration,
    queued: Duration,
    /// How much of the time before was no such wait. What it was before that was first
    /// asked is not known: then, what it computed.
    own: Duration,
}

/// What the samples of a worker that may be blocked have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampled {
    Never,
    /// The same task each time, as often as this.
    Task(Option<Id>, u32),
    /// Several tasks: it goes from one to the other.
    Several,
}

impl Sampled {
    fn times(self) -> u32 {
        match self {
            Sampled::Task(_, times) => times,
            Sampled::Never | Sampled::Several => 0,
        }
    }
}

/// How long a worker whose figures stand still must have been at it to be in one poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certain {
    /// If it computes: few polls take that much of the processor each.
    pub(super) computing: Duration,
    /// If it mostly waits, if never for long: only when one of its polls must be slow.
    pub(super) waiting: Duration,
}

/// A worker that is blocked for sure.
#[derive(Clone, Copy, Debug)]
struct Block {
    told: u32,
    doing: Doing,
    /// What its thread had had of the processors after it was last sampled.
    cpu: Option<Duration>,
}

impl Block {
    fn new(doing: Doing) -> Block {
        Block {
            told: 0,
            doing,
            cpu: None,
        }
    }
}

/// What a look at a worker calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Nothing,
    /// See which task its thread is in.
    Sample,
    /// It is blocked: take the stack.
    Blocked(Doing),
    /// It still is, and has been for so long: take the stack and tell. True: it has
    /// been told before.
    Tell(Duration, bool),
    /// It no longer is, after so long. True: it has been told.
    Ended(Duration, bool),
}

/// So many samples of one task are enough.
const SAMPLES: u32 = 4;

/// Processor time that is nobody's doing. To go from one poll to the next takes more.
const SLACK: Duration = Duration::from_micros(2);

impl Worker {
    pub(super) fn new(now: Duration, reading: Reading) -> Worker {
        Worker {
            reading,
            since: now,
            first: None,
            still: (now, Duration::ZERO),
            queue: None,
            sampled: Sampled::Never,
            ran: true,
            block: None,
        }
    }

    /// Whether it is at work, and was at the last look, with nothing changed.
    pub(super) fn stands_still(&self, reading: Reading) -> bool {
        reading == self.reading && reading.is_active()
    }

    /// Looks at it. `certain` counts if it does not wait all the time.
    pub(super) fn look(
        &mut self,
        now: Duration,
        reading: Reading,
        thread: &impl Thread,
        limits: Limits,
        certain: Certain,
    ) -> Look {
        if !self.stands_still(reading) {
            return self.ends(now, reading);
        }
        let age = now.saturating_sub(self.since);
        if let Some(block) = &mut self.block {
            if block.doing == Doing::Waiting
                && let Some(cpu) = thread.cpu()
                && cpu > *block.cpu.get_or_insert(cpu) + SLACK
            {
                // What it waited for is there, and the next poll may be another.
                return self.ends(now, reading);
            }
            if age < limits.next(block.told) {
                return Look::Nothing;
            }
            block.told += 1;
            block.cpu = None;
            return Look::Tell(age, block.told > 1);
        }
        let Some(cpu) = thread.cpu() else {
            return Look::Nothing;
        };
        let (first, cpu_at_first) = *self.first.get_or_insert_with(|| {
            self.still = (now, cpu);
            (now, cpu)
        });
        if cpu > self.still.1 + SLACK {
            self.still = (now, cpu);
        }
        // Not on a processor since, nor in wait for one: it cannot have gone from one
        // poll to the next.
        if now.saturating_sub(self.still.0) >= limits.slow && thread.waits() {
            self.block = Some(Block::new(Doing::Waiting));
            return Look::Blocked(Doing::Waiting);
        }
        // Samples are spread over the time till it is certain, and no more of them than
        // that takes.
        let wanted = match self.sampled {
            Sampled::Several => return Look::Nothing,
            Sampled::Task(_, times) => certain.computing / 2 * (SAMPLES + times) / SAMPLES,
            Sampled::Never => certain.computing / 2,
        };
        let cpu = cpu.saturating_sub(cpu_at_first);
        let Some(own) = self.own(now, first, cpu, wanted, thread) else {
            return Look::Nothing;
        };
        if self.sampled.times() < SAMPLES {
            return Look::Sample;
        }
        // Where the processor is shared with other machines, the figures may be small.
        let doing = match self.ran {
            true => Doing::Computing,
            false => doing(age, cpu, age.saturating_sub(own)),
        };
        if doing == Doing::Waiting && own < certain.waiting {
            return Look::Nothing;
        }
        self.block = Some(Block::new(doing));
        Look::Blocked(doing)
    }

    /// How much of the time was not a wait for a processor, if as much as is `wanted`. To
    /// ask for that wait is to read a file, so it is asked when it must be.
    fn own(
        &mut self,
        now: Duration,
        first: Duration,
        cpu: Duration,
        wanted: Duration,
        thread: &impl Thread,
    ) -> Option<Duration> {
        let before = match self.queue {
            Some(queue) => queue,
            None if now.saturating_sub(self.since) < wanted => return None,
            None => *self.queue.insert(Queue {
                at: now,
                queued: thread.queued(),
                own: first.saturating_sub(self.since) + cpu,
            }),
        };
        let at_most = before.own + now.saturating_sub(before.at);
        if at_most < wanted {
            return None;
        }
        let queued = thread.queued();
        let own = at_most.saturating_sub(queued.saturating_sub(before.queued));
        self.queue = Some(Queue {
            at: now,
            queued,
            own,
        });
        (own >= wanted).then_some(own)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.block.is_some()
    }

    /// What it did is over, whatever it is.
    pub(super) fn ends(&mut self, now: Duration, reading: Reading) -> Look {
        let block = self.block.map(|block| {
            let elapsed = now.saturating_sub(self.since);
            Look::Ended(elapsed, block.told > 0)
        });
        *self = Worker::new(now, reading);
        block.unwrap_or(Look::Nothing)
    }

    /// Its thread was in this task when it was sampled, and ran or did not.
    pub(super) fn saw(&mut self, task: Option<Id>, ran: bool) {
        self.ran &= ran;
        self.sampled = match self.sampled {
            Sampled::Never => Sampled::Task(task, 1),
            Sampled::Task(before, times) if before == task => Sampled::Task(task, times + 1),
            Sampled::Task(..) | Sampled::Several => Sampled::Several,
        };
    }

    /// What it does is somebody else's to tell, or its time was not its own.
    pub(super) fn start_over(&mut self, now: Duration) {
        if self.block.is_none() {
            *self = Worker::new(now, self.reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LIMITS: Limits = Limits {
        slow: Duration::from_millis(100),
        blocked: Duration::from_secs(1),
    };

    #[test]
    fn a_poll_is_noted_sampled_and_told() {
        let mut done = Done::default();
        assert_eq!(poll(10 * MS, done, LIMITS), Next::Wait(90 * MS));
        let strict = Limits {
            slow: 20 * MS,
            ..LIMITS
        };
        assert_eq!(poll(5 * MS, done, strict), Next::Wait(5 * MS));
        assert_eq!(poll(60 * MS, done, LIMITS), Next::Note);
        done.noted = true;
        assert_eq!(poll(60 * MS, done, LIMITS), Next::Wait(40 * MS));
        assert_eq!(poll(101 * MS, done, LIMITS), Next::Sample);
        done.sampled = true;
        assert_eq!(poll(400 * MS, done, LIMITS), Next::Wait(600 * MS));
        assert_eq!(poll(1_001 * MS, done, LIMITS), Next::Tell);
        done.told = 1;
        assert_eq!(poll(1_001 * MS, done, LIMITS), Next::Wait(8_999 * MS));
        assert_eq!(poll(10_001 * MS, done, LIMITS), Next::Tell);
    }

    #[test]
    fn a_wait_for_a_processor_says_neither_that_it_computes_nor_that_it_waits() {
        let computes = |cpu, queued| doing(50 * MS, cpu * MS, queued * MS) == Doing::Computing;
        // It slept, and then waited for its turn, or it had its turn as often as it came.
        for (cpu, queued) in [(0, 0), (0, 30), (0, 50), (1, 40)] {
            assert!(!computes(cpu, queued), "{cpu}, {queued}");
        }
        for (cpu, queued) in [(50, 0), (30, 0), (10, 40), (5, 44)] {
            assert!(computes(cpu, queued), "{cpu}, {queued}");
        }
    }

    const CERTAIN: Certain = Certain {
        computing: Duration::from_millis(610),
        waiting: Duration::from_millis(6_100),
    };

    struct Asked {
        had: Had,
        waits: bool,
    }

    impl Thread for Asked {
        fn cpu(&self) -> Option<Duration> {
            Some(self.had.cpu)
        }

        fn queued(&self) -> Duration {
            self.had.queued
        }

        fn waits(&self) -> bool {
            self.waits
        }
    }

    /// Looks every 10 ms from 0 on; what each look gave that was not `Nothing`.
    fn looks(
        upto: u64,
        reading: impl Fn(u64) -> Reading,
        had: impl Fn(u64) -> Had,
        task: impl Fn(u64) -> Option<Id>,
    ) -> Vec<(u64, Look)> {
        let waits = had(0) == had(10);
        let thread = |at| Asked {
            had: had(at),
            waits,
        };
        let mut worker = Worker::new(Duration::ZERO, Reading::default());
        let mut seen = Vec::new();
        for at in (0..=upto).step_by(10) {
            let now = Duration::from_millis(at);
            match worker.look(now, reading(at), &thread(at), LIMITS, CERTAIN) {
                Look::Nothing => {}
                Look::Sample => worker.saw(task(at), !waits),
                other => seen.push((at, other)),
            }
        }
        seen
    }

    fn active(busy: u64) -> Reading {
        Reading {
            park_unpark: 2,
            busy: Duration::from_millis(busy),
        }
    }

    fn computing(at: u64) -> Had {
        Had {
            cpu: Duration::from_millis(at + 1),
            queued: Duration::ZERO,
        }
    }

    fn waiting(_: u64) -> Had {
        Had {
            cpu: MS,
            queued: Duration::ZERO,
        }
    }

    #[test]
    fn a_worker_that_waits_is_blocked() {
        let seen = looks(
            300,
            |at| active(if at < 250 { 0 } else { 1 }),
            waiting,
            |_| None,
        );
        // Seen first at 0, seen to stand still at 10.
        assert_eq!(seen[0], (110, Look::Blocked(Doing::Waiting)));
        assert_eq!(seen[1], (250, Look::Ended(250 * MS, false)));
    }

    #[test]
    fn a_worker_that_computes_for_long_in_one_task_is_blocked() {
        let seen = looks(2_000, |_| active(0), computing, |_| None);
        assert_eq!(seen[0], (610, Look::Blocked(Doing::Computing)));
        assert_eq!(seen[1], (1_000, Look::Tell(1_000 * MS, false)));
    }

    #[test]
    fn a_worker_that_waits_twice_is_blocked_twice() {
        let had = |at| Had {
            cpu: if at < 600 { MS } else { 2 * MS },
            queued: Duration::ZERO,
        };
        let seen = looks(900, |_| active(0), had, |_| None);
        assert_eq!(seen[1], (600, Look::Ended(600 * MS, false)));
        assert_eq!(seen[2], (710, Look::Blocked(Doing::Waiting)));
    }

    #[test]
    fn a_worker_that_waits_again_and_again_is_blocked_when_one_poll_must_be_slow() {
        // 1 ms of every 50.
        let a_little = |at| Asked {
            had: Had {
                cpu: Duration::from_millis(at / 50),
                queued: Duration::ZERO,
            },
            waits: true,
        };
        let mut worker = Worker::new(Duration::ZERO, active(0));
        let mut blocked_after = None;
        for at in (0..=7_000).step_by(10) {
            let now = Duration::from_millis(at);
            let look = worker.look(now, active(0), &a_little(at), LIMITS, CERTAIN);
            match look {
                Look::Sample => worker.saw(None, false),
                Look::Blocked(doing) => blocked_after = Some((at, doing)),
                _ => {}
            }
        }
        // What it waited for before the queue was asked may have been a processor.
        let (after, doing) = blocked_after.expect("it is blocked");
        assert_eq!(doing, Doing::Waiting);
        assert!((6_100..=6_500).contains(&after), "{after}");
    }

    /// As after a suspended machine: an hour between two looks, in which nobody ran.
    #[test]
    fn a_worker_whose_clock_leaps_starts_over() {
        const HOUR: Duration = Duration::from_secs(3_600);
        for had in [waiting, computing] {
            let mut worker = Worker::new(Duration::ZERO, active(0));
            let mut look = |now: Duration, leapt: bool| {
                if leapt {
                    worker.start_over(now);
                }
                let at = now.as_millis() as u64 % 3_600_000;
                let waits = had(0) == had(10);
                let thread = Asked {
                    had: had(at),
                    waits,
                };
                worker.look(now, active(0), &thread, LIMITS, CERTAIN)
            };
            for at in (0..100u32).step_by(10) {
                assert_eq!(look(at * MS, false), Look::Nothing, "{at}");
            }
            assert_eq!(look(HOUR, true), Look::Nothing);
            assert_eq!(look(HOUR + 50 * MS, false), Look::Nothing);
            // What it goes on with is its own.
            assert_ne!(look(HOUR + 1_000 * MS, false), Look::Nothing);
        }
    }

    #[test]
    fn a_clock_that_goes_back_is_no_time_that_passed() {
        let mut worker = Worker::new(2_000 * MS, active(0));
        for at in (0..2_000).step_by(10) {
            let thread = Asked {
                had: waiting(at),
                waits: true,
            };
            let now = Duration::from_millis(2_000 - at);
            let look = worker.look(now, active(0), &thread, LIMITS, CERTAIN);
            assert_eq!(look, Look::Nothing, "{at}");
        }
    }

    #[test]
    fn a_worker_that_parks_or_comes_around_is_not() {
        let parked = |_| Reading {
            park_unpark: 1,
            busy: Duration::ZERO,
        };
        assert_eq!(looks(3_000, parked, waiting, |_| None), []);
        // The figures of 61 polls of 5 ms each.
        assert_eq!(looks(3_000, |at| active(at / 305), computing, |_| None), []);
    }

    #[test]
    fn a_worker_that_gets_no_processor_at_all_is_not() {
        let mut worker = Worker::new(Duration::ZERO, active(0));
        for at in 0..100 {
            let now = Duration::from_millis(at * 5);
            let thread = Asked {
                had: waiting(at),
                waits: false,
            };
            let look = worker.look(now, active(0), &thread, LIMITS, CERTAIN);
            assert_ne!(look, Look::Blocked(Doing::Waiting), "{at}");
        }
    }

    #[test]
    fn a_worker_that_waits_for_a_processor_is_not() {
        let starved = |at| Had {
            cpu: Duration::from_millis(at / 4),
            queued: Duration::from_millis(at * 3 / 4),
        };
        assert_eq!(looks(2_000, |_| active(0), starved, |_| None), []);
    }

    #[tokio::test]
    async fn a_worker_that_goes_from_task_to_task_is_not() {
        let (one, other) = (tokio::spawn(async {}), tokio::spawn(async {}));
        let (one, other) = (one.id(), other.id());
        let task = |at: u64| {
            Some(if (at / 80).is_multiple_of(2) {
                one
            } else {
                other
            })
        };
        assert_eq!(looks(5_000, |_| active(0), computing, task), []);
    }
}
