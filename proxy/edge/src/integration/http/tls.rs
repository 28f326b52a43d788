//! TLS towards endpoints: verified by the system's roots or by a CA file, and never without a name.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why TLS towards an origin cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file.
    #[error("{path}: {what}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No name to verify.
    #[error("'{0}' is no server name")]
    Name(String),
    /// rustls refuses the protocol versions.
    #[error("TLS: {0}")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

/// TLS of one origin.
#[derive(Clone)]
pub(super) struct OriginTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for OriginTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OriginTls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OriginTls {
    /// TLS to a server called `name`, trusted by `ca_file` or by the system; `http2` offers HTTP/2 before HTTP/1.1.
    pub(super) fn new(name: &str, ca_file: Option<&Path>, http2: bool) -> Result<Self, TlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.into()))?;
        Ok(Self { connector: TlsConnector::from(client_config(ca_file, http2)?), name })
    }

    /// The handshake.
    pub(super) async fn connect(
        &self,
        tcp: tokio::net::TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        self.connector.connect(self.name.clone(), tcp).await
    }
}

/// One configuration per CA file and protocol, so that sessions are resumed.
pub(crate) fn client_config(ca_file: Option<&Path>, http2: bool) -> Result<Arc<ClientConfig>, TlsError> {
    type Configs = HashMap<(Option<PathBuf>, bool), Arc<ClientConfig>>;
    static CONFIGS: Mutex<Option<Configs>> = Mutex::new(None);
    let key = (ca_file.map(Path::to_owned), http2);
    if let Some(found) = CONFIGS.lock().as_ref().and_then(|c| c.get(&key)) {
        // A CA file may have changed since: only the system's roots are kept for good.
        if ca_file.is_none() {
            return Ok(found.clone());
        }
    }
    let roots = match ca_file {
        Some(path) => roots_of(path)?,
        None => system_roots(),
    };
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = match http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    let config = Arc::new(config);
    CONFIGS.lock().get_or_insert_default().insert(key, config.clone());
    Ok(config)
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system root certificate could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let bad = |what: String| TlsError::CaFile { path: path.into(), what };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))? {
        roots.add(certificate.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(bad("no certificate in it".into())),
        false => Ok(roots),
    }
}
