//! Looks into files that are named: do they exist, and is the PEM in them what it should be?

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::keys::Key;
use super::rules;
use super::table::Table;

/// What a file should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Anything but nothing.
    Text,
    /// At least one certificate.
    Certificates,
    /// A private key.
    PrivateKey,
}

/// The path under `key`, if it was written. What is wrong with the file is reported; the path is returned all the same.
pub(super) fn file(table: &Table<'_>, key: &'static Key, holds: Holds) -> Option<PathBuf> {
    let path = table.report().resolve(&table.text(key)?);
    let at = table.place(key);
    match std::fs::read(&path) {
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            table.report().error(&rules::MISSING_FILE, at, message, "paths are relative to the configuration file");
        }
        Ok(content) => {
            if let Err(what) = check(&content, holds) {
                let message = format!("{} {what}", path.display());
                table.report().error(&rules::BAD_PEM, at, message, "check that the right file is named");
            }
        }
    }
    Some(path)
}

/// A path that need not exist yet.
pub(super) fn path(table: &Table<'_>, key: &'static Key) -> Option<PathBuf> {
    table.text(key).map(|text| table.report().resolve(&text))
}

fn check(content: &[u8], holds: Holds) -> Result<(), &'static str> {
    match holds {
        Holds::Text if content.trim_ascii().is_empty() => Err("is empty"),
        Holds::Text => Ok(()),
        Holds::Certificates => certificates(content),
        Holds::PrivateKey => match PrivateKeyDer::from_pem_slice(content) {
            Ok(_) => Ok(()),
            Err(_) => Err("holds no private key in PEM form"),
        },
    }
}

fn certificates(content: &[u8]) -> Result<(), &'static str> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(content) {
        certificate.map_err(|_| "holds a broken PEM section")?;
        count += 1;
    }
    if count == 0 { Err("holds no certificate in PEM form") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents() {
        let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(check(certificate, Holds::Certificates).is_ok());
        assert!(check(key, Holds::PrivateKey).is_ok());
        assert!(check(key, Holds::Certificates).is_err());
        assert!(check(certificate, Holds::PrivateKey).is_err());
        assert!(check(b"-----BEGIN CERTIFICATE-----\n?", Holds::Certificates).is_err());
        assert!(check(b" \n", Holds::Text).is_err());
    }
}
