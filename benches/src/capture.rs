//! Taking a stack: ours, the standard library's, and `backtrace`'s.

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::results::{Budget, Nanos, Section, table};
use crate::stats::{Verdict, paired};

const ROUNDS: usize = 80;
const SLICE: Duration = Duration::from_millis(2);

/// The depths that are asked for. A thread has some frames before it begins, so
/// the first may come out deeper.
const DEPTHS: [usize; 3] = [10, 32, 64];

/// Of how many different stacks one row takes turns with.
const DISTINCT: u32 = 256;

const NAMES: [&str; 4] = [
    "`debug_async`, interned",
    "`std::backtrace::Backtrace::force_capture`",
    "`backtrace::Backtrace::new_unresolved`",
    "`backtrace::trace`, addresses only",
];

fn once(arm: usize) {
    match arm {
        0 => debug_async::__private::capture(),
        1 => drop(black_box(Backtrace::force_capture())),
        2 => drop(black_box(backtrace::Backtrace::new_unresolved())),
        _ => {
            let mut addresses = [std::ptr::null_mut(); 64];
            let mut depth = 0;
            backtrace::trace(|frame| {
                addresses[depth] = frame.ip();
                depth += 1;
                depth < addresses.len()
            });
            black_box(addresses);
        }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Nanoseconds for each of `times` captures, here.
#[inline(never)]
fn timed(arm: usize, times: u32) -> f64 {
    once(arm);
    let start = thread_time();
    for _ in 0..times {
        once(arm);
    }
    (thread_time() - start).as_nanos() as f64 / f64::from(times)
}

/// How many frames there are above the caller, itself included.
#[inline(never)]
fn depth_here() -> usize {
    let mut depth: usize = 0;
    backtrace::trace(|_| {
        depth += 1;
        true
    });
    // Its own frames, and this one.
    depth - own_frames()
}

/// The frames that `depth_here` sees below its caller.
fn own_frames() -> usize {
    let here = depth_here as *const () as usize;
    let mut below = 0;
    let mut found = 0;
    backtrace::trace(|frame| {
        below += 1;
        if frame.symbol_address().addr() == here {
            found = below;
        }
        true
    });
    // This function was called by `depth_here`, so it has one more.
    found - usize::from(found > 0)
}

/// Runs `f` below `more` frames of real recursion.
#[inline(never)]
fn deeper<R>(more: usize, f: &mut dyn FnMut() -> R) -> R {
    let result = if more == 0 { f() } else { deeper(more - 1, f) };
    // Something to come back for: it is not to be turned into a loop.
    black_box(result)
}

#[inline(never)]
fn left(bits: u32, more: usize, f: &mut dyn FnMut()) {
    branch(bits >> 1, more - 1, f);
    black_box(&f);
}

#[inline(never)]
fn right(bits: u32, more: usize, f: &mut dyn FnMut()) {
    branch(bits >> 1, more - 1, f);
    black_box(&bits);
}

/// Below `more` frames, through a way that `bits` tells.
#[inline(always)]
fn branch(bits: u32, more: usize, f: &mut dyn FnMut()) {
    if more == 0 {
        f();
    } else if bits & 1 == 0 {
        left(bits, more, f);
    } else {
        right(bits, more, f);
    }
}

/// What each arm took in each round, at one depth.
fn rounds(mut one: impl FnMut(usize, u32) -> f64) -> Vec<Vec<f64>> {
    let fit = |nanos: f64| ((SLICE.as_nanos() as f64 / nanos) as u32).max(10);
    let times: Vec<u32> = (0..NAMES.len()).map(|arm| fit(one(arm, 20))).collect();
    let mut measured = vec![Vec::new(); NAMES.len()];
    for round in 0..ROUNDS {
        for turn in 0..NAMES.len() {
            let arm = (turn + round) % NAMES.len();
            measured[arm].push(one(arm, times[arm]));
        }
    }
    measured
}

/// Runs it, on a thread of its own: its stack begins with few frames.
///
/// # Panics
///
/// If the thread cannot be had.
pub fn run() -> Section {
    let thread = std::thread::Builder::new().spawn(on_this_thread);
    thread.expect("a thread").join().expect("no panic")
}

fn on_this_thread() -> Section {
    let base = deeper(0, &mut depth_here);
    let mut columns: Vec<(String, Vec<Vec<f64>>)> = Vec::new();
    for depth in DEPTHS {
        let more = depth.saturating_sub(base);
        let mut true_depth = 0;
        let measured = deeper(more, &mut || {
            true_depth = depth_here();
            rounds(timed)
        });
        columns.push((format!("{true_depth} frames"), measured));
    }

    // Each capture from another stack than the one before.
    let more = DEPTHS[1].saturating_sub(base);
    let distinct = rounds(|arm, times| {
        let turns = times.div_ceil(DISTINCT);
        let start = thread_time();
        for _ in 0..turns {
            for bits in 0..DISTINCT {
                branch(bits, more, &mut || once(arm));
            }
        }
        (thread_time() - start).as_nanos() as f64 / f64::from(turns * DISTINCT)
    });
    columns.push((
        format!("{DISTINCT} stacks of some {} in turn", DEPTHS[1]),
        distinct,
    ));

    let mut head = vec![""];
    head.extend(columns.iter().map(|(name, _)| name.as_str()));
    let row = |arm: usize| {
        let mut row = vec![NAMES[arm].to_owned()];
        row.extend(columns.iter().map(|(_, measured)| {
            let (own, _, ratio) = paired(&measured[arm], &measured[0]);
            let ratio = match arm {
                0 => String::new(),
                _ => format!("<br>×{:.1}", ratio.value),
            };
            format!("{}{ratio}", Nanos(own.value))
        }));
        row
    };
    let rows: Vec<Vec<String>> = (0..NAMES.len()).map(row).collect();
    let text = format!(
        "One capture, dropped again; nothing is resolved. The depth is the one that \
         `backtrace::trace` counts in the function that calls the arm; each arm adds frames of \
         its own. `debug_async` keeps 64 frames at most. Medians of {ROUNDS} rounds; ratios to \
         the first row.\n\n{}",
        table(&head, &rows)
    );
    let at_32 = &columns[1].1;
    let (ours, _, _) = paired(&at_32[0], &at_32[0]);
    let (_, _, faster) = paired(&at_32[1], &at_32[0]);
    Section {
        title: "Capture",
        text,
        budgets: vec![
            Budget {
                what: "capture of 32 frames".into(),
                limit: "≤ 0.5 µs".into(),
                measured: Nanos(ours.value).to_string(),
                verdict: Verdict::at_most(ours, 500.0),
            },
            Budget {
                what: "the same, against `force_capture`".into(),
                limit: "≥ 15 × faster".into(),
                measured: format!("{:.1} × faster", faster.value),
                verdict: Verdict::at_least(faster, 15.0),
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recursion_makes_the_depth_that_is_asked_for() {
        let base = deeper(0, &mut depth_here);
        assert_eq!(deeper(20, &mut depth_here), base + 20);
    }
}
