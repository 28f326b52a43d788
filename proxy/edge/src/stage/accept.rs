//! Stage 1, `accept`: what is known of a connection before its first request.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Cleartext.
    Plain,
    /// TLS without a client certificate.
    Tls,
    /// TLS with a verified client certificate.
    MutualTls,
}

/// Facts of a connection that its requests share.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The client's side, or what the PROXY header says of it.
    pub peer: SocketAddr,
    /// Place of the listener.
    pub listener: u16,
    /// How it was accepted.
    pub verdict: Verdict,
    /// The domain that has verified a client certificate, as `plan::host::domain_id` numbers it.
    pub mutual: Option<u64>,
}

impl Connection {
    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.verdict == Verdict::Plain { "http" } else { "https" }
    }

    /// The peer's address in its one form: IPv4 in IPv6 is IPv4.
    pub fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }
}
