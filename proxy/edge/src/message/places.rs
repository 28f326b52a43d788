//! What each byte may stand in, looked up once per byte.

/// A part of a host's name.
pub const NAME: u8 = 1;
/// A target, where it needs no closer look.
pub const TARGET: u8 = 1 << 1;
/// The same, before the query begins.
pub const PATH: u8 = 1 << 2;
/// A field's name (RFC 9110 §5.6.2).
pub const TOKEN: u8 = 1 << 3;

/// The byte may stand in a `place`.
#[inline]
pub fn is(place: u8, byte: u8) -> bool {
    PLACES.get(usize::from(byte)).is_some_and(|places| places & place != 0)
}

static PLACES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            table[byte as usize] = places(byte);
        }
        byte += 1;
    }
    table
};

const fn places(byte: u8) -> u8 {
    let mut places = 0;
    if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
        places |= NAME;
    }
    if !matches!(byte, b'%' | b'#' | b'<' | b'>' | b'`' | b'\\') {
        places |= TARGET;
        if byte != b'?' {
            places |= PATH;
        }
    }
    if byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-') {
        places |= TOKEN;
    }
    if matches!(byte, b'.' | b'^' | b'_' | b'`' | b'|' | b'~') {
        places |= TOKEN;
    }
    places
}
