//! The resident memory of a run.

use std::fs;
use std::time::Duration;

/// Of the whole time, how much is warm-up.
const WARM_UP: u32 = 5;

/// How much more than after the warm-up is no growth: allocators do not give back all.
const TENTH: u64 = 10;
const SLACK: u64 = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// When, and how many KiB.
    looks: Vec<(Duration, u64)>,
}

/// In KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// The most until the end of the warm-up.
    pub(super) warm: u64,
    pub(super) half: u64,
    pub(super) end: u64,
    /// The most in the second half.
    pub(super) most: u64,
}

impl Memory {
    pub(super) fn look(&mut self, process: u32, age: Duration) {
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        let resident = status.as_deref().ok().and_then(resident);
        self.looks.extend(resident.map(|kib| (age, kib)));
    }

    pub(super) fn figures(&self) -> Option<Figures> {
        let (end, last) = *self.looks.last()?;
        let most = |from: Duration, to: Duration| {
            let during = self.looks.iter().filter(|(at, _)| (from..=to).contains(at));
            during.map(|(_, kib)| *kib).max()
        };
        let (_, half) = self.looks.iter().find(|(at, _)| *at >= end / 2)?;
        Some(Figures {
            warm: most(Duration::ZERO, end / WARM_UP)?,
            half: *half,
            end: last,
            most: most(end / 2, end)?,
        })
    }
}

impl Figures {
    pub(super) fn bound(&self) -> u64 {
        self.warm + self.warm / TENTH + SLACK
    }
}

/// From a line such as `VmRSS:     5036 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
