//! Durations in log-linear buckets: 1, 2 and 5 of each decade from 1 µs to 100 s.
//!
//! The bounds are the ones that are shown, so that no bucket is kept which nobody can see, and objectives such as
//! "under 0.1 s" are counted exactly. 27 words per histogram; finding the bucket takes no division.

use std::iter::zip;

use super::tally::Tally;

/// Upper bounds, inclusive, in microseconds.
pub(super) const BOUNDS_US: [u32; 25] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

/// The largest of them.
const LAST_BOUND_US: u64 = 100_000_000;

/// One bucket per bound, and one for what is slower.
pub(super) const BUCKETS: usize = BOUNDS_US.len() + 1;

/// One writer's histogram.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [Tally; BUCKETS],
    sum_ns: Tally,
}

impl Histogram {
    /// Counts one duration, in nanoseconds.
    pub(super) fn record(&self, ns: u64) {
        self.sum_ns.add(ns);
        if let Some(bucket) = self.buckets.get(bucket_of(ns)) {
            bucket.add(1);
        }
    }
}

/// A histogram summed over writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HistogramTotals {
    buckets: [u64; BUCKETS],
    sum_ns: u64,
}

impl HistogramTotals {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        self.sum_ns = self.sum_ns.wrapping_add(histogram.sum_ns.value());
        for (total, bucket) in zip(&mut self.buckets, &histogram.buckets) {
            *total += bucket.value();
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Seconds.
    pub(super) fn sum(&self) -> f64 {
        self.sum_ns as f64 / 1e9
    }

    /// Upper bounds in seconds, the last one infinite, each with its own count.
    pub(super) fn buckets(&self) -> [(f64, u64); BUCKETS] {
        let mut bounds = BOUNDS_US.iter().map(|us| f64::from(*us) / 1e6).chain([f64::INFINITY]);
        self.buckets.map(|count| (bounds.next().unwrap_or(f64::INFINITY), count))
    }
}

/// The first bucket whose bound is not below `ns`.
fn bucket_of(ns: u64) -> usize {
    let below = (ns.saturating_sub(1) / 1_000).min(LAST_BOUND_US) as u32;
    let Some(decade) = below.checked_ilog10() else { return 0 };
    let power = 10_u32.pow(decade);
    let step = match below {
        _ if below < 2 * power => 1,
        _ if below < 5 * power => 2,
        _ => 3,
    };
    3 * decade as usize + step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_belongs_to_its_own_bucket_and_a_nanosecond_more_to_the_next() {
        for (bucket, us) in BOUNDS_US.iter().enumerate() {
            let ns = u64::from(*us) * 1_000;
            assert_eq!(bucket_of(ns), bucket, "{us} µs");
            assert_eq!(bucket_of(ns + 1), bucket + 1, "just over {us} µs");
        }
    }

    #[test]
    fn the_extremes_have_a_bucket() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn totals_are_seconds_and_end_at_infinity() {
        let histogram = Histogram::default();
        histogram.record(1_500_000_000);
        histogram.record(500_000_000);
        let mut totals = HistogramTotals::default();
        totals.add(&histogram);
        assert_eq!((totals.count(), totals.sum()), (2, 2.0));
        assert_eq!(totals.buckets()[17], (0.5, 1));
        assert_eq!(totals.buckets()[19], (2.0, 1));
        assert_eq!(totals.buckets()[BUCKETS - 1], (f64::INFINITY, 0));
    }
}
