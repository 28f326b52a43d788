//! The clear front of a record: what must be known before the rest can be read.

use super::RecordError;
use crate::seal::KeyId;

/// The version that this code writes, and the only one that it reads: another is a miss, and is overwritten in time.
pub(super) const VERSION: u8 = 1;

/// Bytes of the front; a nonce follows it in a sealed record.
pub(super) const LEN: usize = 8;

/// How what follows the front is proven, and whether it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// In clear, with a checksum.
    Plain,
    /// Sealed under this key.
    Sealed(KeyId),
}

const PLAIN: u8 = 0;
const SEALED: u8 = 1;

impl Front {
    /// Version, form, two bytes of zero, key id (zero in a plain record).
    pub(super) const fn to_bytes(self) -> [u8; LEN] {
        match self {
            Self::Plain => [VERSION, PLAIN, 0, 0, 0, 0, 0, 0],
            Self::Sealed(id) => {
                let [a, b, c, d] = id.0.to_le_bytes();
                [VERSION, SEALED, 0, 0, a, b, c, d]
            }
        }
    }

    pub(super) fn read(record: &[u8]) -> Result<Self, RecordError> {
        match *record.first_chunk::<LEN>().ok_or(RecordError::Short)? {
            [VERSION, PLAIN, 0, 0, 0, 0, 0, 0] => Ok(Self::Plain),
            [VERSION, SEALED, 0, 0, a, b, c, d] => Ok(Self::Sealed(KeyId(u32::from_le_bytes([a, b, c, d])))),
            [VERSION, ..] => Err(RecordError::Form),
            [version, ..] => Err(RecordError::Version(version)),
        }
    }
}
