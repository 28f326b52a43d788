//! A cap on requests in flight: those that were admitted and are not answered yet.
//!
//! Limit and count share one number, so a look at it is one load and never sees a mixture. What is answered at once (a
//! hit) only asks whether there is room; what waits for something holds a [`Lease`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many requests are in flight, and how many may be.
#[derive(Debug)]
#[repr(align(64))]
pub struct InFlight {
    /// The limit in the upper half, the count in the lower.
    state: AtomicU64,
}

impl InFlight {
    /// A cap of `limit` requests; 0 lets none in.
    pub fn new(limit: u32) -> Self {
        Self { state: AtomicU64::new(pack(limit, 0)) }
    }

    /// Changes the cap. Leases above a lower one stay until they end.
    pub fn set_limit(&self, limit: u32) {
        let with_limit = |state| Some(pack(limit, count(state)));
        // The closure never declines, so neither does the update.
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_limit);
    }

    /// Whether one more would be let in, at the cost of one load.
    #[inline]
    pub fn has_room(&self) -> bool {
        is_below_limit(self.state.load(Ordering::Relaxed))
    }

    /// Enters, until the lease is dropped; `None` when the cap is reached.
    pub fn try_enter(self: &Arc<Self>) -> Option<Lease> {
        let enter = |state| is_below_limit(state).then_some(state + 1);
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).ok()?;
        Some(Lease(Arc::clone(self)))
    }

    /// Requests in flight.
    pub fn current(&self) -> u32 {
        count(self.state.load(Ordering::Relaxed))
    }

    /// The cap.
    pub fn limit(&self) -> u32 {
        limit(self.state.load(Ordering::Relaxed))
    }
}

/// One request in flight. Dropping it leaves.
#[derive(Debug)]
#[must_use = "the request is in flight only as long as the lease lives"]
pub struct Lease(Arc<InFlight>);

impl Drop for Lease {
    fn drop(&mut self) {
        // Each lease has added one, so the count is not zero and nothing is borrowed from the limit.
        self.0.state.fetch_sub(1, Ordering::Relaxed);
    }
}

const fn pack(limit: u32, count: u32) -> u64 {
    (limit as u64) << 32 | count as u64
}

const fn limit(state: u64) -> u32 {
    (state >> 32) as u32
}

const fn count(state: u64) -> u32 {
    state as u32
}

const fn is_below_limit(state: u64) -> bool {
    count(state) < limit(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_and_a_dropped_lease_makes_room() {
        let in_flight = Arc::new(InFlight::new(2));
        let first = in_flight.try_enter();
        let second = in_flight.try_enter();
        assert!(first.is_some() && second.is_some());
        assert!(!in_flight.has_room());
        assert!(in_flight.try_enter().is_none());
        assert_eq!(in_flight.current(), 2, "a refused entry is not counted");
        drop(first);
        assert!(in_flight.has_room());
        assert_eq!(in_flight.current(), 1);
    }

    #[test]
    fn a_lower_cap_waits_for_leases_to_end() {
        let in_flight = Arc::new(InFlight::new(3));
        let mut leases: Vec<_> = (0..3).map(|_| in_flight.try_enter().unwrap()).collect();
        in_flight.set_limit(1);
        assert_eq!((in_flight.current(), in_flight.limit()), (3, 1));
        leases.truncate(1);
        assert!(in_flight.try_enter().is_none());
        leases.clear();
        assert!(in_flight.try_enter().is_some());
    }

    #[test]
    fn zero_lets_none_in_and_the_widest_cap_counts() {
        assert!(Arc::new(InFlight::new(0)).try_enter().is_none());
        let widest = Arc::new(InFlight::new(u32::MAX));
        let lease = widest.try_enter();
        assert_eq!((widest.current(), widest.limit()), (1, u32::MAX));
        drop(lease);
        assert_eq!((widest.current(), widest.limit()), (0, u32::MAX));
    }

    #[test]
    fn threads_never_pass_the_cap_and_leave_nothing_behind() {
        let in_flight = Arc::new(InFlight::new(3));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for turn in 0..5_000 {
                        let lease = in_flight.try_enter();
                        assert!(in_flight.current() <= 3);
                        in_flight.set_limit(2 + turn % 2);
                        drop(lease);
                    }
                });
            }
        });
        assert_eq!(in_flight.current(), 0);
    }
}
