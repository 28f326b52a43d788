//! A bridge that lets a client without TLS talk to a gateway with it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The name in the certificate.
pub const NAME: &str = "gateway.test";

/// Writes `chain.pem` and `key.pem` for `NAME` into the directory; the certificate comes back.
pub fn certificate(directory: &Path) -> rcgen::Certificate {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    std::fs::write(directory.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert
}

/// Takes connections here and carries them over TLS to `to`, which must show this certificate. The bridge lives as long as
/// the process.
pub fn bridge(to: SocketAddr, certificate: &rcgen::Certificate) -> SocketAddr {
    bridge_speaking(to, certificate, &[], b"")
}

/// The same, offering these protocols, after bytes that go before the handshake.
pub fn bridge_speaking(
    to: SocketAddr,
    certificate: &rcgen::Certificate,
    protocols: &[&str],
    before: &'static [u8],
) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(carry_all(listener, connector, to, before));
    });
    address
}

async fn carry_all(listener: TcpListener, connector: TlsConnector, to: SocketAddr, before: &'static [u8]) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let tasks = tokio::task::LocalSet::new();
    let accept = async {
        while let Ok((mut near, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::task::spawn_local(async move {
                // What goes wrong here shows at the client as a connection that ends.
                let mut far = tokio::net::TcpStream::connect(to).await?;
                let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
                far.write_all(before).await?;
                let mut far = connector.connect(NAME.try_into().unwrap(), far).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    };
    tasks.run_until(accept).await;
}
