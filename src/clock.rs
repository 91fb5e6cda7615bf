//! The time, read in one place so that a cheaper clock has one place to go.

use std::time::Duration;

/// A point in time. Monotonic, and still while the machine is suspended.
pub(crate) type Instant = std::time::Instant;

/// The present.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A duration as people read it: three figures at most, and a unit.
pub(crate) fn human(duration: Duration) -> String {
    let rounded = match duration.as_nanos() {
        0..1_000 => duration,
        1_000..1_000_000 => Duration::from_nanos(duration.as_nanos() as u64 / 1_000 * 1_000),
        1_000_000..10_000_000_000 => Duration::from_millis(duration.as_millis() as u64),
        _ => Duration::from_secs(duration.as_secs()),
    };
    humantime::format_duration(rounded).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_well() {
        assert_eq!(human(Duration::from_nanos(153_456_789)), "153ms");
        assert_eq!(human(Duration::from_nanos(1_534_567)), "1ms");
        assert_eq!(human(Duration::from_nanos(15_345)), "15us");
        assert_eq!(human(Duration::from_millis(2_150)), "2s 150ms");
        assert_eq!(human(Duration::from_millis(72_150)), "1m 12s");
    }
}
