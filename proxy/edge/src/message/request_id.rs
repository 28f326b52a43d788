//! Request ids: random version 4 UUIDs, or the client's own where it sent one.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A UUID's 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl RequestId {
    /// The 36 characters.
    #[inline]
    pub fn text(self) -> [u8; 36] {
        let word = |shift: u32| digits((self.0 >> shift) as u32);
        let (first, second, third, fourth) = (word(96), word(64), word(32), word(0));
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&first);
        text[9..13].copy_from_slice(&second[..4]);
        text[14..18].copy_from_slice(&second[4..]);
        text[19..23].copy_from_slice(&third[..4]);
        text[24..28].copy_from_slice(&third[4..]);
        text[28..].copy_from_slice(&fourth);
        text
    }

    /// AWS's extended request id, sent as `x-amz-apigw-id`: 16 characters of base64 that end in `=`. Ours come from the
    /// request id.
    pub fn extended(self) -> [u8; 16] {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = [b'='; 16];
        for (i, to) in text.iter_mut().take(15).enumerate() {
            *to = DIGITS.get((self.0 >> (i * 6)) as usize & 63).copied().unwrap_or(b'A');
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

/// Eight hexadecimal digits at once: each nibble into a byte of its own, then 10 and more moved up to the letters.
#[inline]
const fn digits(word: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let pairs = (word as u64 | (word as u64) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (bytes | bytes << 4) & (0x0f * ONES);
    let letters = ((nibbles + 6 * ONES) >> 4) & ONES;
    (nibbles + b'0' as u64 * ONES + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
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
    fn every_digit_stands_in_its_place() {
        let text = RequestId(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210).text();
        assert_eq!(std::str::from_utf8(&text), Ok("01234567-89ab-cdef-fedc-ba9876543210"));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "x", "00000000-0000-0000-0000-00000000000g", "000000000000-0000-0000-00000000000000"] {
            assert_eq!(RequestId::parse(text.as_bytes()), None, "{text}");
        }
    }
}
