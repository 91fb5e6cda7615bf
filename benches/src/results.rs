//! The page that a run writes.

use std::fmt::{self, Write as _};

use crate::stats::{Median, Verdict};

/// What one part of the benchmark found.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What is under it, in Markdown.
    pub text: String,
    /// The budgets that it can judge.
    pub budgets: Vec<Budget>,
}

/// A limit that the project has set itself, and what was measured.
#[derive(Clone, Debug)]
pub struct Budget {
    /// What is limited.
    pub what: String,
    /// The limit, for a reader.
    pub limit: String,
    /// What was measured, for a reader.
    pub measured: String,
    /// Whether it is kept.
    pub verdict: Verdict,
}

/// A table with a heading row; the first column is aligned left, the rest right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|---|", head.join(" | "));
    for _ in 1..head.len() {
        text.push_str("---:|");
    }
    text.push('\n');
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// The table of all budgets.
pub fn budgets<'a>(sections: impl Iterator<Item = &'a Section>) -> String {
    let rows: Vec<Vec<String>> = sections
        .flat_map(|section| &section.budgets)
        .map(|budget| {
            vec![
                budget.what.clone(),
                budget.limit.clone(),
                budget.measured.clone(),
                budget.verdict.to_string(),
            ]
        })
        .collect();
    table(&["", "budget", "measured", ""], &rows)
}

/// Nanoseconds, as short as they make sense.
#[derive(Clone, Copy, Debug)]
pub struct Nanos(pub f64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            0.0..10.0 => write!(f, "{:.1} ns", self.0),
            10.0..10_000.0 => write!(f, "{:.0} ns", self.0),
            _ => write!(f, "{:.1} µs", self.0 / 1_000.0),
        }
    }
}

/// A difference in nanoseconds, with the interval of its median.
pub fn more(difference: Median) -> String {
    let Median { value, low, high } = difference;
    format!("{}{} ({low:+.1} … {high:+.1})", sign(value), Nanos(value))
}

/// The sign that a number does not print by itself.
pub fn sign(value: f64) -> &'static str {
    if value < 0.0 { "" } else { "+" }
}
