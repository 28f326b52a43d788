//! XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived for each nonce of 192 bits.
//!
//! The first half of the nonce derives the key (NIST SP 800-108 with CMAC, two blocks), the second is AES-GCM's nonce.
//! Random nonces do not collide before 2^80 records under one key, where AES-256-GCM alone allows 2^32.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cmac;
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 24;

/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 16;

const HALF: usize = NONCE_LEN / 2;

/// A key that draws the keys of records.
pub(super) struct Xaes(cmac::Key);

impl Xaes {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, Unspecified> {
        cmac::Key::new(cmac::AES_256, key).map(Self)
    }

    /// Encrypts `content` where it is; gives the tag.
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        bound: &[u8],
        content: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(bound), content)?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Decrypts `content`, which ends with its tag, where it is.
    pub(super) fn open(&self, nonce: [u8; NONCE_LEN], bound: &[u8], content: &mut [u8]) -> Result<(), Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        key.open_in_place(nonce, Aad::from(bound), content).map(|_| ())
    }

    fn derive(&self, nonce: [u8; NONCE_LEN]) -> Result<(LessSafeKey, Nonce), Unspecified> {
        let (input, nonce) = nonce.split_first_chunk::<HALF>().ok_or(Unspecified)?;
        let mut key = Zeroizing::new([0; 32]);
        for (number, half) in (1..).zip(key.chunks_exact_mut(16)) {
            half.copy_from_slice(self.block(number, input)?.as_ref());
        }
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice())?;
        Ok((LessSafeKey::new(key), Nonce::try_assume_unique_for_key(nonce)?))
    }

    /// CMAC of counter, label "X", zero, input.
    fn block(&self, number: u8, input: &[u8; HALF]) -> Result<cmac::Tag, Unspecified> {
        let mut message = [0; 4 + HALF];
        message[..4].copy_from_slice(&[0, number, b'X', 0]);
        message[4..].copy_from_slice(input);
        cmac::sign(&self.0, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: u8, bound: &[u8]) -> String {
        let mut content = b"XAES-256-GCM".to_vec();
        let tag = Xaes::new(&[key; 32]).unwrap().seal(*b"ABCDEFGHIJKLMNOPQRSTUVWX", bound, &mut content).unwrap();
        content.iter().chain(&tag).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The vectors of the specification, c2sp.org/XAES-256-GCM.
    #[test]
    fn the_specifications_vectors_hold() {
        assert_eq!(sealed(1, b""), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
        assert_eq!(sealed(3, b"c2sp.org/XAES-256-GCM"), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    }
}
