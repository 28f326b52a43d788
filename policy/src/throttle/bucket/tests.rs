//! The bucket against its promise: no window admits more than `rate * t + burst`, and full offer reaches it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::super::terms::HORIZON;
use super::*;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Rounding of the bucket and of the comparison, in tokens.
const TOLERANCE: f64 = 0.01;

fn limit(rate: f64, burst: u32) -> RateLimit {
    RateLimit::new(rate, burst).unwrap()
}

fn drain(bucket: &Bucket, now: u64) -> u64 {
    std::iter::repeat_with(|| bucket.take(now)).take_while(|taken| *taken).count() as u64
}

#[test]
fn it_starts_full_fills_at_its_rate_and_stays_full() {
    let bucket = Bucket::new(limit(1_000.0, 5), 7);
    assert_eq!(bucket.available(7), 5.0);
    assert_eq!(drain(&bucket, 7), 5);
    assert_eq!(drain(&bucket, 7 + MILLISECOND - 1), 0);
    assert_eq!(drain(&bucket, 7 + MILLISECOND), 1);
    assert_eq!(drain(&bucket, 7 + 4 * MILLISECOND), 3);
    assert_eq!(drain(&bucket, 7 + SECOND), 5);
}

#[test]
fn a_fractional_rate_takes_its_time() {
    let bucket = Bucket::new(limit(0.5, 1), 0);
    let admitted: Vec<u64> = (0..=10).filter(|second| bucket.take(second * SECOND)).collect();
    assert_eq!(admitted, [0, 2, 4, 6, 8, 10]);
}

#[test]
fn a_burst_of_zero_blocks_everything() {
    for rate in [0.0, 1e9] {
        let bucket = Bucket::new(limit(rate, 0), 0);
        assert_eq!(drain(&bucket, DAY), 0);
    }
}

#[test]
fn a_rate_of_zero_never_refills() {
    let bucket = Bucket::new(limit(0.0, 3), 0);
    assert_eq!(drain(&bucket, 0), 3);
    assert_eq!(drain(&bucket, 400 * DAY), 0);
}

#[test]
fn a_refusal_is_not_charged() {
    let bucket = Bucket::new(limit(1.0, 1), 0);
    assert!(bucket.take(0));
    assert_eq!((0..1_000).filter(|now| bucket.take(*now)).count(), 0);
    assert!(bucket.take(SECOND));
}

#[test]
fn an_older_now_admits_less_and_never_fails() {
    let bucket = Bucket::new(limit(1_000.0, 10), SECOND);
    assert_eq!(drain(&bucket, 2 * SECOND), 10);
    assert!(!bucket.take(2 * SECOND - MILLISECOND));
    assert!(!bucket.take(0));
    assert_eq!(bucket.available(0), 0.0);
    assert_eq!(drain(&bucket, 2 * SECOND + MILLISECOND), 1);
}

#[test]
fn the_ends_of_the_clock_do_not_overflow() {
    for rate in [0.0, 1e-300, 0.5, 1e4, 1e9] {
        let bucket = Bucket::new(limit(rate, u32::MAX), 0);
        for now in [0, u64::MAX, 1, u64::MAX - 1, HORIZON, HORIZON + 1] {
            assert!(bucket.take(now), "{rate}/s at {now}");
            bucket.give_back();
            bucket.set_limit(limit(rate / 2.0, u32::MAX), now);
            bucket.set_limit(limit(rate, u32::MAX), 0);
        }
    }
}

#[test]
fn what_is_given_back_can_be_taken_again_but_does_not_overfill() {
    let bucket = Bucket::new(limit(1.0, 2), 0);
    bucket.give_back();
    assert_eq!(drain(&bucket, 0), 2);
    bucket.give_back();
    assert_eq!(drain(&bucket, 0), 1);
    bucket.give_back();
    bucket.give_back();
    bucket.give_back();
    assert_eq!(drain(&bucket, 0), 2);
}

#[test]
fn a_year_at_full_offer_does_not_drift() {
    // A token comes due every 10 s; ten are drained at a time, across seven moves of the anchor.
    let bucket = Bucket::new(limit(0.1, 20), 0);
    let admitted: u64 = (0..=365 * 864).map(|n| drain(&bucket, n * 100 * SECOND)).sum();
    assert_eq!(admitted, 20 + 365 * 8_640);
}

#[test]
fn an_empty_bucket_is_counted_on_across_horizons() {
    // 0.0001/s: a token in 10,000 s, so a year (7 horizons) brings 3153.6 of them.
    let bucket = Bucket::new(limit(0.0001, 10_000), 0);
    assert_eq!(drain(&bucket, 0), 10_000);
    let admitted: u64 = (1..=365).map(|day| drain(&bucket, day * DAY)).sum();
    assert_eq!(admitted, 3_153);
    assert!((bucket.available(365 * DAY) - 0.6).abs() < TOLERANCE);
}

