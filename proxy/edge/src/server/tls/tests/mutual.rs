//! Client certificates: who gets in.

use super::*;
use crate::server::stream::EdgeStream;

#[tokio::test]
async fn a_certificate_of_the_authority_opens_the_door() {
    let ca = Authority::new();
    let store = store(&[ca.mutual_domain("api.example.com")], None);
    let own = ca.issue("client");
    for version in [&TLS12, &TLS13] {
        let mut connection = Connection::open(&store, &ca.client_with(version, Some(&own)), "api.example.com").await;
        connection.talk().await;
        assert!(connection.server.domain.is_mutual());
        let Handshaken { stream, domain } = connection.server;
        let stream = EdgeStream::new(stream, ([127, 0, 0, 1], 9).into(), Some(domain));
        assert_eq!(stream.client_certificate(), Some(der(&own).as_ref()));
    }
}

#[tokio::test]
async fn without_one_or_with_a_strangers_it_stays_shut() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let store = store(&[ca.mutual_domain("api.example.com"), ca.domain("open.example.com")], None);
    let strangers = stranger.issue("client");
    for version in [&TLS12, &TLS13] {
        for own in [None, Some(&strangers)] {
            let client = ca.client_with(version, own);
            let Attempt { client: near, server } = attempt(&store, &client, "api.example.com").await;
            assert!(matches!(server.unwrap_err(), HandshakeError::Tls(_)));
            // In TLS 1.3 the client learns of it at its first read.
            if let Ok(mut near) = near {
                assert!(near.read_u8().await.is_err());
            }
            Connection::open(&store, &client, "open.example.com").await;
        }
    }
}

/// A session without a certificate at one domain must not become one at another, nor one from before a reload.
#[tokio::test]
async fn no_session_is_resumed() {
    let ca = Authority::new();
    let sessions = Sessions::new().unwrap();
    let mut domain = ca.mutual_domain("api.example.com");
    let guarded = TlsStore::load(std::slice::from_ref(&domain), None, &sessions).unwrap();
    domain.client_ca = None;
    let open = TlsStore::load(&[domain], None, &sessions).unwrap();
    for version in [&TLS12, &TLS13] {
        let client = ca.client_with(version, None);
        Connection::open(&open, &client, "api.example.com").await.talk().await;
        assert!(attempt(&guarded, &client, "api.example.com").await.server.is_err());

        let client = ca.client_with(version, Some(&ca.issue("client")));
        for _ in 0..2 {
            let mut connection = Connection::open(&guarded, &client, "api.example.com").await;
            connection.talk().await;
            assert!(!connection.is_resumed());
        }
    }
}
