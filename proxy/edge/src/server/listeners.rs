//! What the workers' sockets on one address share: TLS, PROXY protocol, connections per client.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::connections::PerAddress;
use super::tls::{Sessions, TlsError, TlsStore};
use crate::config::Configuration;
use crate::observe::metrics::{ListenerId, Metrics};

/// One listening address.
pub struct Listener {
    /// Its place in the configuration.
    pub place: u16,
    /// Its address.
    pub address: SocketAddr,
    /// For the metrics.
    pub id: ListenerId,
    /// Every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// Connections per client.
    pub per_address: PerAddress,
    /// TLS, unless it is a cleartext port. Replaced whole by a reload.
    pub tls: ArcSwapOption<TlsStore>,
}

/// All listening addresses, for the life of the process; a reload changes what is behind them.
pub struct Listeners {
    /// In the order of the configuration.
    pub all: Vec<Arc<Listener>>,
    /// What TLS sessions are resumed with.
    pub sessions: Sessions,
}

/// Why listeners cannot be as configured.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// A certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// rustls.
    #[error("TLS sessions: {0}")]
    Sessions(#[from] tokio_rustls::rustls::Error),
    /// Sockets are bound when the process starts.
    #[error("listening addresses, TLS and PROXY protocol change with an upgrade only, not with a reload")]
    Changed,
}

impl Listeners {
    /// For a process that starts.
    pub fn new(configuration: &Configuration, metrics: &Metrics) -> Result<Self, ListenerError> {
        let sessions = Sessions::new()?;
        let stores = stores(configuration, &sessions)?;
        let limit = configuration.node.limits.connections_per_address;
        let listener = |(place, (l, tls)): (usize, (&crate::config::Listener, _))| {
            Arc::new(Listener {
                place: place as u16,
                address: l.address,
                id: metrics.listener(&l.address.to_string()),
                proxy_protocol: l.proxy_protocol,
                per_address: PerAddress::new(limit),
                tls: ArcSwapOption::new(tls),
            })
        };
        let all = configuration.listeners.iter().zip(stores).enumerate().map(listener).collect();
        Ok(Self { all, sessions })
    }

    /// New certificates and limits, made ready; nothing changes until they are put in place.
    pub fn prepare(&self, configuration: &Configuration) -> Result<Prepared, ListenerError> {
        let same = |(new, old): (&crate::config::Listener, &Arc<Listener>)| {
            let tls = old.tls.load().is_some();
            (new.address, new.proxy_protocol, new.tls.is_some()) == (old.address, old.proxy_protocol, tls)
        };
        let listeners = &configuration.listeners;
        if listeners.len() != self.all.len() || !listeners.iter().zip(&self.all).all(same) {
            return Err(ListenerError::Changed);
        }
        let limit = configuration.node.limits.connections_per_address;
        Ok(Prepared { stores: stores(configuration, &self.sessions)?, limit })
    }

    /// Puts them in place.
    pub fn put(&self, prepared: Prepared) {
        for (listener, store) in self.all.iter().zip(prepared.stores) {
            listener.per_address.set_limit(prepared.limit);
            listener.tls.store(store);
        }
    }
}

/// What a reload puts in place.
pub struct Prepared {
    stores: Vec<Option<Arc<TlsStore>>>,
    limit: Option<u32>,
}

fn stores(configuration: &Configuration, sessions: &Sessions) -> Result<Vec<Option<Arc<TlsStore>>>, TlsError> {
    let domains = match configuration.listeners.iter().any(|l| l.tls.is_some()) {
        true => Some(TlsStore::load(&configuration.domains, None, sessions)?),
        false => None,
    };
    let store = |l: &crate::config::Listener| {
        let (Some(tls), Some(domains)) = (&l.tls, &domains) else { return Ok(None) };
        Ok(Some(Arc::new(domains.with_fallback(tls.fallback.as_ref())?)))
    };
    configuration.listeners.iter().map(store).collect()
}
