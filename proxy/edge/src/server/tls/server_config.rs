//! What is spoken for a domain: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, with or without client certificates.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::files::{TlsError, authorities};
use super::sessions::Sessions;

/// Protocols over TLS, the preferred one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// For one certificate; with `client_ca` a client without a certificate of these authorities is refused.
pub(super) fn server_config(
    provider: &Arc<CryptoProvider>,
    certificate: Arc<CertifiedKey>,
    client_ca: Option<&Path>,
    sessions: &Sessions,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(provider, path)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    match client_ca {
        Some(_) => Sessions::forbid(&mut config),
        None => sessions.allow(&mut config),
    }
    Ok(Arc::new(config))
}

fn verifier(provider: &Arc<CryptoProvider>, path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(authorities(path)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build();
    verifier.map_err(|source| TlsError::ClientAuthority { path: path.into(), source })
}
