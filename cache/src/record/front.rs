//! The clear front of a record: what must be known before the rest can be read.

use super::RecordError;

/// The version that this code writes, and the only one that it reads: another is a miss, and is overwritten in time.
pub(super) const VERSION: u8 = 1;

/// Bytes of the front.
pub(super) const LEN: usize = 8;

/// How what follows the front is proven, and whether it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
}

/// Version, form, two bytes of zero, key id (zero in a plain record).
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    pub(super) form: Form,
}

impl Front {
    pub(super) const fn to_bytes(self) -> [u8; LEN] {
        match self.form {
            Form::Plain => [VERSION, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    pub(super) fn read(record: &[u8]) -> Result<Self, RecordError> {
        match *record.first_chunk::<LEN>().ok_or(RecordError::Short)? {
            [VERSION, 0, 0, 0, 0, 0, 0, 0] => Ok(Self { form: Form::Plain }),
            [VERSION, ..] => Err(RecordError::Form),
            [version, ..] => Err(RecordError::Version(version)),
        }
    }
}
