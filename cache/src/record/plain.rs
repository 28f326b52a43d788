//! Records that anybody can read who can read the store: proven by a 64-bit checksum.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::front::{self, Front};
use super::{RecordError, entry, write_content};
use crate::entry::Entry;
use crate::key::{Fingerprint, Keyed};

/// Bytes of a checksum.
const SUM_LEN: usize = 8;

/// Bytes around the fields and the block.
pub(super) const AROUND: usize = front::LEN + SUM_LEN;

pub(super) fn encode(entry: &Entry, bound: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&Front::Plain.to_bytes());
    write_content(entry, out);
    let sum = sum(entry.key().fingerprint, bound, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
}

pub(super) fn decode(fingerprint: Fingerprint, bound: &[u8], record: Vec<u8>) -> Result<Entry, RecordError> {
    let (summed, stored) = record.split_last_chunk::<SUM_LEN>().ok_or(RecordError::Short)?;
    if sum(fingerprint, bound, summed) != u64::from_le_bytes(*stored) {
        return Err(RecordError::Damaged);
    }
    entry(fingerprint, record, front::LEN, SUM_LEN)
}

/// The record's checksum, seeded by what is proven with it.
fn sum(fingerprint: Fingerprint, bound: &[u8], record: &[u8]) -> u64 {
    let place = xxh3_64_with_seed(bound, xxh3_64(&fingerprint.0.to_le_bytes()));
    xxh3_64_with_seed(record, place)
}

#[cfg(test)]
mod tests {
    use super::super::Codec;
    use super::super::tests::{BOUND, read, record, small};
    use super::*;

    #[test]
    fn a_plain_record_of_version_1_stays_as_it_is() {
        let record = record(&Codec::plain(), &small());
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [
            "0100000000000000",
            "cb00030000000500000009000000010000000000000002000000000000000300000000000000ffffffffffffffff\
             0900000000000000",
            "6b65796e6f746573455461673a20780d0a74686520626f6479",
            "93147a01adff7c3e",
        ];
        assert_eq!(hex, parts.concat());
    }

    /// What a proof cannot keep out: a record made with these fields on purpose.
    #[test]
    fn lengths_and_statuses_that_cannot_be_are_refused() {
        let entry = small();
        let sound = record(&Codec::plain(), &entry);
        let forge = |at: usize, bytes: &[u8]| {
            let mut record = sound[..sound.len() - SUM_LEN].to_vec();
            record[front::LEN + at..][..bytes.len()].copy_from_slice(bytes);
            let sum = sum(entry.key().fingerprint, BOUND, &record);
            record.extend_from_slice(&sum.to_le_bytes());
            read(&Codec::plain(), &entry, &record).map(|_| ())
        };
        assert_eq!(forge(0, &404_u16.to_le_bytes()), Ok(()));
        for status in [0, 99, 1000_u16] {
            assert_eq!(forge(0, &status.to_le_bytes()), Err(RecordError::Fields));
        }
        for at in [2, 6, 10] {
            for length in [u32::MAX, u32::MAX - 8, 100] {
                assert_eq!(forge(at, &length.to_le_bytes()), Err(RecordError::Fields), "{length} at {at}");
            }
        }
    }
}
