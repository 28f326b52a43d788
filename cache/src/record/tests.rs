use proptest::prelude::*;

use super::*;
use crate::entry::{Draft, Lifetime};
use crate::invalidate::Sequence;
use crate::key::{KeyHasher, Keyed, SECRET_LEN};
use crate::seal::{Keys, Secret};

pub(super) const BOUND: &[u8] = b"the store's frame header";

pub(crate) fn entry_of(key: &[u8], notes: &[u8], head: &[u8], body: &[u8]) -> Entry {
    let key = KeyHasher::new([3; SECRET_LEN]).key(key);
    let lifetime = Lifetime { stored_at_ns: 1, fresh_until_ns: 2, revalidate_until_ns: 3, error_until_ns: u64::MAX };
    let draft = Draft { key, status: 203, notes, head, lifetime, born: Sequence(9) };
    Entry::new(draft, &[Bytes::copy_from_slice(body)]).unwrap()
}

pub(super) fn small() -> Entry {
    entry_of(b"key", b"notes", b"ETag: x\r\n", b"the body")
}

pub(super) fn record(codec: &Codec, entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    codec.encode(entry, BOUND, &mut out).unwrap();
    out
}

pub(super) fn read(codec: &Codec, entry: &Entry, record: &[u8]) -> Result<Entry, RecordError> {
    codec.decode(entry.key().fingerprint, BOUND, record.to_vec())
}

pub(crate) fn assert_same(left: &Entry, right: &Entry) {
    assert_eq!(left.key(), right.key());
    assert_eq!((left.notes(), left.head(), left.body()), (right.notes(), right.head(), right.body()));
    assert_eq!((left.status(), left.lifetime(), left.born()), (right.status(), right.lifetime(), right.born()));
}

/// Each kind of codec.
fn codecs() -> Vec<Codec> {
    let keys = Keys::new(vec![(KeyId(1), Secret::from_bytes([1; 32]))], KeyId(1)).unwrap();
    let sealed = Codec::sealed(Arc::new(Keyring::new(keys)), Salt::from_bytes([1; 32]));
    vec![Codec::plain(), sealed]
}

#[test]
fn every_flip_of_a_bit_is_found() {
    for codec in codecs() {
        let entry = small();
        let record = record(&codec, &entry);
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&codec, &entry, &flipped).is_err(), "bit {bit} of {codec:?}");
        }
    }
}

#[test]
fn a_record_that_is_cut_or_followed_by_more_is_refused() {
    for codec in codecs() {
        let entry = small();
        let mut record = record(&codec, &entry);
        for length in 0..record.len() {
            assert!(read(&codec, &entry, &record[..length]).is_err(), "{length} bytes of {codec:?}");
        }
        record.push(0);
        assert!(read(&codec, &entry, &record).is_err(), "{codec:?}");
    }
}

#[test]
fn a_record_in_the_place_of_another_is_damaged() {
    for codec in codecs() {
        let (here, there) = (small(), entry_of(b"other", b"", b"", b""));
        let record = record(&codec, &here);
        let as_other = codec.decode(there.key().fingerprint, BOUND, record.clone());
        assert_eq!(as_other.unwrap_err(), RecordError::Damaged);
        let elsewhere = codec.decode(here.key().fingerprint, b"another frame header", record);
        assert_eq!(elsewhere.unwrap_err(), RecordError::Damaged);
    }
}

#[test]
fn another_version_is_told_by_its_number() {
    let entry = small();
    let mut record = record(&Codec::plain(), &entry);
    record[0] = 2;
    assert_eq!(read(&Codec::plain(), &entry, &record).unwrap_err(), RecordError::Version(2));
}

#[test]
fn more_than_a_frame_header_is_not_bound() {
    let mut out = vec![7];
    for codec in codecs() {
        assert_eq!(codec.encode(&small(), &[0; BOUND_LIMIT + 1], &mut out), Err(SealError::BoundTooLong));
        assert_eq!(out, [7]);
    }
}

#[test]
fn the_block_is_a_slice_of_the_record_and_weighs_all_of_it() {
    for codec in codecs() {
        let entry = small();
        let record = record(&codec, &entry);
        let (from, to) = (record.as_ptr() as usize, record.as_ptr() as usize + record.len());
        let read = codec.decode(entry.key().fingerprint, BOUND, record).unwrap();
        assert!((from..to).contains(&(read.body().as_ptr() as usize)));
        assert!(read.weight() > entry.weight());
    }
}

proptest! {
    #[test]
    fn an_entry_comes_back_as_it_was(
        key in prop::collection::vec(any::<u8>(), 0..300),
        notes in prop::collection::vec(any::<u8>(), 0..40),
        head in prop::collection::vec(any::<u8>(), 0..300),
        body in prop::collection::vec(any::<u8>(), 0..5_000),
        before in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let entry = entry_of(&key, &notes, &head, &body);
        for codec in codecs() {
            let mut out = before.clone();
            codec.encode(&entry, BOUND, &mut out).unwrap();
            prop_assert_eq!(&out[..before.len()], &before[..]);
            let record = out.split_off(before.len());
            prop_assert_eq!(record.len(), codec.encoded_len(&entry));
            assert_same(&entry, &read(&codec, &entry, &record).unwrap());
        }
    }

    #[test]
    fn strangers_bytes_are_refused(mut record in prop::collection::vec(any::<u8>(), 0..400), known in any::<bool>()) {
        for codec in codecs() {
            if known {
                // Past the version and into the proof.
                let front = self::record(&codec, &small());
                record.iter_mut().zip(&front).take(front::LEN).for_each(|(byte, known)| *byte = *known);
            }
            prop_assert!(codec.decode(Fingerprint(1), BOUND, record.clone()).is_err());
        }
    }
}
