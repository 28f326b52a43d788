//! A bucket whose tokens go to another process's, against the same promise for both together.

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn limit(rate: f64, burst: u32) -> RateLimit {
    RateLimit::new(rate, burst).unwrap()
}

#[test]
fn a_frozen_bucket_keeps_its_tokens_and_earns_none() {
    let bucket = Bucket::new(limit(10.0, 10), 0);
    assert_eq!(bucket.take_up_to(6, 0), 6);
    let frozen = bucket.freeze(SECOND / 10);
    assert_eq!(bucket.available(5 * SECOND), 5.0);
    assert_eq!(bucket.take_up_to(9, 5 * SECOND), 5);
    bucket.thaw(frozen, 5 * SECOND);
    assert_eq!(bucket.available(5 * SECOND), 0.0);
    assert_eq!(bucket.available(5 * SECOND + SECOND / 2), 5.0);
    bucket.set_limit(limit(10.0, 10), 6 * SECOND);
    assert_eq!(bucket.available(7 * SECOND), 10.0);
}

#[test]
fn what_is_handed_over_is_missing_and_what_comes_back_is_there() {
    let bucket = Bucket::new(limit(0.5, 10), 0);
    let handed = bucket.take_all_but(3, SECOND);
    assert_eq!((handed, bucket.available(SECOND)), (Level::of_tokens(7), 3.0));
    assert_eq!(bucket.take_all_but(4, SECOND), Level::default());
    bucket.add(handed);
    assert_eq!(bucket.available(SECOND), 10.0);
    bucket.add(handed);
    assert_eq!(bucket.available(SECOND), 10.0, "never more than full");
    assert!(bucket.take(SECOND));
    assert_eq!(bucket.available(SECOND), 9.0);
}

#[test]
fn a_level_from_elsewhere_is_at_most_the_largest_bucket() {
    assert_eq!(Level::from_bits(u64::MAX), Level::of_tokens(u32::MAX));
    let bucket = Bucket::new(limit(1e9, u32::MAX), 0);
    bucket.take_all_but(0, 0);
    bucket.add(Level::from_bits(u64::MAX));
    assert_eq!(bucket.available(0), f64::from(u32::MAX));
}

proptest! {
    /// Old and new process admit at full offer, with a share left behind, late grants, and what is left given back.
    #[test]
    fn both_together_keep_the_promise(
        rate in 1u32..200_000, burst in 0u32..3_000, other in 1.0f64..1e6, keep in 0u32..200, wants in 0u32..50,
        before in 0..3 * SECOND, drain in 0..3 * SECOND,
    ) {
        let (old, new) = (Bucket::new(limit(f64::from(rate), burst), 0), Bucket::new(limit(other, burst), before));
        new.set_limit(limit(f64::from(rate), burst), before);
        let mut admitted = u64::from(old.take_up_to(u32::MAX, 0)) + u64::from(old.take_up_to(u32::MAX, before));
        old.freeze(before);
        let handed = old.take_all_but(keep, before);
        new.take_all_but(0, before);
        new.add(handed);
        let end = before + drain;
        for tick in 0..10 {
            let now = before + drain / 10 * tick;
            let granted = new.take_up_to(wants, now);
            old.add(Level::of_tokens(granted));
            admitted += u64::from(old.take_up_to(granted / 2, now)) + u64::from(new.take_up_to(u32::MAX, now));
        }
        new.add(old.take_all_but(0, end));
        admitted += u64::from(new.take_up_to(u32::MAX, end));
        let bound = f64::from(rate) * end as f64 / SECOND as f64 + f64::from(burst);
        prop_assert!(admitted as f64 <= bound + 0.01, "{} of {}", admitted, bound);
    }
}
