//! Taking from several buckets at once: method, stage, account, in this order, all or none.
//!
//! AWS names the order of the layers and leaves open whether a request that one layer refuses is charged by the others;
//! here it is not.

use super::Bucket;

/// Takes one token from every bucket that there is, or from none.
///
/// All are looked at before one is written to, so refusals, however many, only read. What was seen then is taken, or
/// whatever there is should another core have come between; if that is nothing, what was taken goes back.
///
/// # Errors
/// The index of the first bucket that refuses.
#[inline]
pub fn take_all<const N: usize>(buckets: [Option<&Bucket>; N], now: u64) -> Result<(), usize> {
    let mut offers = [None; N];
    for (index, (bucket, offer)) in buckets.iter().zip(&mut offers).enumerate() {
        let Some(bucket) = bucket else { continue };
        *offer = bucket.offer(now);
        if offer.is_none() {
            return Err(index);
        }
    }
    for (index, (bucket, offer)) in buckets.iter().zip(offers).enumerate() {
        if bucket.is_some_and(|bucket| !bucket.take_offered(offer, now)) {
            give_back_all(buckets.get(..index).unwrap_or_default());
            return Err(index);
        }
    }
    Ok(())
}

/// Puts back what [`take_all`] took, when a later step refuses the request.
#[cold]
pub fn give_back_all(buckets: &[Option<&Bucket>]) {
    buckets.iter().rev().flatten().for_each(|bucket| bucket.give_back());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::RateLimit;

    fn bucket(rate: f64, burst: u32) -> Bucket {
        Bucket::new(RateLimit::new(rate, burst).unwrap(), 0)
    }

    fn levels<const N: usize>(buckets: [&Bucket; N]) -> [f64; N] {
        buckets.map(|bucket| bucket.available(0))
    }

    #[test]
    fn the_first_that_refuses_is_named_and_none_is_charged() {
        let (full, empty) = (bucket(1.0, 5), bucket(1.0, 0));
        for (buckets, refusing) in [
            ([&empty, &full, &full], 0),
            ([&full, &empty, &full], 1),
            ([&full, &full, &empty], 2),
            ([&full, &empty, &empty], 1),
        ] {
            assert_eq!(take_all(buckets.map(Some), 0), Err(refusing));
            assert_eq!(levels([&full, &empty]), [5.0, 0.0]);
        }
    }

    #[test]
    fn every_bucket_is_charged_once_and_given_back_once() {
        let [method, stage, account] = [bucket(1.0, 2), bucket(1.0, 3), bucket(1.0, 4)];
        let buckets = [&method, &stage, &account];
        assert_eq!(take_all(buckets.map(Some), 0), Ok(()));
        assert_eq!(levels(buckets), [1.0, 2.0, 3.0]);
        give_back_all(&buckets.map(Some));
        assert_eq!(levels(buckets), [2.0, 3.0, 4.0]);
        give_back_all(&buckets.map(Some));
        assert_eq!(levels(buckets), [2.0, 3.0, 4.0], "never more than full");
    }

    #[test]
    fn without_buckets_nothing_is_refused() {
        assert_eq!(take_all([], 0), Ok(()));
        assert_eq!(take_all([None; 3], 0), Ok(()));
    }

    #[test]
    fn under_contention_all_layers_are_charged_the_same() {
        let [method, stage, account] = [bucket(0.0, 9_000), bucket(0.0, 8_000), bucket(0.0, 9_500)];
        let buckets = [&method, &stage, &account];
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mine = (0..3_000).filter(|_| take_all(buckets.map(Some), 0).is_ok()).count();
                    admitted.fetch_add(mine as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(admitted.into_inner(), 8_000);
        assert_eq!(levels(buckets), [1_000.0, 0.0, 1_500.0]);
    }
}
