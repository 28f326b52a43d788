//! The rest of a body that is too large to keep, handed to its one reader in bounded portions.

use std::future::poll_fn;

use thiserror::Error;

use super::growing::Pen;

/// Bytes that may wait for the reader before the writer does.
pub const WINDOW: u64 = 64 * 1024;

/// Nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the client is gone")]
pub struct ClientGone;

/// Writes on for the leader's client. Dropped before [`Window::finish`], the body is broken.
#[derive(Debug)]
#[must_use = "a dropped window leaves a broken body"]
pub struct Window {
    pen: Pen,
}

impl Window {
    pub(super) fn new(pen: Pen) -> Self {
        pen.open_window();
        Self { pen }
    }

    /// Waits until less than [`WINDOW`] bytes are unread, then adds `bytes`.
    ///
    /// # Errors
    /// The client is gone; there is nobody to fetch for.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), ClientGone> {
        poll_fn(|context| self.pen.poll_room(WINDOW, context)).await.map_err(|_| ClientGone)?;
        self.pen.write(bytes);
        Ok(())
    }

    /// The body is whole.
    pub fn finish(self) {
        self.pen.complete(None);
    }
}
