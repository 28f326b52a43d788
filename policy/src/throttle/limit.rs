//! A rate limit as an operator writes it: tokens a second and the size of the bucket.
//!
//! API Gateway's `rateLimit` is a double, so `0.5` is one request in two seconds; `burstLimit` is an integer. Rate 0 with
//! burst 0 is AWS's way to block everything. That a limit is absent is not a value here: there is then no bucket.

use thiserror::Error;

/// How fast a bucket refills and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    rate: f64,
    burst: u32,
}

impl RateLimit {
    /// The highest rate, in tokens a second: one every nanosecond, the resolution of the clock.
    pub const MAX_RATE: f64 = 1e9;

    /// Checks a limit of `rate` tokens a second into a bucket of `burst` tokens.
    ///
    /// A burst of 0 blocks everything, whatever the rate; a rate of 0 admits `burst` requests and then none.
    ///
    /// # Errors
    /// When the rate is not a number from 0 to [`Self::MAX_RATE`].
    pub fn new(rate: f64, burst: u32) -> Result<Self, RateLimitError> {
        if !rate.is_finite() {
            return Err(RateLimitError::NotFinite);
        }
        if rate < 0.0 {
            return Err(RateLimitError::Negative(rate));
        }
        if rate > Self::MAX_RATE {
            return Err(RateLimitError::TooHigh(rate));
        }
        Ok(Self { rate: rate.abs(), burst })
    }

    /// Tokens a second.
    pub const fn rate(self) -> f64 {
        self.rate
    }

    /// Tokens that the full bucket holds.
    pub const fn burst(self) -> u32 {
        self.burst
    }
}

/// Why a rate is not one.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum RateLimitError {
    /// Infinite or not a number.
    #[error("the rate is not a finite number")]
    NotFinite,
    /// Below zero; leave the limit out to have none.
    #[error("the rate {0} is negative")]
    Negative(f64),
    /// Above [`RateLimit::MAX_RATE`]; leave the limit out to have none.
    #[error("the rate {0} is above {max} a second", max = RateLimit::MAX_RATE)]
    TooHigh(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_fractional_zero_and_highest_rates_are_limits() {
        for rate in [0.0, -0.0, f64::MIN_POSITIVE, 0.5, 10_000.0, 1e9] {
            let limit = RateLimit::new(rate, 7).unwrap();
            assert_eq!((limit.rate(), limit.burst()), (rate, 7));
        }
        assert!(RateLimit::new(-0.0, 0).unwrap().rate().is_sign_positive());
    }

    #[test]
    fn other_numbers_are_refused_with_a_reason() {
        assert_eq!(RateLimit::new(f64::NAN, 1), Err(RateLimitError::NotFinite));
        assert_eq!(RateLimit::new(f64::INFINITY, 1), Err(RateLimitError::NotFinite));
        assert_eq!(RateLimit::new(-1.0, 1), Err(RateLimitError::Negative(-1.0)));
        assert_eq!(RateLimit::new(1.5e9, 1), Err(RateLimitError::TooHigh(1.5e9)));
        assert_eq!(RateLimitError::TooHigh(1.5e9).to_string(), "the rate 1500000000 is above 1000000000 a second");
    }
}
