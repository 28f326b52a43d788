//! Request ids: random version 4 UUIDs, or the client's own where it sent one.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Where the two digits of each byte of a UUID stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// A UUID's 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl RequestId {
    /// The 36 characters.
    #[inline]
    pub fn text(self) -> [u8; 36] {
        let mut text = [b'-'; 36];
        for (byte, place) in self.0.to_be_bytes().into_iter().zip(PLACES) {
            if let Some(digits) = text.get_mut(place..place + 2) {
                digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
        text
    }

    /// A client's `x-amzn-RequestId`; `None` unless it is a UUID in the usual form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut id = 0u128;
        for (at, b) in text.iter().enumerate() {
            match (matches!(at, 8 | 13 | 18 | 23), b) {
                (true, b'-') => {}
                (false, _) => id = id << 4 | u128::from(char::from(*b).to_digit(16)?),
                (true, _) => return None,
            }
        }
        Some(Self(id))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

#[inline]
const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Makes request ids for one worker. Unpredictable enough for ids; nothing secret may come from it.
#[derive(Debug)]
pub struct RequestIds {
    state: u64,
}

impl RequestIds {
    /// Seeded by the system's randomness.
    pub fn new() -> Self {
        Self { state: RandomState::new().build_hasher().finish() }
    }

    /// A new id.
    #[inline]
    pub fn draw(&mut self) -> RequestId {
        let random = u128::from(self.word()) << 64 | u128::from(self.word());
        let versioned = random & !(0xf << 76) | 4 << 76;
        RequestId(versioned & !(0x3 << 62) | 0x2 << 62)
    }

    /// 64 random bits (wyrand).
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0xa076_1d64_78bd_642f);
        let product = u128::from(self.state).wrapping_mul(u128::from(self.state ^ 0xe703_7ed1_a0b4_28db));
        (product >> 64) as u64 ^ product as u64
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_4_and_read_back() {
        let mut ids = RequestIds::new();
        for _ in 0..1_000 {
            let id = ids.draw();
            let text = id.text();
            assert_eq!(text[14], b'4');
            assert!(b"89ab".contains(&text[19]));
            assert_eq!(RequestId::parse(&text), Some(id));
        }
        assert_ne!(ids.draw(), ids.draw());
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "x", "00000000-0000-0000-0000-00000000000g", "000000000000-0000-0000-00000000000000"] {
            assert_eq!(RequestId::parse(text.as_bytes()), None, "{text}");
        }
    }
}
