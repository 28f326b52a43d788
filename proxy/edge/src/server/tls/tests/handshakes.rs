//! Which certificate is shown, and what clients that speak something else get.

use std::time::Duration;

use super::*;
use crate::server::stream::EdgeStream;

#[tokio::test]
async fn the_exact_name_then_the_wildcard() {
    let ca = Authority::new();
    let store = store(&[ca.domain("*.example.com"), ca.domain("api.example.com")], None);
    for (name, expected) in [
        ("api.example.com", "api.example.com"),
        ("API.Example.com", "api.example.com"),
        ("x.example.com", "*.example.com"),
    ] {
        let mut connection = Connection::open(&store, &ca.client(), name).await;
        assert_eq!(connection.domain(), Some(expected));
        connection.talk().await;
    }
    assert!(store.find(Some("a.x.example.com")).is_none(), "a wildcard is one label");
    assert!(store.find(Some("example.com")).is_none());
    assert!(store.find(None).is_none());
}

#[tokio::test]
async fn the_fallback_for_other_names_and_for_none() {
    let ca = Authority::new();
    let fallback = ca.issue("127.0.0.1");
    let domains = [ca.domain("api.example.com")];
    let bare = store(&domains, None);
    let store = bare.with_fallback(Some(&fallback)).unwrap();
    // A client that connects to an address sends no server name.
    let connection = Connection::open(&store, &ca.client(), "127.0.0.1").await;
    assert_eq!((connection.domain(), connection.shown()), (None, der(&fallback)));
    assert!(store.find(Some("other.example.com")).unwrap().name().is_none());
    let connection = Connection::open(&store, &ca.client(), "api.example.com").await;
    assert_eq!(connection.domain(), Some("api.example.com"));
    assert!(bare.find(None).is_none());
    // rcgen's certificates end with the year 4095.
    let ends: Vec<_> = store.ends().map(|(file, end)| (file.to_owned(), end)).collect();
    assert!(ends.contains(&(fallback.certificate, 67_090_118_400)) && ends.len() == 2, "{ends:?}");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told_so() {
    let ca = Authority::new();
    let store = store(&[ca.domain("api.example.com")], None);
    let Attempt { client, server } = attempt(&store, &ca.client(), "www.example.com").await;
    assert!(matches!(server.unwrap_err(), HandshakeError::UnknownName(name) if &*name == "www.example.com"));
    assert!(client.unwrap_err().to_string().contains("UnrecognisedName"));
    let Attempt { client, server } = attempt(&store, &ca.client(), "127.0.0.1").await;
    assert!(matches!(server.unwrap_err(), HandshakeError::NoName));
    assert!(client.unwrap_err().to_string().contains("MissingExtension"));
}

#[tokio::test]
async fn both_versions_and_both_protocols() {
    let ca = Authority::new();
    let store = store(&[ca.domain("api.example.com")], None);
    for version in [&TLS12, &TLS13] {
        for protocol in ["h2", "http/1.1"] {
            let mut client = (*ca.client_with(version, None)).clone();
            client.alpn_protocols = vec![protocol.into()];
            let connection = Connection::open(&store, &Arc::new(client), "api.example.com").await;
            assert_eq!(connection.server.stream.get_ref().1.protocol_version(), Some(version.version));
            let Handshaken { stream, domain } = connection.server;
            let stream = EdgeStream::new(stream, ([127, 0, 0, 1], 9).into(), Some(domain));
            assert_eq!(stream.is_http2(), protocol == "h2");
            assert_eq!(stream.server_name(), Some("api.example.com"));
            assert_eq!(stream.domain().unwrap().name(), Some("api.example.com"));
            assert!(stream.client_certificate().is_none());
        }
    }
    let mut client = (*ca.client()).clone();
    client.alpn_protocols = vec![b"smtp".to_vec()];
    let Attempt { client, server } = attempt(&store, &Arc::new(client), "api.example.com").await;
    assert!(matches!(server.unwrap_err(), HandshakeError::Tls(_)));
    assert!(client.unwrap_err().to_string().contains("NoApplicationProtocol"));
}

/// What a client that sends these bytes gets back before the close.
async fn answer_to(bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let ca = Authority::new();
    let store = store(&[ca.domain("api.example.com")], None);
    let (mut near, far) = tcp().await;
    let client = async {
        near.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        drop(near);
        answer
    };
    let (server, answer) = tokio::join!(store.accept(far), client);
    (server.unwrap_err(), answer)
}

#[tokio::test]
async fn plain_http_gets_an_answer_it_can_read() {
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "post"] {
        let (error, answer) = answer_to(request.as_bytes()).await;
        assert!(matches!(error, HandshakeError::PlainHttp));
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n") && head.ends_with("Connection: close"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert_eq!(body, "plain HTTP was sent to a TLS port\n");
    }
}

#[tokio::test]
async fn a_large_plain_upload_is_not_reset_before_its_answer() {
    let request = [b"POST / HTTP/1.1\r\n\r\n".as_slice(), &[b'x'; 30_000]].concat();
    let (_, answer) = answer_to(&request).await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
}

#[tokio::test]
async fn other_noise_gets_an_alert() {
    for noise in [b"\x80\x2e\x01\x03\x01\x00\x15".as_slice(), &[0; 40], b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"] {
        let (error, answer) = answer_to(noise).await;
        assert!(matches!(error, HandshakeError::Tls(_)), "{error}");
        assert!(answer.starts_with(&[21, 3]), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_or_stays_silent() {
    let ca = Authority::new();
    let store = store(&[ca.domain("api.example.com")], None);
    for sent in [b"".as_slice(), b"\x16\x03\x01"] {
        let (mut near, far) = tcp().await;
        near.write_all(sent).await.unwrap();
        // The deadline is the caller's; here it passes at the first wait.
        assert!(tokio::time::timeout(Duration::ZERO, store.accept(far)).await.is_err());

        let (mut near, far) = tcp().await;
        near.write_all(sent).await.unwrap();
        drop(near);
        assert!(matches!(store.accept(far).await.unwrap_err(), HandshakeError::Gone(_)));
    }
}

#[tokio::test]
async fn a_connections_future_does_not_hold_the_handshake() {
    let ca = Authority::new();
    let store = store(&[ca.domain("api.example.com")], None);
    let (_near, far) = tcp().await;
    assert!(size_of_val(&store.accept(far)) < 128);
}
