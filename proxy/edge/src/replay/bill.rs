//! The cache sizes that AWS sells and what an hour of each costs.
//!
//! List prices of the region us-east-1; other regions differ by some tenths.

/// A cache cluster of AWS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// As AWS writes it: GB.
    pub size: &'static str,
    /// Bytes, as the configuration reads that size.
    pub bytes: u64,
    /// US dollars an hour.
    pub hourly: f64,
}

const GIGABYTE: f64 = 1e9;
const HOURS_A_MONTH: f64 = 730.0;

/// All that are sold, smallest first.
pub const CLUSTERS: [Cluster; 8] = [
    cluster("0.5", 0.5, 0.02),
    cluster("1.6", 1.6, 0.038),
    cluster("6.1", 6.1, 0.2),
    cluster("13.5", 13.5, 0.25),
    cluster("28.4", 28.4, 0.5),
    cluster("58.2", 58.2, 1.0),
    cluster("118", 118.0, 1.9),
    cluster("237", 237.0, 3.8),
];

impl Cluster {
    /// US dollars for a month of 730 hours.
    #[must_use]
    pub fn monthly(&self) -> f64 {
        self.hourly * HOURS_A_MONTH
    }
}

const fn cluster(size: &'static str, gigabytes: f64, hourly: f64) -> Cluster {
    Cluster { size, bytes: (gigabytes * GIGABYTE) as u64, hourly }
}
