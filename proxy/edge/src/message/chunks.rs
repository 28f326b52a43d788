//! Are these the chunks of a request's body, exactly as RFC 9112 §7.1 writes them?
//!
//! Watches the bytes on their way to Pingora, whose parser takes an empty size for 0 and lets a lone LF pass in an
//! extension: what another party, before us or behind, could take for the end of a line or of the body. Changes nothing
//! and keeps no bytes.

/// Bytes of a chunk's line, extensions and all, or of one trailer.
const MAX_LINE: u32 = 4 * 1024;
/// Bytes of all trailers together.
const MAX_TRAILERS: u32 = 8 * 1024;
/// Digits of a size: fewer than a `u64` could overflow with.
const MAX_DIGITS: u32 = 15;

/// These are no chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed")]
pub struct Malformed;

/// Follows one chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// Bytes of trailers so far.
    trailers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a size of so many digits.
    Size {
        value: u64,
        digits: u32,
    },
    /// Behind a size, in blanks or an extension of so many bytes.
    Extension {
        value: u64,
        len: u32,
    },
    /// Before the LF of a size's line.
    SizeEnd {
        value: u64,
    },
    /// In a chunk.
    Data {
        rest: u64,
    },
    /// Before the CR, then the LF, behind a chunk.
    DataCr,
    DataLf,
    /// At the start of a trailer, or of the empty line.
    TrailerStart,
    /// In a trailer's name or, after the colon, its value.
    Trailer {
        named: bool,
        len: u32,
    },
    /// Before the LF of a trailer's line.
    TrailerLf,
    /// Before the LF of the empty line.
    EndLf,
    /// The body has ended.
    End,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { at: SIZE, trailers: 0 }
    }
}

const SIZE: At = At::Size { value: 0, digits: 0 };

impl Chunks {
    /// Looks at the next bytes; what lies behind the body's end is left alone, and comes back.
    ///
    /// # Errors
    /// They cannot be part of a chunked body.
    pub fn follow<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Malformed> {
        let mut bytes = bytes;
        while let Some((byte, after)) = bytes.split_first() {
            bytes = match self.at {
                At::End => return Ok(bytes),
                At::Data { rest } => self.skip(rest, bytes),
                at => {
                    self.at = self.step(at, *byte)?;
                    after
                }
            };
        }
        Ok(bytes)
    }

    /// The body has ended.
    pub fn is_done(&self) -> bool {
        self.at == At::End
    }

    fn skip<'b>(&mut self, rest: u64, bytes: &'b [u8]) -> &'b [u8] {
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
        self.at = match rest - len as u64 {
            0 => At::DataCr,
            rest => At::Data { rest },
        };
        bytes.get(len..).unwrap_or_default()
    }

    fn step(&mut self, at: At, byte: u8) -> Result<At, Malformed> {
        Ok(match (at, byte) {
            (At::Size { value, digits }, _) => return size(value, digits, byte),
            (At::Extension { value, .. }, b'\r') => At::SizeEnd { value },
            (At::Extension { value, len }, _) if is_text(byte) && len < MAX_LINE => {
                At::Extension { value, len: len + 1 }
            }
            (At::SizeEnd { value: 0 }, b'\n') => At::TrailerStart,
            (At::SizeEnd { value }, b'\n') => At::Data { rest: value },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => SIZE,
            (At::TrailerStart, b'\r') => At::EndLf,
            (At::TrailerStart, _) if is_token(byte) => At::Trailer { named: false, len: 1 },
            (At::Trailer { named: true, len }, b'\r') => {
                self.trailers += len;
                At::TrailerLf
            }
            (At::Trailer { named: false, len }, b':') => At::Trailer { named: true, len: len + 1 },
            (At::Trailer { named: false, len }, _) if is_token(byte) && len < MAX_LINE => {
                At::Trailer { named: false, len: len + 1 }
            }
            (At::Trailer { named: true, len }, _) if is_text(byte) && len < MAX_LINE => {
                At::Trailer { named: true, len: len + 1 }
            }
            (At::TrailerLf, b'\n') if self.trailers <= MAX_TRAILERS => At::TrailerStart,
            (At::EndLf, b'\n') => At::End,
            _ => return Err(Malformed),
        })
    }
}

/// Digits, then the line's end, or blanks and an extension.
fn size(value: u64, digits: u32, byte: u8) -> Result<At, Malformed> {
    match (char::from(byte).to_digit(16), byte) {
        (Some(digit), _) if digits < MAX_DIGITS => {
            Ok(At::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
        }
        (None, b'\r') if digits > 0 => Ok(At::SizeEnd { value }),
        (None, b';' | b' ' | b'\t') if digits > 0 => Ok(At::Extension { value, len: 1 }),
        _ => Err(Malformed),
    }
}

/// What may stand in a field's value: no control character but the tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the body has ended, in one piece and in single bytes.
    fn follow(text: &str) -> Result<bool, Malformed> {
        let (mut whole, mut split) = (Chunks::default(), Chunks::default());
        let result = whole.follow(text.as_bytes()).map(drop);
        let each = text.as_bytes().iter().try_for_each(|b| split.follow(&[*b]).map(drop));
        assert_eq!((result, whole), (each, split), "{text:?}");
        result.map(|()| whole.is_done())
    }

    #[test]
    fn whole_bodies_end() {
        for text in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00a;name=\"v \u{e9}\";x \r\n0123456789\r\n000\r\n\r\n",
            "1 \r\n\n\r\n0\r\nX-T: 1\r\nY:\r\n\r\n",
            "0\r\n\r\nGET / HTTP/1.1\n",
        ] {
            assert_eq!(follow(text), Ok(true), "{text:?}");
        }
        for text in ["", "5", "5\r\nhell", "5\r\nhello\r\n0\r\n", "0\r\nX: y\r\n", "fffffffffffffff\r\nx"] {
            assert_eq!(follow(text), Ok(false), "{text:?}");
        }
    }

    #[test]
    fn what_another_party_could_read_differently_is_malformed() {
        for text in [
            "\r\n\r\n",
            ";x\r\n\r\n",
            " 5\r\nhello\r\n",
            "0x5\r\n",
            "+5\r\n",
            "5\nhello",
            "5\rhello",
            "5;a\nb\r\nhello\r\n",
            "5;a\0b\r\nhello\r\n",
            "5;a\rb\r\nhello\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r\n\r\n\r\n",
            "ffffffffffffffff\r\n",
            "0\n\r\n",
            "0\r\n\n",
            "0\r\nno colon\r\n\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n: y\r\n\r\n",
        ] {
            assert_eq!(follow(text), Err(Malformed), "{text:?}");
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        assert_eq!(follow(&format!("1;{}\r\n", "x".repeat(5_000))), Err(Malformed));
        assert_eq!(follow(&format!("0\r\nX: {}\r\n", "x".repeat(5_000))), Err(Malformed));
        assert_eq!(follow(&format!("0\r\n{}\r\n", "X: 0123456789\r\n".repeat(1_000))), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_chunks_of_any_bytes_are_followed_however_they_are_cut(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in 1usize..30,
        ) {
            let mut body = Vec::new();
            for piece in &pieces {
                body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                body.extend_from_slice(piece);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let mut chunks = Chunks::default();
            for part in body.chunks(cut) {
                prop_assert!(!chunks.is_done());
                prop_assert!(chunks.follow(part).is_ok());
            }
            prop_assert!(chunks.is_done());
        }
    }
}
