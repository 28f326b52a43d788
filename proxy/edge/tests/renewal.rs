//! A file that the configuration names changes, and nothing else does: the gateway serves what is in it now, or goes on
//! as before if that is no good.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use support::{Client, Gateway, Port, eventually};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const TLS: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "a"
default_stage = "prod"
tls = { certificate = "@DIR@/live/chain.pem", private_key = "@DIR@/live/key.pem" }
[[api]]
id = "a"
[[api.resource]]
path = "/a"
method.GET.integration = { type = "MOCK", body = "a" }
[api.stage.prod]
"#;

/// Whether a handshake that trusts this certificate alone succeeds.
fn shows(address: SocketAddr, certificate: &rcgen::Certificate) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        connector.connect(support::tls::NAME.try_into().unwrap(), stream).await.is_ok()
    })
}

/// A directory in which `live` is a link to `1`, as certbot and Kubernetes have it.
fn live() -> (tempfile::TempDir, rcgen::Certificate) {
    let directory = tempfile::tempdir().unwrap();
    let first = version(directory.path(), "1");
    symlink("1", directory.path().join("live")).unwrap();
    (directory, first)
}

fn version(directory: &Path, name: &str) -> rcgen::Certificate {
    std::fs::create_dir(directory.join(name)).unwrap();
    support::tls::certificate(&directory.join(name))
}

fn turn(directory: &Path, to: &str) {
    symlink(to, directory.join("live.new")).unwrap();
    std::fs::rename(directory.join("live.new"), directory.join("live")).unwrap();
}

#[test]
fn a_renewed_certificate_is_served_however_it_comes() {
    let (directory, first) = live();
    let gateway = Gateway::start_in(directory, TLS);
    let (root, address) = (gateway.directory().to_owned(), gateway.address());
    assert!(shows(address, &first));

    let turned = version(&root, "2");
    turn(&root, "2");
    eventually("the link is turned", || shows(address, &turned));
    assert!(!shows(address, &first));

    let written = support::tls::certificate(&root.join("2"));
    eventually("the files are written anew", || shows(address, &written));

    let replaced = version(&root, "3");
    for file in ["chain.pem", "key.pem"] {
        std::fs::rename(root.join("3").join(file), root.join("2").join(file)).unwrap();
    }
    eventually("the files are replaced", || shows(address, &replaced));
}

#[test]
fn half_a_renewal_changes_nothing() {
    let (directory, first) = live();
    let gateway = Gateway::start_in(directory, TLS);
    let (root, address) = (gateway.directory().to_owned(), gateway.address());
    let second = version(&root, "2");
    let put = |file: &str| std::fs::rename(root.join("2").join(file), root.join("1").join(file)).unwrap();
    put("chain.pem");
    eventually("the chain without its key is refused", || gateway.log().contains("the reload changed nothing"));
    assert!(shows(address, &first));
    put("key.pem");
    eventually("both are there", || shows(address, &second));
}

#[test]
fn a_new_admin_token_counts_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "old\n").unwrap();
    let admin = Port::reserve().address();
    let text = "[admin]\naddress = \"@ADMIN@\"\ntoken_file = \"@DIR@/token\"\n[[listener]]\naddress = \"@LISTEN@\"\n\
                default_api = \"a\"\n[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/a\"\n\
                method.GET.integration = { type = \"MOCK\" }\n[api.stage.prod]\n";
    let gateway = Gateway::start_in(directory, &text.replace("@ADMIN@", &admin.to_string()));
    let status = |token: &str| {
        let lines = format!("Authorization: Bearer {token}\r\n");
        Client::connect(admin).get_with("/healthz", &lines).status
    };
    assert_eq!((status("old"), status("new")), (200, 401));
    std::fs::write(&token, "new\n").unwrap();
    eventually("the token is another", || status("new") == 200);
    assert_eq!(status("old"), 401);
    // No token at all is no token: the one that was there stays.
    std::fs::write(&token, "\n").unwrap();
    eventually("the empty file is refused", || gateway.log().contains("the reload changed nothing"));
    assert_eq!(status("new"), 200);
}
