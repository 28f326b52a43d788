//! TLS over the whole binary: which certificate is shown to whom, who must show one, sessions, and certificates renewed
//! while connections are open. AWS's pages: "Custom domain names", "Mutual TLS for REST APIs".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{Gateway, eventually};
use tokio_rustls::rustls;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

/// Each domain leads to the same API; only one of them asks for a client's certificate.
const DOMAINS: &str = r#"
[[listener]]
address = "@LISTEN@"
tls = { certificate = "fallback.test.pem", private_key = "fallback.test.key" }
[[domain]]
name = "one.test"
certificate = "one.test.pem"
private_key = "one.test.key"
mapping = [{ api = "a", stage = "prod" }]
[[domain]]
name = "*.wild.test"
certificate = "any.wild.test.pem"
private_key = "any.wild.test.key"
mapping = [{ api = "a", stage = "prod" }]
[[domain]]
name = "guarded.test"
certificate = "guarded.test.pem"
private_key = "guarded.test.key"
client_ca = "ca.pem"
mapping = [{ api = "a", stage = "prod" }]
[[api]]
id = "a"
[[api.resource]]
path = "/"
method.ANY.integration = { type = "MOCK", body = "let in" }
[api.stage.prod]
"#;

/// An authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Makes, or replaces, `NAME.pem` and `NAME.key`.
    fn issue(&self, directory: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let stem = name.replace('*', "any");
        std::fs::write(directory.join(format!("{stem}.pem")), signed.pem()).unwrap();
        std::fs::write(directory.join(format!("{stem}.key")), key.serialize_pem()).unwrap();
    }

    /// A client that trusts it, perhaps with a certificate of its own.
    fn client(&self, own: Option<(&Path, &str)>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some((directory, name)) => {
                let key = PrivateKeyDer::from_pem_file(directory.join(format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate(directory, name)], key).unwrap()
            }
        })
    }
}

fn certificate(directory: &Path, name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(directory.join(format!("{name}.pem"))).unwrap()
}

fn scene() -> (Authority, Gateway) {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    std::fs::write(directory.path().join("ca.pem"), authority.0.pem()).unwrap();
    for name in ["fallback.test", "one.test", "*.wild.test", "guarded.test", "client.test"] {
        authority.issue(directory.path(), name);
    }
    (authority, Gateway::start_in(directory, DOMAINS))
}

/// What a connection has shown.
struct Talk {
    answer: String,
    shown: CertificateDer<'static>,
    resumed: bool,
}

impl Talk {
    fn status(&self) -> &str {
        self.answer.split(' ').nth(1).unwrap()
    }
}