#[test]
fn a_bucket_that_idled_for_years_is_full_and_limited() {
    let bucket = Bucket::new(limit(1e9, 100), 0);
    assert_eq!(drain(&bucket, HORIZON), 100);
    assert_eq!(drain(&bucket, 20 * 365 * DAY), 100);
    assert_eq!(drain(&bucket, 20 * 365 * DAY + 7), 7);
}

#[test]
fn a_larger_limit_does_not_fill_the_bucket() {
    let bucket = Bucket::new(limit(10.0, 10), 0);
    assert_eq!(drain(&bucket, 0), 10);
    bucket.set_limit(limit(1_000.0, 500), 0);
    assert_eq!(drain(&bucket, 0), 0);
    assert_eq!(drain(&bucket, 100 * MILLISECOND), 100);
    assert_eq!(drain(&bucket, 100 * SECOND), 500);
}

#[test]
fn a_smaller_limit_clips_the_level() {
    let bucket = Bucket::new(limit(1_000.0, 500), 0);
    bucket.set_limit(limit(1.0, 3), SECOND);
    assert_eq!(bucket.available(SECOND), 3.0);
    bucket.set_limit(limit(1_000.0, 500), SECOND);
    assert_eq!(drain(&bucket, SECOND), 3, "what was clipped does not come back");
}

#[test]
fn the_old_rate_counts_until_the_change_and_the_new_one_from_then() {
    let bucket = Bucket::new(limit(100.0, 1_000), 0);
    assert_eq!(drain(&bucket, 0), 1_000);
    bucket.set_limit(limit(10.0, 1_000), SECOND);
    assert_eq!(bucket.available(SECOND), 100.0);
    assert_eq!(drain(&bucket, 2 * SECOND), 110);
}

#[test]
fn the_same_limit_again_changes_nothing() {
    let bucket = Bucket::new(limit(3.0, 7), 0);
    assert_eq!(drain(&bucket, 0), 7);
    (0..100_000u64).for_each(|n| bucket.set_limit(limit(3.0, 7), n * 10_000));
    assert_eq!(drain(&bucket, SECOND), 3);
}

#[test]
fn a_change_seen_with_an_older_now_admits_no_more() {
    let bucket = Bucket::new(limit(1_000.0, 10), SECOND);
    assert_eq!(drain(&bucket, 2 * SECOND), 10);
    bucket.set_limit(limit(1_000.0, 20), 2 * SECOND - 5 * MILLISECOND);
    assert_eq!(drain(&bucket, 2 * SECOND), 0);
    bucket.set_limit(limit(1_000.0, 10), 0);
    assert_eq!(drain(&bucket, 2 * SECOND), 0);
    assert_eq!(drain(&bucket, 2 * SECOND + 3 * MILLISECOND), 3);
}

#[test]
fn it_is_one_cache_line() {
    assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
}

