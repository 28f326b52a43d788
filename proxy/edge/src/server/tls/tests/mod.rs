//! Handshakes over real loopback sockets, with certificates made on the spot.

mod faults;
mod handshakes;
mod mutual;
mod reload;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::*;
use crate::config::{CertificateFiles, Domain};

/// An authority with a directory for what it signs.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Makes, or replaces, a certificate for a name and its key.
    fn issue(&self, name: &str) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let stem = name.replace('*', "any");
        let (certificate, private_key) = (self.path(&format!("{stem}.pem")), self.path(&format!("{stem}.key")));
        fs::write(&certificate, signed.pem()).unwrap();
        fs::write(&private_key, key.serialize_pem()).unwrap();
        CertificateFiles { certificate, private_key }
    }

    /// A domain with a certificate of its own.
    fn domain(&self, name: &str) -> Domain {
        Domain { name: name.into(), certificate: Some(self.issue(name)), client_ca: None, mappings: Vec::new() }
    }

    fn mutual_domain(&self, name: &str) -> Domain {
        Domain { client_ca: Some(self.path("ca.pem")), ..self.domain(name) }
    }

    fn client(&self) -> Arc<ClientConfig> {
        self.client_with(&TLS13, None)
    }

    /// A client that trusts this authority and offers both protocols.
    fn client_with(
        &self,
        version: &'static SupportedProtocolVersion,
        own: Option<&CertificateFiles>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
        let mut config = match own {
            Some(files) => builder.with_client_auth_cert(vec![der(files)], key(files)).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn der(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.certificate).unwrap()
}

fn key(files: &CertificateFiles) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(&files.private_key).unwrap()
}

fn store(domains: &[Domain], fallback: Option<&CertificateFiles>) -> TlsStore {
    TlsStore::load(domains, fallback, &Sessions::new().unwrap()).unwrap()
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// What both ends make of a handshake.
struct Attempt {
    client: std::io::Result<ClientStream<TcpStream>>,
    server: Result<Handshaken, HandshakeError>,
}

async fn attempt(store: &TlsStore, client: &Arc<ClientConfig>, name: &'static str) -> Attempt {
    let (near, far) = tcp().await;
    let connector = TlsConnector::from(client.clone());
    let name = ServerName::try_from(name).unwrap();
    let (client, server) = tokio::join!(connector.connect(name, near), store.accept(far));
    Attempt { client, server }
}

/// A connection that came up.
struct Connection {
    client: ClientStream<TcpStream>,
    server: Handshaken,
}

impl Connection {
    async fn open(store: &TlsStore, client: &Arc<ClientConfig>, name: &'static str) -> Self {
        let Attempt { client, server } = attempt(store, client, name).await;
        Self { client: client.unwrap(), server: server.unwrap() }
    }

    /// A word each way; the client has its tickets afterwards.
    async fn talk(&mut self) {
        self.client.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        self.server.stream.read_exact(&mut word).await.unwrap();
        self.server.stream.write_all(b"pong").await.unwrap();
        self.server.stream.flush().await.unwrap();
        self.client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"pong");
    }

    fn domain(&self) -> Option<&str> {
        self.server.domain.name()
    }

    fn shown(&self) -> CertificateDer<'static> {
        self.client.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    fn is_resumed(&self) -> bool {
        self.client.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}
