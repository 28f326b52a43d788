//! A record as a disk may give it back: what is read lies in it, and writes the same record again. The checksum is made
//! right, for whoever writes to the disk can do that too.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sluice_cache::key::{Fingerprint, Keyed};
use sluice_cache::seal::{KeyId, Keyring, Keys, Salt, Secret};
use sluice_cache::{Codec, Entry};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const PLACE: Fingerprint = Fingerprint(7);
const BOUND: &[u8] = b"a frame";
/// Version and form of a plain record.
const PLAIN: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

fn proven(bytes: &[u8]) -> Vec<u8> {
    let mut record = [&PLAIN, bytes].concat();
    let place = xxh3_64_with_seed(BOUND, xxh3_64(&PLACE.0.to_le_bytes()));
    let sum = xxh3_64_with_seed(&record, place);
    record.extend_from_slice(&sum.to_le_bytes());
    record
}

fn look_at(entry: &Entry, record: &[u8]) {
    let parts = [entry.key().bytes, entry.notes(), entry.head(), entry.body()];
    assert!(parts.iter().map(|part| part.len()).sum::<usize>() < record.len());
    let _ = (entry.freshness(0), entry.freshness(u64::MAX), entry.weight());
    let mut again = Vec::new();
    Codec::plain().encode(entry, BOUND, &mut again).expect("it was a record");
    assert_eq!(again, record);
}

fuzz_target!(|bytes: &[u8]| {
    let codec = Codec::plain();
    assert!(codec.decode(PLACE, BOUND, bytes.to_vec()).is_err(), "nobody guesses the checksum");
    let record = proven(bytes);
    if let Ok(entry) = codec.decode(PLACE, BOUND, record.clone()) {
        look_at(&entry, &record);
        assert!(codec.decode(Fingerprint(8), BOUND, record.clone()).is_err());
    }
    let keys = Keys::new(vec![(KeyId(1), Secret::from_bytes([1; 32]))], KeyId(1)).expect("one key");
    let sealed = Codec::sealed(Arc::new(Keyring::new(keys)), Salt::from_bytes([1; 32]));
    assert!(sealed.decode(PLACE, BOUND, bytes.to_vec()).is_err() && sealed.decode(PLACE, BOUND, record).is_err());
});
