//! Repeats: the 1st, the 10th, the 100th, … are told, the rest at the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Frame, Report, ReportKind, sink};
use crate::mode::Scope;
use crate::site::{self, Site};

/// Whether a count that grew from `before` to `after` passed a power of ten.
pub(super) fn admits(before: u64, after: u64) -> bool {
    let mut power = 1u64;
    while power <= before {
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return false,
        }
    }
    power <= after
}

/// What was found where nothing is tracked, by the place that was seen, with how often
/// it was found and how often it had been when it was last told.
static ELSEWHERE: Mutex<BTreeMap<(ReportKind, String), (u64, u64)>> = Mutex::new(BTreeMap::new());

/// Counts a finding that has no site, and gives its count to the report. False if it
/// is one of many.
pub(super) fn admits_elsewhere(report: &mut Report) -> bool {
    let Some(place) = report.blocked_at.as_ref().map(Frame::to_string) else {
        return true;
    };
    let mut elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    let (found, told) = elsewhere.entry((report.kind, place)).or_default();
    *found += 1;
    report.count = *found;
    let admitted = admits(*found - 1, *found);
    if admitted {
        *told = *found;
    }
    admitted
}

/// Tells how often each finding was made whose repeats were held back.
pub(super) fn tell_rest() {
    let mut lines = Vec::new();
    for (site, kind) in untold() {
        let found = site.found(kind);
        site.set_told(kind, found);
        lines.push(format!("{found} × {kind} at {}", site.location()));
    }
    let mut elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    for ((kind, place), (found, told)) in elsewhere.iter_mut().filter(|(_, (f, t))| f > t) {
        *told = *found;
        lines.push(format!("{found} × {kind} at {place}"));
    }
    drop(elsewhere);
    if lines.is_empty() {
        return;
    }
    let message = format!("repeated findings, in all: {}", lines.join("; "));
    let report = Report::new(ReportKind::Summary, Scope::process(), message)
        .help_with("each was reported above at its 1st, 10th, 100th … time");
    sink::deliver(&report);
}

/// The sites whose findings have not all been told.
fn untold() -> Vec<(&'static Site, ReportKind)> {
    let kinds = |site| ReportKind::ALL.iter().map(move |kind| (site, *kind));
    let pairs = site::all().into_iter().flat_map(kinds);
    pairs
        .filter(|(site, kind)| site.found(*kind) > site.told(*kind))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten() {
        let admitted: Vec<u64> = (1..=10_000).filter(|n| admits(n - 1, *n)).collect();
        assert_eq!(admitted, [1, 10, 100, 1_000, 10_000]);
    }

    #[test]
    fn many_at_once() {
        assert!(admits(0, 10_000));
        assert!(admits(5, 12));
        assert!(!admits(12, 99));
        assert!(!admits(u64::MAX - 1, u64::MAX));
    }
}
