//! Rate and burst, at whichever level they are written.

use sluice_api::Throttle;

use crate::config::keys::Key;
use crate::config::table::Table;

/// A rate and a burst as they were written; either may be left out and taken from the level above.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) rate: Option<f64>,
    pub(super) burst: Option<u32>,
}

impl Rates {
    pub(super) fn read(table: &Table<'_>, rate: &'static Key, burst: &'static Key) -> Self {
        let burst = table.integer(burst).and_then(|n| u32::try_from(n).ok());
        Self { rate: table.number(rate), burst }
    }

    /// What is left out is the level above's.
    pub(super) fn or(self, above: Self) -> Self {
        Self { rate: self.rate.or(above.rate), burst: self.burst.or(above.burst) }
    }

    /// No rate, no throttle.
    pub(super) fn throttle(self) -> Option<Throttle> {
        let rate = self.rate?;
        Some(Throttle { rate, burst: self.burst.unwrap_or_else(|| one_second(rate)) })
    }
}

/// The burst for a rate that has none: one second's worth, at least 1 (0 for a rate of 0).
pub(super) fn one_second(rate: f64) -> u32 {
    rate.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_comes_from_above() {
        let above = Rates { rate: Some(10.0), burst: Some(7) };
        let own = Rates { rate: Some(0.5), burst: None };
        assert_eq!(own.or(above).throttle(), Some(Throttle { rate: 0.5, burst: 7 }));
        assert_eq!(own.throttle(), Some(Throttle { rate: 0.5, burst: 1 }));
        assert_eq!(Rates { rate: None, burst: Some(3) }.throttle(), None);
    }
}
