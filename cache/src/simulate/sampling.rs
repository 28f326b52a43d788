//! A part of the keys stands for all.

use crate::key::Fingerprint;

/// One key of so many is looked at: a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sampling {
    shift: u32,
}

impl Sampling {
    /// Every key.
    pub const ALL: Self = Self { shift: 0 };

    /// So many that of `keys` at most `limit` are looked at.
    #[must_use]
    pub const fn at_most(limit: u64, keys: u64) -> Self {
        let mut sampling = Self::ALL;
        while sampling.shift < 32 && keys > limit << sampling.shift {
            sampling = sampling.halved();
        }
        sampling
    }

    /// One key of this many.
    #[must_use]
    pub const fn one_of(self) -> u64 {
        1 << self.shift
    }

    /// Half as many.
    #[must_use]
    pub const fn halved(self) -> Self {
        Self { shift: if self.shift < 32 { self.shift + 1 } else { self.shift } }
    }

    /// Whether this key is looked at. The bits are other than those that a cache uses.
    #[must_use]
    pub const fn takes(self, key: Fingerprint) -> bool {
        (key.high() >> 32) & (self.one_of() - 1) == 0
    }

    /// What is left of a capacity.
    pub(super) const fn scaled(self, bytes: u64) -> u64 {
        bytes >> self.shift
    }

    /// What a part of the keys needs, for all of them.
    pub(super) const fn unscaled(self, bytes: u64) -> u64 {
        bytes << self.shift
    }
}