fn open(gateway: &Gateway, client: &Arc<ClientConfig>, name: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let tcp = TcpStream::connect(gateway.address()).unwrap();
    tcp.set_read_timeout(Some(support::PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(client.clone(), name).unwrap(), tcp)
}

/// One connection and one request: the name in the handshake, the host in the request.
fn talk(gateway: &Gateway, client: &Arc<ClientConfig>, name: &str, host: &str, lines: &str) -> io::Result<Talk> {
    let mut stream = open(gateway, client, name);
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok(Talk { answer, shown, resumed: stream.conn.handshake_kind() == Some(HandshakeKind::Resumed) })
}

#[test]
fn the_name_chooses_the_certificate() {
    let (authority, gateway) = scene();
    let client = authority.client(None);
    for (name, file) in [("one.test", "one.test"), ("x.wild.test", "any.wild.test"), ("fallback.test", "fallback.test")]
    {
        let talk = talk(&gateway, &client, name, "one.test", "").unwrap();
        assert_eq!((talk.status(), &talk.shown), ("200", &certificate(gateway.directory(), file)), "{name}");
    }
    // The fallback's certificate is not good for any other name.
    assert!(talk(&gateway, &client, "nobody.test", "one.test", "").is_err());
}

#[test]
fn a_guarded_domain_asks_who_comes() {
    let (authority, gateway) = scene();
    let here = gateway.directory();
    let known = authority.client(Some((here, "client.test")));
    let good = talk(&gateway, &known, "guarded.test", "guarded.test", "").unwrap();
    assert_eq!((good.status(), good.answer.ends_with("let in")), ("200", true));
    assert!(talk(&gateway, &authority.client(None), "guarded.test", "guarded.test", "").is_err());
    let (stranger, elsewhere) = (Authority::new(), tempfile::tempdir().unwrap());
    stranger.issue(elsewhere.path(), "client.test");
    let strange = authority.client(Some((elsewhere.path(), "client.test")));
    assert!(talk(&gateway, &strange, "guarded.test", "guarded.test", "").is_err());
    let elsewhere = talk(&gateway, &strange, "one.test", "one.test", "").unwrap();
    assert_eq!(elsewhere.status(), "200", "nobody asks there");
}

/// Whoever was let in at one domain is not at another, by the lane or by the session.
#[test]
fn name_and_host_must_be_the_same_where_one_is_guarded() {
    let (authority, gateway) = scene();
    let known = authority.client(Some((gateway.directory(), "client.test")));
    for lines in ["", "Upgrade: nothing\r\n", "Content-Length: 0\r\n"] {
        for (name, host, status) in [
            ("one.test", "guarded.test", "421"),
            ("one.test", "GUARDED.test:443", "421"),
            ("guarded.test", "one.test", "421"),
            ("guarded.test", "a.execute-api.test", "421"),
            ("guarded.test", "Guarded.test:8443", "200"),
            ("one.test", "x.wild.test", "200"),
        ] {
            let talk = talk(&gateway, &known, name, host, lines).unwrap();
            assert_eq!(talk.status(), status, "{name} {host} {lines}: {}", talk.answer);
            assert!(status == "200" || !talk.answer.contains("let in"));
        }
    }
}

/// Streams of one HTTP/2 connection, each for another host: those for a guarded one are refused, and the connection goes on.
#[test]
fn the_same_holds_for_each_stream_of_http_2() {
    let (authority, gateway) = scene();
    let known = authority.client(Some((gateway.directory(), "client.test")));
    let (one, guarded) = (["200", "421", "421", "200", "200"], ["421", "200", "200", "421", "421"]);
    let hosts = ["one.test", "guarded.test", "GUARDED.test:443", "x.wild.test", "one.test"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, expected) in [("one.test", one), ("guarded.test", guarded)] {
        let statuses = runtime.block_on(ask_over_http2(&gateway, &known, name, &hosts));
        assert_eq!(statuses, expected, "{name}");
    }
}

async fn ask_over_http2(gateway: &Gateway, client: &ClientConfig, name: &str, hosts: &[&str]) -> Vec<String> {
    let mut client = client.clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(tls).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut statuses = Vec::new();
    for host in hosts {
        let request = http::Request::get(format!("https://{host}/")).body(()).unwrap();
        requests = requests.ready().await.unwrap();
        let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        statuses.push(answer.status().as_str().to_owned());
    }
    drop(requests);
    driver.await.unwrap().unwrap();
    statuses
}

#[test]
fn a_session_goes_on_where_nobody_is_asked_for_a_certificate() {
    let (authority, gateway) = scene();
    let client = authority.client(Some((gateway.directory(), "client.test")));
    let resumed = |name: &str| talk(&gateway, &client, name, name, "").unwrap().resumed;
    assert_eq!((resumed("one.test"), resumed("one.test")), (false, true));
    assert_eq!((resumed("guarded.test"), resumed("guarded.test")), (false, false));
}

#[test]
fn a_renewed_certificate_is_for_new_connections() {
    let (authority, gateway) = scene();
    let client = authority.client(None);
    let mut open = open(&gateway, &client, "one.test");
    let request = b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n";
    let ask = |stream: &mut StreamOwned<ClientConnection, TcpStream>| {
        stream.write_all(request).unwrap();
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
    };
    ask(&mut open);
    let old = certificate(gateway.directory(), "one.test");
    authority.issue(gateway.directory(), "one.test");
    let new = certificate(gateway.directory(), "one.test");
    assert_ne!(old, new);
    assert!(Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status().unwrap().success());
    // A client each time: a session that goes on keeps the certificate that it began with.
    let shown = || talk(&gateway, &authority.client(None), "one.test", "one.test", "").unwrap().shown;
    eventually("the new certificate", || shown() == new);
    ask(&mut open);
}
