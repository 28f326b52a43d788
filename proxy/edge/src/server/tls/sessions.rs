//! What resumption needs beyond a reload: the ticket keys, and the sessions of clients that know no tickets.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use tokio_rustls::rustls::{self, ServerConfig};

/// Sessions of TLS 1.2 clients without tickets that are remembered, some 300 bytes each.
const REMEMBERED: usize = 4096;

/// Made once per process and given to every store, so that clients resume over reloads and on every core.
///
/// Keys change every six hours and are never written down: after a restart clients shake hands in full once.
#[derive(Clone)]
pub struct Sessions {
    tickets: Arc<dyn ProducesTickets>,
    storage: Arc<dyn StoresServerSessions>,
}

impl Sessions {
    /// With fresh ticket keys.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self { tickets: aws_lc_rs::Ticketer::new()?, storage: ServerSessionMemoryCache::new(REMEMBERED) })
    }

    /// Lets sessions be resumed.
    ///
    /// rustls resumes a session only under the server name that it began with.
    pub(super) fn allow(&self, config: &mut ServerConfig) {
        config.ticketer = self.tickets.clone();
        config.session_storage = self.storage.clone();
    }

    /// Lets no session be resumed. A resumed session verifies no client certificate: one that has expired, or whose
    /// authority a reload has removed, would go on opening the door.
    pub(super) fn forbid(config: &mut ServerConfig) {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}
