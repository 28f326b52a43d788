//! Files that cannot be used, and the text that says so.

use super::*;

/// The text of the error, with the directory left out.
fn fault(ca: &Authority, domain: &Domain) -> String {
    let error = TlsStore::load(std::slice::from_ref(domain), None, &Sessions::new().unwrap()).unwrap_err();
    error.to_string().replace(&format!("{}/", ca.directory.path().display()), "")
}

#[test]
fn every_fault_names_its_file() {
    let ca = Authority::new();
    let good = ca.mutual_domain("a.test");
    let other = ca.issue("b.test");
    let files = good.certificate.clone().unwrap();
    fs::write(ca.path("empty"), "").unwrap();
    fs::write(ca.path("cut"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    fs::write(ca.path("broken"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(ca.path("broken.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let with = |certificate: &str, private_key: &str, client_ca: &str| Domain {
        certificate: Some(CertificateFiles { certificate: ca.path(certificate), private_key: ca.path(private_key) }),
        client_ca: Some(ca.path(client_ca)),
        ..good.clone()
    };
    for (domain, expected) in [
        (with("none", "a.test.key", "ca.pem"), "none: No such file or directory"),
        (with("a.test.pem", "none", "ca.pem"), "none: No such file or directory"),
        (with("a.test.pem", "a.test.key", "none"), "none: No such file or directory"),
        (with("empty", "a.test.key", "ca.pem"), "empty: there is no certificate in it"),
        (with("a.test.key", "a.test.key", "ca.pem"), "a.test.key: there is no certificate in it"),
        (with("a.test.pem", "a.test.pem", "ca.pem"), "a.test.pem: there is no private key in it"),
        (with("a.test.pem", "a.test.key", "empty"), "empty: there is no certificate in it"),
        (with("cut", "a.test.key", "ca.pem"), "cut: broken PEM"),
        (with("broken", "a.test.key", "ca.pem"), "broken: the certificate cannot be used"),
        (with("a.test.pem", "broken.key", "ca.pem"), "broken.key: the private key cannot be used"),
        (with("a.test.pem", "a.test.key", "broken"), "broken: the certificate cannot be used"),
        (
            with("a.test.pem", "b.test.key", "ca.pem"),
            "b.test.key: the private key does not belong to the certificate in a.test.pem",
        ),
    ] {
        let text = fault(&ca, &domain);
        assert!(text.starts_with(expected), "{text}");
    }
    assert!(TlsStore::load(&[good], Some(&other), &Sessions::new().unwrap()).is_ok());
    let mismatch = CertificateFiles { private_key: other.private_key, ..files };
    assert!(TlsStore::load(&[], Some(&mismatch), &Sessions::new().unwrap()).is_err());
}

#[test]
fn a_domain_without_a_certificate_is_left_to_the_fallback() {
    let ca = Authority::new();
    let domain = Domain { certificate: None, ..ca.domain("a.test") };
    let store = store(&[domain], Some(&ca.issue("fallback")));
    assert!(store.find(Some("a.test")).unwrap().name().is_none());
}
