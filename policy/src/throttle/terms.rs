//! A rate limit in machine form: what one bucket has earned at a time, in whole numbers.
//!
//! Tokens are counted in units of 2^-`precision`. What was earned since `anchor` is computed from the whole time that
//! went by, one multiplication and one shift, so rounding never adds up: it is below one unit at any time, and none at
//! a time at which a whole token comes due. The unit is as fine as the rate allows over one [`HORIZON`]:
//!
//! | rate | unit |
//! |---|---|
//! | 950/s and less | 2^-27 token |
//! | 10,000/s | 2^-23 token |
//! | 1e6/s | 2^-16 token |
//! | 1e9/s | 2^-7 token |
//!
//! The rate itself is kept to 62 bits. Past the horizon (52 days) a bucket moves its anchor, so there is no last day.

use super::RateLimit;

/// How long after the anchor, in nanoseconds, amounts still fit: `earned` is then at most 2^59.
pub(super) const HORIZON: u64 = 1 << 52;
/// Units that may be earned in one second: 2^59 units over the horizon.
const UNITS_PER_SECOND: f64 = NANOS_PER_SECOND as f64 * (1u64 << 7) as f64;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// The finest unit: the largest burst is then below 2^59 units.
pub(super) const MAX_PRECISION: u8 = 27;
/// Above every amount that a bucket can hold; what is earned over years stops here.
const EARNED_MAX: u64 = 1 << 62;

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
/// What brings a mantissa divided by 1e9 to 62 bits.
const SCALE: i32 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// When nothing was earned yet, in nanoseconds.
    pub(super) anchor: u64,
    /// Units a nanosecond, times 2^`shift`.
    pub(super) multiplier: u64,
    pub(super) burst: u32,
    pub(super) shift: u8,
    pub(super) precision: u8,
}

impl Terms {
    pub(super) fn new(limit: RateLimit, anchor: u64) -> Self {
        let precision = precision(limit.rate());
        let (mantissa, exponent) = parts(limit.rate());
        // Up, so that a token is there at the very nanosecond at which it comes due. No overflow: 53 + 40 - 29 bits.
        let multiplier = (u128::from(mantissa) << SCALE).div_ceil(NANOS_PER_SECOND) as u64;
        // Past 127 bits nothing is left of the rate: less than a token in the age of the universe.
        let shift = (SCALE - exponent - i32::from(precision)).clamp(0, 127) as u8;
        Self { anchor, multiplier, burst: limit.burst(), shift, precision }
    }

    pub(super) fn anchored_at(self, anchor: u64) -> Self {
        Self { anchor, ..self }
    }

    /// The same bucket, earning nothing.
    pub(super) fn at_rest(self) -> Self {
        Self { multiplier: 0, ..self }
    }

    pub(super) fn same_limit(self, other: Self) -> bool {
        self == other.anchored_at(self.anchor)
    }

    /// Whether it is time to move the anchor.
    #[inline]
    pub(super) fn is_past_horizon(&self, now: u64) -> bool {
        now.saturating_sub(self.anchor) > HORIZON
    }

    /// One token, in units.
    #[inline]
    pub(super) fn token(&self) -> u64 {
        1 << self.precision
    }

    /// The full bucket, in units.
    #[inline]
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.burst) << self.precision
    }

    /// Units earned from the anchor to `now`; none before the anchor.
    #[inline]
    pub(super) fn earned(&self, now: u64) -> u64 {
        let elapsed = now.saturating_sub(self.anchor);
        let units = (u128::from(elapsed) * u128::from(self.multiplier)) >> self.shift;
        u64::try_from(units).unwrap_or(u64::MAX).min(EARNED_MAX)
    }

    /// Units in the bucket at `now` when `spent` are gone. Negative only where `now` is behind another core's.
    pub(super) fn level(&self, spent: u64, now: u64) -> i64 {
        let owed = spent.saturating_sub(self.earned(now));
        self.capacity() as i64 - owed as i64
    }

    /// `spent` at the anchor of these terms that leaves the bucket with `level`, clipped, of units of `precision`.
    pub(super) fn spent_to_hold(&self, level: i64, precision: u8) -> u64 {
        let capacity = i128::from(self.capacity());
        // Rounds down: a change of limit never adds to the level.
        let level = (i128::from(level) << self.precision) >> precision;
        // A level above the capacity would be less than nothing spent.
        u64::try_from(capacity - level).unwrap_or(0)
    }
}

