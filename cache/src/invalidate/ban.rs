//! One ban: a purge with its number, in memory and as bytes for a tier that outlives the process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use thiserror::Error;

use super::Sequence;
use super::purge::{Force, Purge, Target};

/// A purge that holds for everything that was fetched before it.
#[derive(Debug)]
pub struct Ban {
    sequence: Sequence,
    purge: Purge,
    until_ns: AtomicU64,
    /// Whatever it covers in memory has been dealt with.
    settled: AtomicBool,
}

/// Bytes are not a ban, or one of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("these bytes are no ban")]
pub struct BanError;

const VERSION: u8 = 1;

impl Ban {
    pub(super) const fn new(sequence: Sequence, purge: Purge, until_ns: u64) -> Self {
        Self { sequence, purge, until_ns: AtomicU64::new(until_ns), settled: AtomicBool::new(false) }
    }

    /// Its number.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What it says.
    #[must_use]
    pub const fn purge(&self) -> &Purge {
        &self.purge
    }

    /// When everything that it could cover is over, nanoseconds of the clock of
    /// [`Lifetime`](crate::entry::Lifetime).
    #[must_use]
    pub fn until_ns(&self) -> u64 {
        self.until_ns.load(Ordering::Acquire)
    }

    /// Says so once it is known.
    pub(super) fn keep_until(&self, until_ns: u64) {
        self.until_ns.store(until_ns, Ordering::Release);
    }

    /// What it costs to keep, bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + ARC + self.purge.target.text().len()
    }

    /// Memory holds nothing that it covers.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Release);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Appends it to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = self.purge.target.text();
        out.extend_from_slice(&[VERSION, self.purge.force as u8, self.purge.target.kind() as u8]);
        out.extend_from_slice(&self.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.until_ns().to_le_bytes());
        out.extend_from_slice(text);
    }

    /// Reads what [`Ban::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, BanError> {
        let ([VERSION, force, kind], rest) = bytes.split_first_chunk::<3>().ok_or(BanError)? else {
            return Err(BanError);
        };
        let (sequence, rest) = rest.split_first_chunk::<8>().ok_or(BanError)?;
        let (until, text) = rest.split_first_chunk::<8>().ok_or(BanError)?;
        let purge = Purge { target: target(*kind, text)?, force: self::force(*force)? };
        Ok(Self::new(Sequence(u64::from_le_bytes(*sequence)), purge, u64::from_le_bytes(*until)))
    }
}

const ARC: usize = 16;

fn force(byte: u8) -> Result<Force, BanError> {
    [Force::Soft, Force::Hard].into_iter().find(|force| *force as u8 == byte).ok_or(BanError)
}

fn target(kind: u8, text: &[u8]) -> Result<Target, BanError> {
    use super::TargetKind as Kind;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(BanError)?;
    match kind {
        Kind::Key => Ok(Target::Key(text.into())),
        Kind::Method => Ok(Target::Method(text.into())),
        Kind::Prefix => Ok(Target::Prefix(text.into())),
        Kind::Tag => Ok(Target::Tag(text.into())),
        Kind::Everything if text.is_empty() => Ok(Target::Everything),
        Kind::Everything => Err(BanError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bans_survive_as_bytes() {
        let targets = [
            Target::Key(b"k".as_slice().into()),
            Target::Method(b"GET /".as_slice().into()),
            Target::Prefix(b"".as_slice().into()),
            Target::Tag(b"t".as_slice().into()),
            Target::Everything,
        ];
        for (target, force) in targets.into_iter().zip([Force::Soft, Force::Hard].into_iter().cycle()) {
            let ban = Ban::new(Sequence(7), Purge { target, force }, 99);
            let mut bytes = Vec::new();
            ban.encode(&mut bytes);
            let read = Ban::decode(&bytes).unwrap();
            assert_eq!((read.sequence(), read.purge(), read.until_ns()), (Sequence(7), ban.purge(), 99));
        }
    }

    proptest! {
        #[test]
        fn bytes_are_a_ban_or_an_error(bytes in proptest::collection::vec(0_u8..6, 0..40)) {
            if let Ok(ban) = Ban::decode(&bytes) {
                let mut again = Vec::new();
                ban.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
