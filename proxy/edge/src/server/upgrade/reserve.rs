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