/// Offers from several threads that share one clock, each step of it to one of them.
fn full_offer(bucket: &Bucket, threads: usize, step: u64, end: u64) -> u64 {
    let (clock, admitted) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let ticks = std::iter::repeat_with(|| clock.fetch_add(step, Ordering::Relaxed));
                let mine = ticks.take_while(|now| *now <= end).filter(|now| bucket.take(*now)).count();
                admitted.fetch_add(mine as u64, Ordering::Relaxed);
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn ten_seconds_of_full_offer_from_four_threads_are_exact() {
    for rate in [1_000.0, 10_000.0] {
        for burst in [500, 5_000] {
            let bucket = Bucket::new(limit(rate, burst), 0);
            let admitted = full_offer(&bucket, 4, 20_000, 10 * SECOND);
            let promised = rate * 10.0 + f64::from(burst);
            let ratio = admitted as f64 / promised;
            assert!((0.999..=1.0).contains(&ratio), "{rate}/s burst {burst}: {admitted} of {promised}");
        }
    }
}

#[test]
fn one_thread_at_full_offer_reaches_the_very_token() {
    for (rate, burst, end) in
        [(1_000.0, 500, SECOND), (10_000.0, 5_000, SECOND), (3.0, 2, 100 * SECOND), (0.5, 2, 100 * SECOND)]
    {
        let bucket = Bucket::new(limit(rate, burst), 0);
        // Every multiple of the step is offered until the bucket refuses.
        let admitted: u64 = (0..=1_000).map(|n| drain(&bucket, end / 1_000 * n)).sum();
        assert_eq!(admitted, (rate * (end / SECOND) as f64) as u64 + u64::from(burst), "{rate}/s burst {burst}");
    }
}

#[test]
fn a_limit_that_changes_under_full_offer_admits_no_more_than_the_larger_one() {
    let bucket = Bucket::new(limit(1_000.0, 500), 0);
    let (clock, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let takers = 3;
    let admitted: u64 = std::thread::scope(|scope| {
        let take = || {
            let ticks = std::iter::repeat_with(|| clock.fetch_add(20_000, Ordering::Relaxed));
            ticks.take_while(|now| *now <= 10 * SECOND).filter(|now| bucket.take(*now)).count() as u64
        };
        let handles: Vec<_> = (0..takers).map(|_| scope.spawn(take)).collect();
        scope.spawn(|| {
            let limits = [limit(2_000.0, 400), limit(1_000.0, 500), limit(1_500.0, 50)];
            for limit in limits.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                bucket.set_limit(*limit, clock.load(Ordering::Relaxed));
            }
        });
        let admitted = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
        done.store(true, Ordering::Relaxed);
        admitted
    });
    assert!(admitted <= 2_000 * 10 + 500, "{admitted}");
    assert!(admitted >= 9_000, "{admitted}");
}

#[test]
fn taking_and_giving_back_from_threads_loses_nothing() {
    let bucket = Bucket::new(limit(0.0, 1_000), 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20_000).filter(|_| bucket.take(0)).for_each(|_| bucket.give_back()));
        }
    });
    assert_eq!(bucket.available(0), 1_000.0);
}

/// Every window that starts and ends with an admission, by the clock of the callers.
fn no_window_exceeds(limit: RateLimit, mut admitted: Vec<u64>) -> Result<(), TestCaseError> {
    admitted.sort_unstable();
    for (index, first) in admitted.iter().enumerate() {
        for (count, last) in (1..).zip(&admitted[index..]) {
            let promised = limit.rate() * (last - first) as f64 / 1e9 + f64::from(limit.burst());
            prop_assert!(f64::from(count) <= promised + TOLERANCE, "{count} of {promised} in {first}..{last}");
        }
    }
    Ok(())
}

fn any_limit() -> impl Strategy<Value = RateLimit> {
    let rate = prop_oneof![Just(0.0), 0.001f64..10.0, 10.0f64..1e5, 1e5f64..=1e9];
    (rate, 0u32..20).prop_map(|(rate, burst)| limit(rate, burst))
}

proptest! {
    #[test]
    fn no_window_of_any_offer_exceeds_the_limit(
        limit in any_limit(),
        gaps in prop::collection::vec((0u64..40, 0u64..3), 1..200),
    ) {
        // Gaps of up to two tokens' time, some of them back in time.
        let token = (1e9 / limit.rate().max(0.001)) as u64;
        let bucket = Bucket::new(limit, 0);
        let mut now = 0u64;
        let mut admitted = Vec::new();
        for (gap, backwards) in gaps {
            let jump = token.saturating_mul(gap) / 20;
            now = now.saturating_add(jump);
            let mine = if backwards == 0 { now.saturating_sub(token) } else { now };
            if bucket.take(mine) {
                admitted.push(mine);
            }
        }
        no_window_exceeds(limit, admitted)?;
    }

    #[test]
    fn full_offer_reaches_the_limit(rate in 0.1f64..1e6, burst in 2u32..50, steps in 1u64..400) {
        let bucket = Bucket::new(limit(rate, burst), 0);
        let step = ((1e9 / rate) / 3.0).max(1.0) as u64;
        let admitted: u64 = (0..=steps).map(|n| drain(&bucket, n * step)).sum();
        let promised = rate * (steps * step) as f64 / 1e9 + f64::from(burst);
        prop_assert!(admitted as f64 <= promised + TOLERANCE);
        prop_assert!(admitted as f64 > promised - 1.0 - TOLERANCE, "{admitted} of {promised}");
    }

    #[test]
    fn a_change_of_limit_neither_fills_nor_forgets(
        before in any_limit(), after in any_limit(), taken in 0u32..20, now in 0..HORIZON * 3,
    ) {
        let bucket = Bucket::new(before, 0);
        (0..taken).for_each(|_| { bucket.take(now); });
        let level = bucket.available(now);
        bucket.set_limit(after, now);
        let expected = level.min(f64::from(after.burst()));
        prop_assert!((bucket.available(now) - expected).abs() < TOLERANCE);
        prop_assert!(bucket.available(now) <= expected);
    }
}
