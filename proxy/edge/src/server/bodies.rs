//! Request bodies that are held whole, because a cache key or a mapping reads them.
//!
//! Each is bounded by what asks for it, and all of them together by [`ROOM`].

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::integration::http::CallError;
use crate::message::body::RequestBody;
use crate::stage::Fault;
use crate::stage::frame::Refusal;

/// Bytes of all bodies that are held at a time, in this process.
const ROOM: u64 = 256 * 1024 * 1024;

static HELD: AtomicU64 = AtomicU64::new(0);

/// Reads a body to its end.
///
/// # Errors
/// It is longer than `limit`, breaks off, or there is no room for it.
pub async fn read(body: &mut impl RequestBody, limit: u64) -> Result<Bytes, Fault> {
    let mut held = Held { bytes: Vec::new(), room: 0 };
    while let Some(piece) = body.piece().await.map_err(|error| Fault::from(&CallError::Client(error)))? {
        held.push(&piece, limit)?;
    }
    Ok(Bytes::from_owner(held))
}

/// A body and the room that it takes.
struct Held {
    bytes: Vec<u8>,
    room: u64,
}

impl Held {
    fn push(&mut self, piece: &[u8], limit: u64) -> Result<(), Fault> {
        let more = piece.len() as u64;
        if self.bytes.len() as u64 + more > limit {
            return Err(Fault::Refused(Refusal::BodyTooLarge));
        }
        let before = HELD.fetch_add(more, Ordering::Relaxed);
        self.room += more;
        if before + more > ROOM {
            return Err(Fault::Throttled);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.room, Ordering::Relaxed);
    }
}

/// A body that is at hand, to be sent on for a client that may still leave.
pub struct AtHand<'c, B> {
    body: Option<Bytes>,
    client: &'c mut B,
}

impl<'c, B> AtHand<'c, B> {
    /// The body that was read of this client.
    pub fn new(body: Option<Bytes>, client: &'c mut B) -> Self {
        Self { body, client }
    }
}

impl<B: RequestBody> RequestBody for AtHand<'_, B> {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.body.take().filter(|body| !body.is_empty()))
    }

    async fn left(&mut self) {
        self.client.left().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    struct Pieces(Vec<io::Result<Bytes>>);

    impl RequestBody for Pieces {
        async fn piece(&mut self) -> io::Result<Option<Bytes>> {
            self.0.pop().transpose()
        }

        async fn left(&mut self) {}
    }

    async fn read_all(pieces: Vec<io::Result<Bytes>>, limit: u64) -> Result<Bytes, Fault> {
        read(&mut Pieces(pieces.into_iter().rev().collect()), limit).await
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_end_and_not_beyond_its_limit() {
        let pieces = || vec![Ok(Bytes::from_static(b"one ")), Ok(Bytes::from_static(b"two"))];
        assert_eq!(read_all(pieces(), 7).await.unwrap(), "one two");
        assert_eq!(read_all(pieces(), 6).await, Err(Fault::Refused(Refusal::BodyTooLarge)));
        assert_eq!(read_all(Vec::new(), 0).await.unwrap(), "");
        let broken = vec![Err(io::ErrorKind::TimedOut.into())];
        assert_eq!(read_all(broken, 9).await, Err(Fault::Refused(Refusal::Timeout)));
    }

    #[tokio::test]
    async fn what_all_hold_together_is_bounded_and_given_back() {
        let large = || vec![Ok(Bytes::from(vec![0; 100 << 20]))];
        let first = read_all(large(), ROOM).await.unwrap();
        let second = read_all(large(), ROOM).await.unwrap();
        assert_eq!(read_all(large(), ROOM).await, Err(Fault::Throttled));
        drop(first);
        assert!(read_all(large(), ROOM).await.is_ok());
        drop(second);
    }
}
