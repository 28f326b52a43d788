//! An answer that does not reach its end: whose doing that is, and what its client still gets.

use std::io;

use super::downstream::Downstream;
use super::drive::{Arrival, Trip};

/// Whose doing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The endpoint, or who fetched from it for many.
    Endpoint,
    /// The client left, or took nothing for too long.
    Client,
    /// The disk that a stored answer came from.
    Disk,
}

/// An answer has broken off.
#[derive(Debug)]
pub(super) struct BrokenOff {
    /// Bytes of its body that were sent before.
    pub(super) sent: u64,
    pub(super) by: By,
    pub(super) error: io::Error,
}

impl BrokenOff {
    /// By the endpoint.
    pub(super) fn endpoint(sent: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { sent, by: By::Endpoint, error }
    }

    /// By the client.
    pub(super) fn client(sent: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { sent, by: By::Client, error }
    }
}

impl Trip {
    /// Ends an answer that broke off: what came of it leaves first.
    pub(super) async fn break_off<D: Downstream>(&self, broken: &BrokenOff, down: &mut D) -> Arrival {
        tracing::debug!(error = %broken.error, by = ?broken.by, "an answer broke off");
        if broken.by != By::Client {
            // Its client may have gone meanwhile.
            let _ = down.flush().await;
        }
        Arrival::Broken
    }
}
