//! Certificates, keys and authorities from PEM files. Every fault names its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::VerifierBuilderError;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, InconsistentKeys, RootCertStore};

use crate::config::CertificateFiles;

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file is not there, or may not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A PEM section is cut off or not base64.
    #[error("{}: broken PEM: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The PEM reader's reason.
        source: pem::Error,
    },
    /// No `CERTIFICATE` section.
    #[error("{}: there is no certificate in it", .0.display())]
    NoCertificate(PathBuf),
    /// No section with a private key.
    #[error("{}: there is no private key in it", .0.display())]
    NoPrivateKey(PathBuf),
    /// A key of a kind that is not known, or a broken one.
    #[error("{}: the private key cannot be used: {source}", path.display())]
    PrivateKey {
        /// The file.
        path: PathBuf,
        /// rustls's reason.
        source: rustls::Error,
    },
    /// The certificate is broken.
    #[error("{}: the certificate cannot be used: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// rustls's reason.
        source: rustls::Error,
    },
    /// The key is another certificate's.
    #[error("{}: the private key does not belong to the certificate in {}", private_key.display(), certificate.display())]
    Mismatch {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        private_key: PathBuf,
    },
    /// Client certificates cannot be verified against these authorities.
    #[error("{}: client certificates cannot be verified with it: {source}", path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// rustls's reason.
        source: VerifierBuilderError,
    },
    /// The cryptography library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// A certificate chain with the key that belongs to it.
pub(super) fn certified_key(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let (certificate, private_key) = (&files.certificate, &files.private_key);
    let chain = certificates(certificate)?;
    let key = provider.key_provider.load_private_key(key(private_key)?);
    let key = key.map_err(|source| TlsError::PrivateKey { path: private_key.clone(), source })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: certificate.clone(), private_key: private_key.clone() })
        }
        Err(source) => Err(TlsError::Certificate { path: certificate.clone(), source }),
    }
}

/// Authorities that sign client certificates.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::Certificate { path: path.into(), source })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|source| TlsError::Pem { path: path.into(), source })?;
    if found.is_empty() { Err(TlsError::NoCertificate(path.into())) } else { Ok(found) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::NoPrivateKey(path.into()),
        source => TlsError::Pem { path: path.into(), source },
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
}
