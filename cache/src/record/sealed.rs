//! Records that only the ring's keys open: all behind the front and the nonce is ciphertext, and a tag proves all.

use super::front::{self, Front};
use super::{BOUND_LIMIT, RecordError, SealError, entry, write_content};
use crate::entry::Entry;
use crate::key::{Fingerprint, Keyed};
use crate::seal::{KeyId, NONCE_LEN, NotOpened, Space, TAG_LEN, random};

/// Where the ciphertext begins.
const CLEAR: usize = front::LEN + NONCE_LEN;

/// Bytes around the fields and the block.
pub(super) const AROUND: usize = CLEAR + TAG_LEN;

/// `out` is as it was if this fails.
pub(super) fn encode(space: &Space, entry: &Entry, bound: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
    let start = out.len();
    let sealed = append(space, entry, bound, out);
    if sealed.is_err() {
        // Nobody takes for a record what was not sealed.
        out.truncate(start);
    }
    sealed
}

fn append(space: &Space, entry: &Entry, bound: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
    let mut nonce = [0; NONCE_LEN];
    random(&mut nonce).map_err(|_| SealError::NoRandom)?;
    let sealing = space.sealing();
    let front = Front::Sealed(sealing.id()).to_bytes();
    out.extend_from_slice(&front);
    out.extend_from_slice(&nonce);
    let content_start = out.len();
    write_content(entry, out);
    let content = out.get_mut(content_start..).unwrap_or_default();
    let bound = Bound::new(front, entry.key().fingerprint, bound);
    let tag = sealing.seal(nonce, bound.as_bytes(), content).ok_or(SealError::Cipher)?;
    out.extend_from_slice(&tag);
    Ok(())
}

pub(super) fn decode(
    space: &Space,
    key: KeyId,
    fingerprint: Fingerprint,
    bound: &[u8],
    mut record: Vec<u8>,
) -> Result<Entry, RecordError> {
    let (front, rest) = record.split_first_chunk_mut::<{ front::LEN }>().ok_or(RecordError::Short)?;
    let (nonce, content) = rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(RecordError::Short)?;
    let bound = Bound::new(*front, fingerprint, bound);
    space.open(key, *nonce, bound.as_bytes(), content).map_err(|why| match why {
        NotOpened::UnknownKey => RecordError::UnknownKey(key),
        NotOpened::Damaged => RecordError::Damaged,
    })?;
    entry(fingerprint, record, CLEAR, TAG_LEN)
}

/// What is proven with a record, beside its content: front, fingerprint, and what the store binds to it.
struct Bound {
    bytes: [u8; Self::LIMIT],
    length: usize,
}

impl Bound {
    const FIXED: usize = front::LEN + 16;
    const LIMIT: usize = Self::FIXED + BOUND_LIMIT;

