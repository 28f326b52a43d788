//! An answer that does not reach its end: whose doing that is, how it shows, and what its client still gets.

use std::io;

use super::downstream::Downstream;
use super::drive::{Arrival, Trip};
use crate::stage::deliver::{BrokenBy, Verdict};

/// An answer has broken off.
#[derive(Debug)]
pub(super) struct BrokenOff {
    /// Bytes of its body that were sent before.
    pub(super) sent: u64,
    pub(super) by: BrokenBy,
    pub(super) error: io::Error,
}

impl BrokenOff {
    /// By the endpoint, behind so many bytes.
    pub(super) fn endpoint(sent: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| {
            let late = error.kind() == io::ErrorKind::TimedOut;
            Self { sent, by: if late { BrokenBy::EndpointTimeout } else { BrokenBy::Endpoint }, error }
        }
    }

    /// By the client.
    pub(super) fn client(sent: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { sent, by: BrokenBy::Client, error }
    }

    /// By the disk.
    pub(super) fn disk(sent: u64) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { sent, by: BrokenBy::Disk, error }
    }
}

impl Trip {
    /// Ends an answer that broke off: what came of it leaves first, and ledger, log and metrics can tell.
    /// How many bytes of its body that were comes back.
    pub(super) async fn break_off<D: Downstream>(&mut self, broken: BrokenOff, down: &mut D) -> (u64, Arrival) {
        let BrokenOff { sent, by, error } = broken;
        tracing::debug!(%error, by = by.as_str(), "an answer broke off");
        self.exchange.ledger.deliver = Verdict::BrokenOff(by);
        if matches!(by, BrokenBy::Endpoint | BrokenBy::EndpointTimeout) {
            let told = format!("the answer broke off after {sent} bytes of its body: {error}");
            self.exchange.origin.error = Some(told.into());
        }
        if by != BrokenBy::Client {
            // Its client may have gone meanwhile.
            let _ = down.flush().await;
        }
        (sent, Arrival::Broken)
    }
}
