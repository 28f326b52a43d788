//! The one clock that a store reads: for retiring bans. What is served is decided by the times that callers hand in.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(super) fn seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
}

/// The second in which a moment lies, rounded up; what is too far away is the last second that can be told.
pub(super) fn seconds_up(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}
