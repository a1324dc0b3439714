//! Jitter, so that a fleet never comes in step; the one place that asks the system for randomness.

use std::ops::RangeInclusive;

/// Draws a whole number out of `range`, evenly enough for jitter.
pub(crate) fn jitter(range: &RangeInclusive<u64>) -> u64 {
    let drawn = getrandom::u64().expect("a running system has a random source");
    let width = range.end().saturating_sub(*range.start()).saturating_add(1);
    range.start() + drawn % width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_range_and_reaches_both_ends() {
        let drawn: Vec<u64> = (0..1_000).map(|_| jitter(&(2..=4))).collect();
        assert!(drawn.iter().all(|number| (2..=4).contains(number)));
        assert!(drawn.contains(&2) && drawn.contains(&4));
        assert_eq!(jitter(&(7..=7)), 7);
    }
}
