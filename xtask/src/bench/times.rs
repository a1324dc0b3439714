//! Times of one thing that was done many times.

use std::fmt;

/// How long it took each time, in milliseconds, shortest first.
pub(super) struct Times(Vec<f64>);

impl Times {
    /// Sorts at least one time, in milliseconds.
    pub(super) fn of(mut times_ms: Vec<f64>) -> Self {
        times_ms.sort_by(f64::total_cmp);
        Self(times_ms)
    }

    /// The middle one, in milliseconds.
    pub(super) fn median_ms(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99_ms = self.0[self.0.len() * 99 / 100];
        write!(f, "p50 {:.1} ms, p99 {p99_ms:.1} ms", self.median_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_nearly_longest_are_told_in_whatever_order_they_came() {
        let times = Times::of((0..200).rev().map(f64::from).collect());
        assert_eq!(times.to_string(), "p50 100.0 ms, p99 198.0 ms");
    }
}
