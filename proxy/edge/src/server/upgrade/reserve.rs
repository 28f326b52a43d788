//! The tokens that a process keeps for the requests that still reach it after another one has taken over.

use std::sync::Arc;

use sluice_policy::{Bucket, Frozen, Level};

use super::message::Held;

/// Tokens that an open connection may need before it closes: most need one, for the request that is on its way.
const PER_CONNECTION: u32 = 2;

/// The same for the milliseconds until it is told to close: a busy one asks thousands of times a second. What is not spent
/// goes to the next process with the first change.
const PER_BUSY_CONNECTION: u32 = 8;

/// All buckets of this process, frozen.
pub(super) struct Reserve {
    shares: Vec<Share>,
}

struct Share {
    bucket: Arc<Bucket>,
    frozen: Frozen,
    handed: Level,
    /// The most that this process keeps once its connections are told to close.
    most: u32,
}

impl Reserve {
    /// Stops all buckets from earning, and takes out of them what goes to the next process: all but half, at most, of
    /// each, and no more than the open connections may need.
    pub(super) fn divide(buckets: Vec<(String, Arc<Bucket>)>, open: usize, now: u64) -> (Self, Vec<Held>) {
        let divide = |(id, bucket): (String, Arc<Bucket>)| {
            let frozen = bucket.freeze(now);
            let half = (bucket.available(now) / 2.0) as u32;
            let most = tokens(open, PER_CONNECTION).min(half);
            let handed = bucket.take_all_but(tokens(open, PER_BUSY_CONNECTION).min(half), now);
            (Share { bucket, frozen, handed, most }, Held { id, level: handed.to_bits() })
        };
        let (shares, levels) = buckets.into_iter().map(divide).unzip();
        (Self { shares }, levels)
    }

    /// Nobody took over: everything is as it was before, but for the time that went by.
    pub(super) fn undo(self, now: u64) {
        for share in self.shares {
            share.bucket.add(share.handed);
            share.bucket.thaw(share.frozen, now);
        }
    }

    /// What has to change for each bucket to hold what `open` connections may need: what was spent is asked for, what
    /// is left over is taken out and given back. By place.
    pub(super) fn changes(&self, open: usize, now: u64) -> Vec<(u32, i64)> {
        let change = |(place, share): (usize, &Share)| (place as u32, share.change(open, now));
        self.shares.iter().enumerate().map(change).filter(|(_, change)| *change != 0).collect()
    }

    /// Puts in what the other process granted.
    pub(super) fn grant(&self, tokens: &[(u32, u32)]) {
        for (place, tokens) in tokens {
            if let Some(share) = self.shares.get(*place as usize) {
                share.bucket.add(Level::of_tokens(*tokens));
            }
        }
    }
}

impl Share {
    fn change(&self, open: usize, now: u64) -> i64 {
        // One at least, or a bucket that was empty at that moment would never hold anything again.
        let wanted = tokens(open, PER_CONNECTION).min(self.most.max(1));
        let surplus = self.bucket.take_all_but(wanted, now).tokens();
        match surplus {
            0 => i64::from(wanted.saturating_sub(self.bucket.available(now) as u32)),
            surplus => -i64::from(surplus),
        }
    }
}

