//! TLS towards clients: which certificate is shown, who must show one, and the handshake itself.
//!
//! `store` chooses the domain by the server name, `server_config` says what is spoken for it, `files` reads the PEM,
//! `handshake` brings a connection up, `sessions` holds what resumption needs beyond a reload, `tickets` the part of it
//! that goes to the next process.
//!
//! A reload makes a new [`TlsStore`] or fails as a whole; connections keep what their handshake chose. It does not watch
//! files, looks at no revocation lists, and leaves it to stage `locate` that host and server name agree under mutual TLS.

mod files;
mod handshake;
mod server_config;
mod sessions;
mod store;
#[cfg(test)]
mod tests;
mod tickets;

pub use files::TlsError;
pub use handshake::{HandshakeError, Handshaken};
pub use sessions::Sessions;
pub use store::{TlsDomain, TlsStore};
pub use tickets::TicketKeys;
