//! Medians, and how sure they are.

use std::fmt;

/// The middle of some measurements, and where it lies with 95 % certainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    /// The median.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Median {
    /// Of these. The interval is that of the order statistics, which assumes
    /// nothing of how they are distributed.
    ///
    /// # Panics
    ///
    /// If there are none, or one is no number.
    pub fn of(mut values: Vec<f64>) -> Median {
        assert!(!values.is_empty(), "no measurements");
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let reach = (0.98 * (n as f64).sqrt()).ceil() as usize;
        Median {
            value: f64::midpoint(values[(n - 1) / 2], values[n / 2]),
            low: values[(n / 2).saturating_sub(reach)],
            high: values[(n / 2 + reach).min(n - 1)],
        }
    }
}

/// Of what each arm measured in the same rounds: the arm's own median, and those
/// of its difference from and its ratio to `base`, round by round.
pub fn paired(arm: &[f64], base: &[f64]) -> (Median, Median, Median) {
    let each = |f: fn(f64, f64) -> f64| {
        let pairs = arm.iter().zip(base);
        Median::of(pairs.map(|(arm, base)| f(*arm, *base)).collect())
    };
    (
        Median::of(arm.to_vec()),
        each(|arm, base| arm - base),
        each(|arm, base| arm / base),
    )
}

/// What an arm took, and its bare arm right before and after.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The arm.
    pub own: f64,
    /// The bare one.
    pub around: [f64; 2],
}

impl Turn {
    /// What it is compared with: the bare arm that, like this one, had not run for a while. The
    /// one after had, and may be the quicker for it.
    pub fn base(self) -> f64 {
        self.around[0]
    }

    fn slower(self) -> f64 {
        self.around[0].max(self.around[1])
    }
}

/// For each turn, whether nobody else had the processor to speak of: the bare arm, before and
/// after, was as quick as in the quickest tenth of all that it took, or a fifth slower. (Two
/// that share a core are slower by more than that.) If that is too seldom, the tenth of the
/// turns in which it was quickest.
///
/// The arm itself has no say in it. Where bare was quick by chance and not because it was
/// let be, the difference seems larger than it is, never smaller.
///
/// # Panics
///
/// If there are none.
pub fn undisturbed(turns: &[Turn], bare: &[f64]) -> Vec<bool> {
    let nth = |mut values: Vec<f64>, of: usize| {
        values.sort_by(f64::total_cmp);
        values[(values.len() - 1) / of]
    };
    let quick = 1.2 * nth(bare.to_vec(), 10);
    let tenth = nth(turns.iter().map(|turn| turn.slower()).collect(), 10);
    let limit = quick.max(tenth);
    turns.iter().map(|turn| turn.slower() <= limit).collect()
}

/// Whether a budget is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of the interval is within it.
    Met,
    /// The limit lies inside the interval: this run cannot tell.
    Undecided,
    /// All of the interval is beyond it.
    NotMet,
}

impl Verdict {
    /// Of something that must not exceed `limit`.
    pub fn at_most(median: Median, limit: f64) -> Verdict {
        if median.high <= limit {
            Verdict::Met
        } else if median.low <= limit {
            Verdict::Undecided
        } else {
            Verdict::NotMet
        }
    }

    /// Of something that must reach `limit`.
    pub fn at_least(median: Median, limit: f64) -> Verdict {
        let negative = Median {
            value: -median.value,
            low: -median.high,
            high: -median.low,
        };
        Verdict::at_most(negative, -limit)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Met => "met",
            Verdict::Undecided => "undecided",
            Verdict::NotMet => "**not met**",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_its_interval() {
        let median = Median::of((0..101).rev().map(f64::from).collect());
        assert_eq!(median.value, 50.0);
        assert_eq!((median.low, median.high), (40.0, 60.0));
        assert_eq!(Median::of(vec![3.0]).high, 3.0);
    }

    #[test]
    fn pairs_are_of_one_round() {
        let (arm, difference, ratio) = paired(&[3.0, 30.0, 6.0], &[1.0, 10.0, 2.0]);
        assert_eq!(arm.value, 6.0);
        assert_eq!(difference.value, 4.0);
        assert_eq!(ratio.value, 3.0);
    }

    fn turn(own: f64, before: f64, after: f64) -> Turn {
        let around = [before, after];
        Turn { own, around }
    }

    #[test]
    fn what_others_took_time_from_does_not_count() {
        let quiet = turn(15.0, 10.0, 10.5);
        let (busy, changes) = (turn(22.0, 14.0, 14.5), turn(15.0, 10.0, 14.0));
        let turns = [quiet, busy, changes, quiet, busy];
        let bare = turns.map(|turn| turn.around).concat();
        let expected = [true, false, false, true, false];
        assert_eq!(undisturbed(&turns, &bare), expected);
        assert_eq!(quiet.base(), 10.0);
    }

    #[test]
    fn a_tenth_always_counts() {
        let turns: Vec<Turn> = (0..21)
            .map(|n| turn(1.0, 20.0 + f64::from(n), 20.0))
            .collect();
        let mut counts = undisturbed(&turns, &[10.0, 20.0, 30.0]);
        counts.truncate(4);
        assert_eq!(counts, [true, true, true, false]);
    }

    #[test]
    fn a_verdict_knows_what_it_cannot_tell() {
        let median = Median {
            value: 5.0,
            low: 4.0,
            high: 6.0,
        };
        assert_eq!(Verdict::at_most(median, 6.0), Verdict::Met);
        assert_eq!(Verdict::at_most(median, 4.5), Verdict::Undecided);
        assert_eq!(Verdict::at_most(median, 3.0), Verdict::NotMet);
        assert_eq!(Verdict::at_least(median, 3.0), Verdict::Met);
        assert_eq!(Verdict::at_least(median, 7.0), Verdict::NotMet);
    }
}