/// The finest unit at which a horizon's earnings fit.
fn precision(rate: f64) -> u8 {
    let fits = |precision: &u8| rate * (1u64 << precision) as f64 <= UNITS_PER_SECOND;
    (0..=MAX_PRECISION).rev().find(fits).unwrap_or(0)
}

/// A finite number, not negative, as mantissa times two to the exponent, exactly.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = (bits >> MANTISSA_BITS) as i32;
    let implicit = if biased > 0 { 1 << MANTISSA_BITS } else { 0 };
    (mantissa | implicit, biased.max(1) - 1075)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn terms(rate: f64) -> Terms {
        Terms::new(RateLimit::new(rate, u32::MAX).unwrap(), 0)
    }

    fn tokens(rate: f64, now: u64) -> u64 {
        let terms = terms(rate);
        terms.earned(now) / terms.token()
    }

    #[test]
    fn a_token_comes_due_at_its_very_nanosecond() {
        for (rate, nanos) in
            [(0.5, 2 * SECOND), (1.0, SECOND), (3.0, 333_333_334), (1e3, 1_000_000), (1e4, 100_000), (1e9, 1)]
        {
            assert_eq!((tokens(rate, nanos - 1), tokens(rate, nanos)), (0, 1), "{rate}/s");
        }
    }

    #[test]
    fn a_horizon_does_not_drift_by_one_token() {
        for rate in [0.5, 1.0, 3.0, 7.0, 999.0, 10_000.0, 333_333.0, 1e6, 1e9] {
            let exact = u128::from(HORIZON) * (rate * 2.0) as u128 / 2 / NANOS_PER_SECOND;
            assert_eq!(u128::from(tokens(rate, HORIZON)), exact, "{rate}/s");
        }
    }

    #[test]
    fn amounts_fit_sixty_bits() {
        for rate in [0.0, f64::MIN_POSITIVE, 1e-300, 1e-9, 0.1, 953.0, 954.0, 1e4, 7e8, 1e9] {
            let terms = terms(rate);
            assert!(terms.earned(HORIZON) + terms.capacity() < 1 << 60, "{rate}/s");
            assert!(terms.earned(u64::MAX) <= EARNED_MAX);
        }
    }

    #[test]
    fn a_rate_too_small_to_see_earns_nothing() {
        for rate in [0.0, f64::from_bits(1), f64::MIN_POSITIVE, 1e-200] {
            assert_eq!(terms(rate).earned(HORIZON), 0, "{rate:e}/s");
        }
    }

    proptest! {
        #[test]
        fn earnings_are_the_exact_product_within_a_unit(rate in 1u32..=1_000_000_000, now in 0..=HORIZON) {
            let terms = terms(f64::from(rate));
            let exact = u128::from(now) * u128::from(rate) * u128::from(terms.token()) / NANOS_PER_SECOND;
            let earned = u128::from(terms.earned(now));
            prop_assert!(earned == exact || earned == exact + 1, "{} for {}", earned, exact);
        }

        #[test]
        fn a_level_survives_a_change_of_units_but_for_rounding_down(
            from in 0.001f64..1e9, to in 0.001f64..1e9, tokens in 0u32..1000,
        ) {
            let (from, to) = (terms(from), terms(to));
            let level = i64::from(tokens) * from.token() as i64;
            let after = to.level(to.spent_to_hold(level, from.precision), 0);
            prop_assert_eq!(after, i64::from(tokens) * to.token() as i64);
        }
    }
}