    /// `bound` has at most [`BOUND_LIMIT`] bytes, as [`super::Codec`] sees to.
    fn new(front: [u8; front::LEN], fingerprint: Fingerprint, bound: &[u8]) -> Self {
        let mut bytes = [0; Self::LIMIT];
        let (fixed, rest) = bytes.split_at_mut(Self::FIXED);
        let (here, after) = fixed.split_at_mut(front.len());
        here.copy_from_slice(&front);
        after.copy_from_slice(&fingerprint.0.to_le_bytes());
        rest.iter_mut().zip(bound).for_each(|(to, from)| *to = *from);
        Self { bytes, length: Self::FIXED + bound.len().min(BOUND_LIMIT) }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::Codec;
    use super::super::tests::{assert_same, entry_of, read, record, small};
    use super::*;
    use crate::seal::{Keyring, Keys, Salt, Secret};

    fn keys(ids: &[u32], current: u32) -> Keys {
        let key = |id: &u32| (KeyId(*id), Secret::from_bytes([*id as u8; 32]));
        Keys::new(ids.iter().map(key).collect(), KeyId(current)).unwrap()
    }

    fn ring(ids: &[u32], current: u32) -> Arc<Keyring> {
        Arc::new(Keyring::new(keys(ids, current)))
    }

    fn codec(ring: &Arc<Keyring>, salt: u8) -> Codec {
        Codec::sealed(Arc::clone(ring), Salt::from_bytes([salt; 32]))
    }

    fn key_id(record: &[u8]) -> u32 {
        u32::from_le_bytes(record[4..8].try_into().unwrap())
    }

    #[test]
    fn nothing_of_an_entry_is_in_its_record() {
        let body: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let entry = entry_of(b"petstore1/users/erika", b"tag:erika", b"Set-Cookie: session=secret\r\n", &body);
        let sealed = record(&codec(&ring(&[1], 1), 1), &entry);
        let plain = record(&Codec::plain(), &entry);
        let content = &plain[front::LEN..plain.len() - 8];
        let readable: HashSet<&[u8]> = sealed.windows(8).collect();
        assert!(!content.windows(8).any(|part| readable.contains(part)));
    }

    #[test]
    fn the_same_entry_is_never_sealed_twice_alike() {
        let codec = codec(&ring(&[1], 1), 1);
        let (one, two) = (record(&codec, &small()), record(&codec, &small()));
        assert_ne!(one[front::LEN..CLEAR], two[front::LEN..CLEAR]);
        assert_ne!(one[CLEAR..], two[CLEAR..]);
    }

    #[test]
    fn what_one_process_has_sealed_another_opens() {
        let record = record(&codec(&ring(&[1, 2], 2), 7), &small());
        assert_same(&small(), &read(&codec(&ring(&[2, 3], 3), 7), &small(), &record).unwrap());
    }

    #[test]
    fn after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() {
        let ring = ring(&[1], 1);
        let codec = codec(&ring, 1);
        let old = record(&codec, &small());
        ring.replace(keys(&[1, 2], 2)).unwrap();
        let new = record(&codec, &small());
        assert_eq!((key_id(&old), key_id(&new)), (1, 2));
        assert_same(&small(), &read(&codec, &small(), &old).unwrap());
        assert_same(&small(), &read(&codec, &small(), &new).unwrap());
        ring.replace(keys(&[2], 2)).unwrap();
        assert_eq!(read(&codec, &small(), &old).unwrap_err(), RecordError::UnknownKey(KeyId(1)));
        assert_same(&small(), &read(&codec, &small(), &new).unwrap());
    }

    #[test]
    fn once_a_rotation_has_returned_no_record_has_the_old_key() {
        let ring = ring(&[1, 2], 1);
        let (codec, entry, rotated) = (codec(&ring, 1), small(), AtomicBool::new(false));
        let sealed_under = || (rotated.load(Ordering::SeqCst), key_id(&record(&codec, &entry)));
        std::thread::scope(|scope| {
            let sealers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        std::iter::repeat_with(sealed_under).take_while(|(rotated, _)| !rotated).count();
                        (0..100).all(|_| sealed_under() == (true, 2))
                    })
                })
                .collect();
            ring.replace(keys(&[1, 2], 2)).unwrap();
            rotated.store(true, Ordering::SeqCst);
            assert!(sealers.into_iter().all(|sealer| sealer.join().unwrap()));
        });
    }

    #[test]
    fn another_space_another_key_and_another_form_do_not_open_it() {
        let ring = ring(&[1, 2], 1);
        let record = record(&codec(&ring, 1), &small());
        let refused = |codec: &Codec| read(codec, &small(), &record).unwrap_err();
        assert_eq!(refused(&codec(&ring, 2)), RecordError::Damaged);
        let other = Keys::new(vec![(KeyId(1), Secret::from_bytes([9; 32]))], KeyId(1)).unwrap();
        assert_eq!(refused(&codec(&Arc::new(Keyring::new(other)), 1)), RecordError::Damaged);
        assert_eq!(refused(&Codec::plain()), RecordError::Form);
        let mut under_two = record.clone();
        under_two[4] = 2;
        assert_eq!(read(&codec(&ring, 1), &small(), &under_two).unwrap_err(), RecordError::Damaged);
    }

    #[test]
    fn a_sealed_space_takes_no_plain_record() {
        let plain = record(&Codec::plain(), &small());
        assert_eq!(read(&codec(&ring(&[1], 1), 1), &small(), &plain).unwrap_err(), RecordError::Form);
    }

    #[test]
    fn debug_prints_no_key() {
        let printed = format!("{:?}", codec(&ring(&[1], 1), 0x5a));
        assert_eq!(printed, "Codec(Sealed(Space(Keyring(Keys([1], current 1)))))");
    }

    /// A record that version 1 wrote: it must stay readable.
    #[test]
    fn a_sealed_record_of_version_1_is_read() {
        let digits: Vec<u8> = VERSION_1.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
        let record: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        assert_same(&small(), &read(&codec(&ring(&[1], 1), 1), &small(), &record).unwrap());
    }

    const VERSION_1: &str = "0101000001000000eb9c5dc05e6bf8c76b14ca4843c44ac0c7e6c38b5a5859ec\
        de33d66c54bf744e85dc6d6aaedd7afc0d51a2c7b04fba12fb75c26f20984235df1298cf99db487e84e2d0f178c4d298\
        0604dadb7b588f5a00c036e923a53eee1f3304796c0d5b19f5c3fc2a34fc0269ff8348e8abed3cfdc88d9b947d443d";
}
