//! Follows a request's body on its way to Pingora: are its chunks well-formed, and has something come behind it?

use crate::message::chunks::{Chunks, Malformed};

/// Follows one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyWatch {
    rest: Rest,
    /// The client has sent on: another request, most likely.
    beyond: bool,
}

#[derive(Clone, Copy, Debug)]
enum Rest {
    /// So many bytes.
    Length(u64),
    Chunks(Chunks),
}

impl BodyWatch {
    /// A body of so many bytes.
    pub const fn length(bytes: u64) -> Self {
        Self { rest: Rest::Length(bytes), beyond: false }
    }

    /// A chunked body.
    pub fn chunked() -> Self {
        Self { rest: Rest::Chunks(Chunks::default()), beyond: false }
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// They cannot be part of a chunked body.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        match &mut self.rest {
            Rest::Length(rest) => {
                self.beyond |= *rest < bytes.len() as u64;
                *rest = rest.saturating_sub(bytes.len() as u64);
            }
            Rest::Chunks(chunks) => self.beyond |= !chunks.follow(bytes)?.is_empty(),
        }
        Ok(())
    }

    /// Bytes of the body that are still to come, where its length was stated.
    pub const fn rest(&self) -> u64 {
        match self.rest {
            Rest::Length(bytes) => bytes,
            Rest::Chunks(_) => 0,
        }
    }

    /// Something came behind the body.
    pub const fn is_beyond(&self) -> bool {
        self.beyond
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_body_is_noticed_however_it_is_cut() {
        for (watch, body) in [
            (BodyWatch::length(5), "hello"),
            (BodyWatch::chunked(), "5\r\nhello\r\n0\r\n\r\n"),
            (BodyWatch::length(0), ""),
        ] {
            let whole = format!("{body}G");
            for cut in 0..whole.len() {
                let (mut watch, (head, tail)) = (watch, whole.split_at(cut));
                watch.follow(head.as_bytes()).unwrap();
                assert!(!watch.is_beyond(), "{head}");
                watch.follow(tail.as_bytes()).unwrap();
                assert!(watch.is_beyond(), "{head}|{tail}");
            }
        }
    }
}
