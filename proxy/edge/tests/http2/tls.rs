//! The protocol is chosen by ALPN.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

use super::client::{Connection, run};
use super::support::{Gateway, Recorder};
use super::{configuration, is_hit};

const LISTENER: &str = "tls = { certificate = \"@DIR@/cert.pem\", private_key = \"@DIR@/key.pem\" }";

fn scene(origin: &Recorder) -> (Gateway, TlsConnectors) {
    let issued = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cert.pem"), issued.cert.pem()).unwrap();
    std::fs::write(directory.path().join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
    let gateway = Gateway::start_in(directory, &configuration(origin, LISTENER));
    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    (gateway, TlsConnectors(roots))
}

struct TlsConnectors(RootCertStore);

impl TlsConnectors {
    async fn connect(&self, gateway: &Gateway, protocols: &[&str]) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = versions.with_root_certificates(self.0.clone()).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        let name = ServerName::try_from("gateway.test").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

#[test]
fn alpn_chooses_http_2() {
    let origin = Recorder::echoing();
    let (gateway, tls) = scene(&origin);
    run(async {
        let stream = tls.connect(&gateway, &["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let client = Connection::over(stream).await;
        let (miss, hit) = (client.get("/x/a").await, client.get("/x/a").await);
        assert_eq!((miss.text(), hit.text(), is_hit(&hit)), ("/a", "/a", true));
    });
    assert_eq!(origin.last().field("x-forwarded-proto"), Some("https"));
}

#[test]
fn without_it_http_1_is_spoken() {
    let origin = Recorder::echoing();
    let (gateway, tls) = scene(&origin);
    run(async {
        for offered in [&["http/1.1"][..], &[]] {
            let mut stream = tls.connect(&gateway, offered).await;
            assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let request = b"GET /x/a HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n/a"), "{answer}");
        }
    });
}