fn tokens(open: usize, each: u32) -> u32 {
    u32::try_from(open).unwrap_or(u32::MAX).saturating_mul(each)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use sluice_policy::RateLimit;

    use super::*;

    const MS: u64 = 1_000_000;

    /// What happens next, after so many milliseconds.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// So many requests at the old process.
        Old(u32),
        /// So many at the new one.
        New(u32),
        /// The old one settles, with so many connections open; whether its demand is answered.
        Settle(usize, bool),
    }

    fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
        let event = prop_oneof![
            (0..60u32).prop_map(Event::Old),
            (0..60u32).prop_map(Event::New),
            (0..40usize, prop::bool::weighted(0.9)).prop_map(|(open, heard)| Event::Settle(open, heard)),
        ];
        proptest::collection::vec((0..20u64, event), 0..80)
    }

    fn limit(rate: f64, burst: u32) -> RateLimit {
        RateLimit::new(rate, burst).unwrap()
    }

    /// The new process's part, as `Heir::settle` has it.
    fn answer(changes: &[(u32, i64)], new: &Bucket, now: u64) -> Vec<(u32, u32)> {
        let granted = changes.iter().filter_map(|(place, change)| match u32::try_from(*change) {
            Ok(wanted) => Some((*place, new.take_up_to(wanted, now))),
            Err(_) => {
                new.add(Level::of_tokens(change.unsigned_abs() as u32));
                None
            }
        });
        granted.collect()
    }

    proptest! {
        /// Whatever comes to whom and when, both together admit no more than one bucket may in that time, and what is left
        /// at the end is there at the new process.
        #[test]
        fn two_processes_admit_no_more_than_one(
            (rate, burst, spent, open) in (0..500u32, 1..300u32, 0..300u32, 0..40usize),
            events in events(),
        ) {
            let (old, mut now) = (Arc::new(Bucket::new(limit(f64::from(rate), burst), 0)), 0);
            let mut admitted = old.take_up_to(spent, now);
            let (reserve, held) = Reserve::divide(vec![("b".into(), old.clone())], open, now);
            let new = Bucket::new(limit(f64::from(rate), burst), now);
            new.take_all_but(0, now);
            held.iter().for_each(|held| new.add(Level::from_bits(held.level)));
            prop_assert_eq!(old.available(now) + new.available(now), f64::from(burst - admitted));
            for (pause, event) in events {
                now += pause * MS;
                match event {
                    Event::Old(requests) => admitted += old.take_up_to(requests, now),
                    Event::New(requests) => admitted += new.take_up_to(requests, now),
                    Event::Settle(open, heard) => {
                        let granted = answer(&reserve.changes(open, now), &new, now);
                        if heard {
                            reserve.grant(&granted);
                        }
                    }
                }
                let one = f64::from(rate) * now as f64 / 1e9 + f64::from(burst);
                prop_assert!(f64::from(admitted) <= one + 0.001, "{} of {}", admitted, one);
            }
            let left = old.available(now).floor();
            let before = new.available(now);
            answer(&reserve.changes(0, now), &new, now);
            let kept = old.available(now).floor();
            prop_assert!(kept <= 1.0 && new.available(now) <= (before + left).min(f64::from(burst)) + 0.001);
        }

        /// Nobody took over: it holds what one that was never asked would hold.
        #[test]
        fn undone_it_is_as_before(burst in 1..300u32, spent in 0..300u32, open in 0..40usize, taken in 0..20u32) {
            let old = Arc::new(Bucket::new(limit(0.0, burst), 0));
            let mut admitted = old.take_up_to(spent, 0);
            let (reserve, _) = Reserve::divide(vec![("b".into(), old.clone())], open, MS);
            admitted += old.take_up_to(taken, 2 * MS);
            reserve.undo(3 * MS);
            prop_assert_eq!(old.available(3 * MS), f64::from(burst - admitted));
        }
    }

    /// As long as there is plenty, connections that are open at the hand-over find tokens: eight for each until they are
    /// told to close, two from then on. With two from the beginning, busy ones were refused.
    #[test]
    fn what_open_connections_need_is_there() {
        let old = Arc::new(Bucket::new(limit(0.0, 5_000), 0));
        let (reserve, held) = Reserve::divide(vec![("b".into(), old.clone())], 64, 0);
        assert_eq!(Level::from_bits(held[0].level).tokens(), 5_000 - 512);
        assert_eq!(old.take_up_to(600, MS), 512);
        assert_eq!(reserve.changes(64, 2 * MS), [(0, 128)]);
        reserve.grant(&[(0, 128)]);
        assert_eq!(reserve.changes(10, 3 * MS), [(0, -108)]);
    }
}
