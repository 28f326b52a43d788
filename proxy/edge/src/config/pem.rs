//! Looks into files that are named: do they exist, and is the PEM in them what it should be?

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, RootCertStore};

use super::expiry;
use super::keys::Key;
use super::model::CertificateFiles;
use super::rules;
use super::table::Table;

/// What a file should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Anything but nothing.
    Text,
    /// At least one certificate, leaf first.
    Chain,
    /// At least one certificate, each of an authority.
    Authorities,
    /// A private key.
    PrivateKey,
}

/// The path under `key`, if it was written. What is wrong with the file is reported; the path is returned all the same.
pub(super) fn file(table: &Table<'_>, key: &'static Key, holds: Holds) -> Option<PathBuf> {
    let path = table.report().resolve(&table.text(key)?);
    let at = table.place(key);
    table.report().reads(&path);
    match std::fs::read(&path) {
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            table.report().error(&rules::MISSING_FILE, at, message, "paths are relative to the configuration file");
        }
        Ok(content) => {
            if let Err(what) = check(&content, holds) {
                let rule = if holds == Holds::Text { &rules::MISSING_FILE } else { &rules::BAD_PEM };
                let message = format!("{} {what}", path.display());
                table.report().error(rule, at, message, "check that the right file is named");
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
        Holds::Chain => certificates(content).map(drop),
        Holds::Authorities => authorities(&certificates(content)?),
        Holds::PrivateKey => match PrivateKeyDer::from_pem_slice(content) {
            Ok(_) => Ok(()),
            Err(_) => Err("holds no private key in PEM form"),
        },
    }
}

fn certificates(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    match all {
        Err(_) => Err("holds a broken PEM section"),
        Ok(none) if none.is_empty() => Err("holds no certificate in PEM form"),
        Ok(all) => Ok(all),
    }
}

fn authorities(certificates: &[CertificateDer<'static>]) -> Result<(), &'static str> {
    let mut store = RootCertStore::empty();
    match certificates.iter().try_for_each(|certificate| store.add(certificate.clone())) {
        Err(_) => Err("holds a certificate that cannot be read"),
        Ok(()) if certificates.iter().any(expiry::is_no_authority) => {
            Err("holds a certificate that is no authority's: it can have signed no client's")
        }
        Ok(()) => Ok(()),
    }
}

/// Warns of certificates that have ended, have not begun, or end soon.
pub(super) fn warn_of_time(table: &Table<'_>, key: &'static Key, path: &Path, what_then: &str) {
    let Some(chain) = std::fs::read(path).ok().and_then(|content| certificates(&content).ok()) else { return };
    if let Some(message) = expiry::untimely(&chain, path, SystemTime::now()) {
        table.report().warning(&rules::EXPIRY, table.place(key), message, what_then);
    }
}

/// The certificate is not for this domain, which may begin with `*.`. One that cannot be read has been reported by itself.
pub(super) fn is_foreign(files: &CertificateFiles, domain: &str) -> bool {
    let first = || certificates(&std::fs::read(&files.certificate).ok()?).ok()?.into_iter().next();
    // Whoever has a certificate for all names below has one for this.
    let name = ServerName::try_from(domain.replacen('*', "some-name-below", 1));
    let Some((leaf, name)) = first().zip(name.ok()) else { return false };
    ParsedCertificate::try_from(&leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_err())
}

/// Why a chain and a key cannot be used together. Files that cannot be read have been reported by themselves.
pub(super) fn mismatch(files: &CertificateFiles) -> Option<String> {
    let chain = certificates(&std::fs::read(&files.certificate).ok()?).ok()?;
    let key = PrivateKeyDer::from_pem_slice(&std::fs::read(&files.private_key).ok()?).ok()?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(_) => None,
        Err(rustls::Error::InconsistentKeys(_)) => Some("the private key is not that of the certificate".into()),
        Err(error) => Some(format!("the certificate and its key cannot be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_the_names_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["one.test", "*.wild.test", "low.deep.test"].map(str::to_owned);
        let certificate = directory.path().join("chain.pem");
        std::fs::write(&certificate, rcgen::generate_simple_self_signed(names).unwrap().cert.pem()).unwrap();
        let files = CertificateFiles { certificate, private_key: PathBuf::new() };
        for (domain, foreign) in [
            ("one.test", false),
            ("*.wild.test", false),
            ("a.wild.test", false),
            ("two.test", true),
            ("*.deep.test", true),
        ] {
            assert_eq!(is_foreign(&files, domain), foreign, "{domain}");
        }
    }

    #[test]
    fn contents() {
        let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(check(certificate, Holds::Chain).is_ok());
        assert!(check(key, Holds::PrivateKey).is_ok());
        assert!(check(key, Holds::Chain).is_err());
        assert!(check(certificate, Holds::Authorities).is_err(), "PEM, but no certificate");
        assert!(check(certificate, Holds::PrivateKey).is_err());
        assert!(check(b"-----BEGIN CERTIFICATE-----\n?", Holds::Chain).is_err());
        assert!(check(b" \n", Holds::Text).is_err());
    }
}
