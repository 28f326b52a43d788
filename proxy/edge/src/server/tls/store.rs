//! Which domain a server name means: the exact name, then a wildcard for one label, then the listener's fallback.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::files::{self, TlsError};
use super::server_config::server_config;
use super::sessions::Sessions;
use crate::config::{CertificateFiles, Domain, first_end};

/// The certificates of a TLS listener. A reload makes a new one.
#[derive(Clone, Debug)]
pub struct TlsStore {
    names: Arc<Names>,
    fallback: Option<Arc<TlsDomain>>,
    ends: Ends,
    sessions: Sessions,
}

/// The files of certificates, and when the first certificate in each ends, seconds since the epoch.
type Ends = HashMap<PathBuf, u64>;

/// What a handshake chose.
#[derive(Debug)]
pub struct TlsDomain {
    name: Option<Box<str>>,
    is_mutual: bool,
    config: Arc<ServerConfig>,
}

/// The domains that have certificates.
#[derive(Debug, Default)]
struct Names {
    exact: HashMap<Box<str>, Arc<TlsDomain>>,
    /// Without the leading `*.`.
    wildcard: HashMap<Box<str>, Arc<TlsDomain>>,
}

impl TlsStore {
    /// Reads the certificates of all domains that have one, and the listener's fallback.
    ///
    /// # Errors
    /// With the first file that is at fault.
    pub fn load(
        domains: &[Domain],
        fallback: Option<&CertificateFiles>,
        sessions: &Sessions,
    ) -> Result<Self, TlsError> {
        let mut loader = Loader::new(sessions);
        let mut names = Names::default();
        for domain in domains {
            if let Some(files) = &domain.certificate {
                let client_ca = domain.client_ca.as_deref();
                names.insert(&domain.name, loader.domain(Some(&domain.name), files, client_ca)?);
            }
        }
        let fallback = fallback.map(|files| loader.domain(None, files, None)).transpose()?;
        Ok(Self { names: Arc::new(names), fallback, ends: loader.ends, sessions: sessions.clone() })
    }

    /// The same domains for a listener with another fallback; nothing of theirs is read again or held twice.
    ///
    /// # Errors
    /// If a file of the fallback is at fault.
    pub fn with_fallback(&self, fallback: Option<&CertificateFiles>) -> Result<Self, TlsError> {
        let mut loader = Loader::new(&self.sessions);
        let fallback = fallback.map(|files| loader.domain(None, files, None)).transpose()?;
        let ends = self.ends.iter().map(|(file, end)| (file.clone(), *end)).chain(loader.ends).collect();
        Ok(Self { fallback, ends, ..self.clone() })
    }

    /// The files of the certificates that are shown, and when the first certificate in each ends, seconds since the epoch.
    pub fn ends(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.ends.iter().map(|(file, end)| (file.as_path(), *end))
    }

    /// The domain for the server name that a client asks for, if it asks for one.
    pub fn find(&self, server_name: Option<&str>) -> Option<&Arc<TlsDomain>> {
        server_name.and_then(|name| self.names.find(name)).or(self.fallback.as_ref())
    }
}

impl TlsDomain {
    /// The domain's name as configured, perhaps with a leading `*.`; `None` for a listener's fallback.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether clients had to show a certificate.
    pub const fn is_mutual(&self) -> bool {
        self.is_mutual
    }

    pub(super) const fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

impl Names {
    fn insert(&mut self, name: &str, domain: Arc<TlsDomain>) {
        match name.strip_prefix("*.") {
            Some(rest) => self.wildcard.insert(rest.into(), domain),
            None => self.exact.insert(name.into(), domain),
        };
    }

    fn find(&self, name: &str) -> Option<&Arc<TlsDomain>> {
        // rustls gives server names in lower case.
        self.exact.get(name).or_else(|| self.wildcard.get(name.split_once('.')?.1))
    }
}

/// Reads each certificate once, however many domains show it.
struct Loader<'l> {
    provider: Arc<CryptoProvider>,
    certificates: HashMap<&'l CertificateFiles, Arc<CertifiedKey>>,
    ends: Ends,
    sessions: &'l Sessions,
}

impl<'l> Loader<'l> {
    fn new(sessions: &'l Sessions) -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            certificates: HashMap::new(),
            ends: Ends::new(),
            sessions,
        }
    }

    fn domain(
        &mut self,
        name: Option<&str>,
        files: &'l CertificateFiles,
        client_ca: Option<&Path>,
    ) -> Result<Arc<TlsDomain>, TlsError> {
        let certificate = self.certificate(files)?;
        let config = server_config(&self.provider, certificate, client_ca, self.sessions)?;
        Ok(Arc::new(TlsDomain { name: name.map(Into::into), is_mutual: client_ca.is_some(), config }))
    }

    fn certificate(&mut self, files: &'l CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
        if let Some(found) = self.certificates.get(files) {
            return Ok(found.clone());
        }
        let read = files::certified_key(files, &self.provider)?;
        self.ends.extend(first_end(&read.cert).map(|end| (files.certificate.clone(), end)));
        self.certificates.insert(files, read.clone());
        Ok(read)
    }
}
