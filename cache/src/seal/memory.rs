//! Entries that stay sealed in memory (`encrypt = "everywhere"`).
//!
//! The key is drawn when the process starts and never leaves it, so a counter is a nonce that never comes twice. Key,
//! notes, head and body are all ciphertext; only while an answer is being looked at or sent does a copy of it lie in
//! clear. Whoever can read the memory of the running process can read the key as well: this keeps answers out of what is
//! left of the memory elsewhere, in swap and in parts of dumps.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::entry::{self, Ends, Entry, Judged, Meta};
use crate::key::{Fingerprint, Keyed};

use super::{NoRandom, TAG_LEN, random};

/// Seals and opens what one process keeps in memory.
pub struct MemorySeal {
    key: LessSafeKey,
    /// The next nonce. 2^64 are enough for ever.
    next: AtomicU64,
}

/// An entry that nobody can read but [`MemorySeal::open`].
pub(crate) struct SealedEntry {
    fingerprint: Fingerprint,
    nonce: u64,
    /// The ciphertext of the entry's block, and its tag.
    block: Box<[u8]>,
    ends: Ends,
    meta: Meta,
    judged: Judged,
}

impl MemorySeal {
    /// A seal with a key of its own.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, NoRandom> {
        let mut key = Zeroizing::new([0; 32]);
        random(key.as_mut_slice())?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| NoRandom)?;
        Ok(Self { key: LessSafeKey::new(key), next: AtomicU64::new(0) })
    }

    /// A sealed copy; nothing if the entry is longer than the cipher takes (64 GiB).
    pub(crate) fn seal(&self, entry: &Entry) -> Option<SealedEntry> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let fingerprint = entry.key().fingerprint;
        let mut block = Vec::with_capacity(entry.block().len() + TAG_LEN);
        block.extend_from_slice(entry.block());
        let tag = self.key.seal_in_place_separate_tag(nonce(number), bound(fingerprint), &mut block).ok()?;
        block.extend_from_slice(tag.as_ref());
        let block = block.into_boxed_slice();
        let (ends, meta, judged) = (entry.ends(), entry.meta(), entry.judged().clone());
        Some(SealedEntry { fingerprint, nonce: number, block, ends, meta, judged })
    }

    /// A readable copy, judged as the sealed one is; nothing if another seal has sealed it.
    pub(crate) fn open(&self, sealed: &SealedEntry) -> Option<Entry> {
        let SealedEntry { fingerprint, nonce: number, block, ends, meta, judged } = sealed;
        let mut content = block.to_vec();
        self.open_in_place(*number, *fingerprint, &mut content).ok()?;
        let held = content.capacity();
        content.truncate(content.len() - TAG_LEN);
        let entry = Entry::from_record(*fingerprint, Bytes::from(content), *ends, *meta, held);
        let (asked, expired) = judged.read();
        entry.judged().raise(asked, expired);
        Some(entry)
    }

    fn open_in_place(&self, number: u64, fingerprint: Fingerprint, content: &mut [u8]) -> Result<(), Unspecified> {
        self.key.open_in_place(nonce(number), bound(fingerprint), content).map(|_| ())
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(bytes)
}

fn bound(fingerprint: Fingerprint) -> Aad<[u8; 16]> {
    Aad::from(fingerprint.0.to_le_bytes())
}

impl SealedEntry {
    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What bans have said of it so far.
    pub(crate) const fn judged(&self) -> &Judged {
        &self.judged
    }

    /// The memory that it costs, bytes.
    pub(crate) const fn weight(&self) -> usize {
        entry::weight(self.block.len())
    }
}

impl fmt::Debug for SealedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedEntry({:?})", self.fingerprint)
    }
}

impl fmt::Debug for MemorySeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemorySeal(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{assert_same, entry_of};

    #[test]
    fn an_entry_is_unreadable_until_it_is_opened() {
        let seal = MemorySeal::random().unwrap();
        let entry = entry_of(b"a key of some length", b"notes of some length", b"ETag: some length\r\n", b"a body");
        entry.judged().raise(12, true);
        let sealed = seal.seal(&entry).unwrap();
        assert!(!entry.block().windows(6).any(|part| sealed.block.windows(6).any(|other| other == part)));
        assert!(sealed.weight() >= entry.weight());
        let opened = seal.open(&sealed).unwrap();
        assert_same(&entry, &opened);
        assert_eq!(opened.judged().read(), (12, true));
    }

    #[test]
    fn another_process_and_another_place_do_not_open_it() {
        let (seal, entry) = (MemorySeal::random().unwrap(), entry_of(b"key", b"", b"", b"body"));
        let mut sealed = seal.seal(&entry).unwrap();
        assert!(MemorySeal::random().unwrap().open(&sealed).is_none());
        sealed.fingerprint = Fingerprint(1);
        assert!(seal.open(&sealed).is_none());
    }

    #[test]
    fn no_nonce_comes_twice() {
        let (seal, entry) = (MemorySeal::random().unwrap(), entry_of(b"key", b"", b"", b"body"));
        let (one, two) = (seal.seal(&entry).unwrap(), seal.seal(&entry).unwrap());
        assert_ne!((one.nonce, &one.block), (two.nonce, &two.block));
    }
}
