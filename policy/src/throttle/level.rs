//! What a bucket holds, in a unit that does not depend on its limit, so that it can be told to another process.

use super::terms::MAX_PRECISION;

/// An amount of tokens, with fractions; at most a full bucket of the largest burst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u64);

impl Level {
    /// So many tokens.
    pub fn of_tokens(tokens: u32) -> Self {
        Self(u64::from(tokens) << MAX_PRECISION)
    }

    /// From the number that [`Self::to_bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits.min(u64::from(u32::MAX) << MAX_PRECISION))
    }

    /// In units of 2^-27 token.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// Whole tokens.
    pub fn tokens(self) -> u32 {
        (self.0 >> MAX_PRECISION) as u32
    }

    pub(super) fn of_units(units: u64, precision: u8) -> Self {
        Self(units << (MAX_PRECISION - precision))
    }

    /// Rounds down: what changes hands never grows.
    pub(super) fn in_units(self, precision: u8) -> u64 {
        self.0 >> (MAX_PRECISION - precision)
    }
}
