//! Short pieces gathered on the stack before they are appended to a buffer in one go: a head has twenty of them, and a
//! piece whose length is known when this is compiled becomes a few moves here instead of a call and a check for room.

/// Bytes that are gathered; more spill into the buffer.
const ROOM: usize = 384;

/// Pieces on their way into a buffer; they are there once [`Gather::finish`] was called.
#[derive(Debug)]
pub struct Gather<'o> {
    out: &'o mut Vec<u8>,
    bytes: [u8; ROOM],
    len: usize,
}

impl<'o> Gather<'o> {
    /// Nothing gathered yet.
    #[inline]
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, bytes: [0; ROOM], len: 0 }
    }

    /// Appends a short piece.
    #[inline(always)]
    pub fn push(&mut self, piece: &[u8]) {
        match self.bytes.get_mut(self.len..).and_then(|rest| rest.get_mut(..piece.len())) {
            Some(to) => {
                to.copy_from_slice(piece);
                self.len += piece.len();
            }
            None => self.spill(piece),
        }
    }

    /// Appends a piece of any length.
    #[inline]
    pub fn push_long(&mut self, piece: &[u8]) {
        if self.len == 0 {
            self.out.extend_from_slice(piece);
        } else {
            self.spill(piece);
        }
    }

    /// Appends what was gathered to the buffer.
    #[inline]
    pub fn finish(self) {
        self.out.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
    }

    #[cold]
    fn spill(&mut self, piece: &[u8]) {
        self.out.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
        self.out.extend_from_slice(piece);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_order_whatever_their_length() {
        for lengths in [[1, 2, 3], [ROOM, 1, 0], [ROOM - 1, 2, 5], [7, ROOM + 1, 7], [0, 3 * ROOM, ROOM]] {
            let (mut out, mut want) = (b"before".to_vec(), b"before".to_vec());
            let mut gather = Gather::new(&mut out);
            for (byte, len) in lengths.into_iter().enumerate() {
                let piece = vec![byte as u8; len];
                want.extend_from_slice(&piece);
                if byte == 1 { gather.push_long(&piece) } else { gather.push(&piece) }
            }
            gather.finish();
            assert_eq!(out, want, "{lengths:?}");
        }
    }
}
