//! The fixed fields of a record: all that an entry has beside its block.

use super::RecordError;
use crate::entry::{Ends, Entry, Lifetime, Meta};
use crate::invalidate::Sequence;
use crate::key::{KEY_LIMIT, Keyed};

/// Bytes of the fields.
pub(super) const LEN: usize = 54;

/// Status, the lengths of key, notes and head (the body is the rest), the four times of a [`Lifetime`], the birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    status: u16,
    lengths: [u32; 3],
    times: [u64; 4],
    born: u64,
}

impl Fields {
    pub(super) fn of(entry: &Entry) -> Self {
        let Lifetime { stored_at_ns, fresh_until_ns, revalidate_until_ns, error_until_ns } = entry.lifetime();
        // An entry's front is shorter than 4 GiB.
        let lengths = [entry.key().bytes, entry.notes(), entry.head()].map(|part| part.len() as u32);
        let times = [stored_at_ns, fresh_until_ns, revalidate_until_ns, error_until_ns];
        Self { status: entry.status(), lengths, times, born: entry.born().0 }
    }

    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let mut rest = bytes.as_mut_slice();
        put(&mut rest, &self.status.to_le_bytes());
        self.lengths.iter().for_each(|length| put(&mut rest, &length.to_le_bytes()));
        self.times.iter().chain([&self.born]).for_each(|number| put(&mut rest, &number.to_le_bytes()));
        debug_assert!(rest.is_empty());
        bytes
    }

    /// The fields, and what follows them.
    pub(super) fn read(content: &[u8]) -> Result<(Self, &[u8]), RecordError> {
        Self::take(content).ok_or(RecordError::Short)
    }

    fn take(mut rest: &[u8]) -> Option<(Self, &[u8])> {
        let status = u16::from_le_bytes(take(&mut rest)?);
        let lengths = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u32::from_le_bytes);
        let times = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u64::from_le_bytes);
        let born = u64::from_le_bytes(take(&mut rest)?);
        Some((Self { status, lengths, times, born }, rest))
    }

    /// Where key, notes and head end in a block of `block` bytes; nothing if they cannot.
    pub(super) fn ends(&self, block: usize) -> Option<Ends> {
        let [key, notes, head] = self.lengths;
        let notes_end = key.checked_add(notes)?;
        let head_end = notes_end.checked_add(head)?;
        let sound = key as usize <= KEY_LIMIT && head_end as usize <= block && (100..1000).contains(&self.status);
        sound.then_some(Ends { key, notes: notes_end, head: head_end })
    }

    pub(super) const fn meta(&self) -> Meta {
        let [stored_at_ns, fresh_until_ns, revalidate_until_ns, error_until_ns] = self.times;
        let lifetime = Lifetime { stored_at_ns, fresh_until_ns, revalidate_until_ns, error_until_ns };
        Meta { status: self.status, lifetime, born: Sequence(self.born) }
    }
}

/// Writes at the start of `rest` and moves it on.
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    if let Some((here, after)) = std::mem::take(rest).split_at_mut_checked(bytes.len()) {
        here.copy_from_slice(bytes);
        *rest = after;
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (here, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*here)
}
