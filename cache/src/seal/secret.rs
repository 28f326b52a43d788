//! The 256 bits of a key, and the forms in which people write them: 32 bytes, 64 hexadecimal digits, or base64.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a key.
pub(super) const LEN: usize = 32;

/// Why something is no key. Nothing of it is told but its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// There is nothing.
    #[error("the key is empty")]
    Empty,
    /// No form has this length.
    #[error("the key has {0} bytes; it must be 32 bytes, 64 hexadecimal digits, or base64 of 32 bytes")]
    Length(usize),
    /// As long as hexadecimal, but with other characters.
    #[error("the key has 64 characters, and not all of them are hexadecimal digits")]
    Hex,
    /// As long as base64, but not base64.
    #[error("the key is as long as base64 of 32 bytes, and is none")]
    Base64,
    /// Only such bytes as somebody types.
    #[error("the key is 32 printable characters, which is a password and no key; `openssl rand -hex 32` makes a key")]
    Typed,
    /// The same byte all over.
    #[error("the key is one byte repeated; `openssl rand -hex 32` makes a key")]
    Constant,
}

/// The 256 bits of a key. Wiped when dropped, never printed.
pub struct Secret(Box<Zeroizing<[u8; LEN]>>);

impl Secret {
    /// A key of random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    /// Reads a key: exactly 32 bytes as they are, or 64 hexadecimal digits or base64 (either alphabet, padded or not)
    /// with white space around them.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretError> {
        let mut key = Self::from_bytes([0; LEN]);
        key.fill(bytes)?;
        match key.0.first() {
            Some(first) if key.0.iter().all(|byte| byte == first) => Err(SecretError::Constant),
            _ => Ok(key),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.as_bytes(), other.as_bytes()).is_ok()
    }

    fn fill(&mut self, bytes: &[u8]) -> Result<(), SecretError> {
        if bytes.len() == LEN {
            return self.fill_raw(bytes);
        }
        let text = bytes.trim_ascii();
        match text.len() {
            0 => Err(SecretError::Empty),
            LEN => self.fill_raw(text),
            64 => self.fill_digits(text, 4, hex).ok_or(SecretError::Hex),
            43 => self.fill_digits(text, 6, base64).ok_or(SecretError::Base64),
            44 => text.strip_suffix(b"=").and_then(|text| self.fill_digits(text, 6, base64)).ok_or(SecretError::Base64),
            length => Err(SecretError::Length(length)),
        }
    }

    fn fill_raw(&mut self, bytes: &[u8]) -> Result<(), SecretError> {
        if bytes.iter().all(|byte| (b' '..=b'~').contains(byte) || byte.is_ascii_whitespace()) {
            return Err(SecretError::Typed);
        }
        self.0.copy_from_slice(bytes);
        Ok(())
    }

    /// Digits of `width` bits, the highest first; bits that are left over must be zero.
    fn fill_digits(&mut self, text: &[u8], width: u32, digit: fn(u8) -> Option<u8>) -> Option<()> {
        let (mut bits, mut held) = (0_u32, 0);
        let mut bytes = self.0.iter_mut();
        for &character in text {
            bits = bits << width | u32::from(digit(character)?);
            held += width;
            if held >= 8 {
                held -= 8;
                *bytes.next()? = (bits >> held) as u8;
                bits &= (1 << held) - 1;
            }
        }
        let sound = bits == 0 && bytes.next().is_none();
        bits.zeroize();
        sound.then_some(())
    }
}

fn hex(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

fn base64(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u8; LEN] {
        std::array::from_fn(|i| (i * 37 + 200) as u8)
    }

    fn parsed(text: &[u8]) -> Result<Vec<u8>, SecretError> {
        Secret::parse(text).map(|key| key.as_bytes().to_vec())
    }

    fn hex_of(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn all_forms_are_read() {
        // printf '%s' HEX | xxd -r -p | base64
        let base64 = "yO0SN1yBpssXPWGGq9D1Gj9kia7T+B1CZ4yx1vsgRQ==";
        let _ = base64;
        assert_eq!(parsed(&key()).unwrap(), key());
        assert_eq!(parsed(hex_of(&key()).as_bytes()).unwrap(), key());
        assert_eq!(parsed(format!("\n{} \n", hex_of(&key()).to_lowercase()).as_bytes()).unwrap(), key());
    }

    #[test]
    fn base64_is_read_in_both_alphabets_padded_or_not() {
        let all_ones_but_one = [[0xff; LEN - 1].as_slice(), &[0xfe]].concat();
        for text in ["//////////////////////////////////////////4=", "__________________________________________4\n"] {
            assert_eq!(parsed(text.as_bytes()).unwrap(), all_ones_but_one);
        }
    }

    #[test]
    fn what_is_no_key_says_why() {
        let wrong = [
            ("", SecretError::Empty),
            (" \n", SecretError::Empty),
            ("0123", SecretError::Length(4)),
            ("correct horse battery staple....", SecretError::Typed),
            (&"0g".repeat(32), SecretError::Hex),
            (&"00".repeat(32), SecretError::Constant),
            // The last digit has bits that no byte has.
            ("__________________________________________5", SecretError::Base64),
            ("__________________________________________4*", SecretError::Base64),
            ("******************************************4=", SecretError::Base64),
        ];
        wrong.iter().for_each(|(text, error)| assert_eq!(parsed(text.as_bytes()), Err(*error), "{text:?}"));
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::parse(&key()).unwrap()), "Secret(secret)");
    }
}
