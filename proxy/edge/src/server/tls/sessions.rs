//! What resumption needs beyond a reload: the ticket keys, and the sessions of clients that know no tickets.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions};
use tokio_rustls::rustls::{self, ServerConfig};

use super::tickets::{TicketKeys, Tickets};

/// Sessions of TLS 1.2 clients without tickets that are remembered, some 300 bytes each.
const REMEMBERED: usize = 4096;

/// Made once per process and given to every store, so that clients resume over reloads and on every core.
///
/// The ticket keys go to the next process at an upgrade, the remembered sessions do not.
#[derive(Clone)]
pub struct Sessions {
    tickets: Arc<Tickets>,
    storage: Arc<dyn StoresServerSessions>,
}

impl Sessions {
    /// With fresh ticket keys.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self { tickets: Tickets::new()?, storage: ServerSessionMemoryCache::new(REMEMBERED) })
    }

    /// The ticket keys, for the next process.
    pub fn ticket_keys(&self) -> TicketKeys {
        self.tickets.keys()
    }

    /// Opens the tickets of the process before, and goes on with its keys.
    pub fn adopt(&self, keys: TicketKeys) {
        self.tickets.adopt(keys);
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
