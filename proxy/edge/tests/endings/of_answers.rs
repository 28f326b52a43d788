//! Answers of endpoints that end with their connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::certificates::Authority;
use super::support::{Answer, Recorder};
use super::{before, gateway};

const OPEN_ENDED: &str = "HTTP/1.1 200 OK\r\n\r\nhello";

#[test]
fn an_answer_that_may_have_been_cut_is_served_and_not_stored() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/cached/old" => Answer::raw("HTTP/1.0 200 OK\r\n\r\nhello").close(),
        "/cached/chunked" => Answer::chunked("", &["hello"]),
        _ => Answer::raw(OPEN_ENDED).close(),
    });
    for top in ["", "profile = \"aws\""] {
        let gateway = before(&origin, top);
        let asked = origin.count();
        for target in ["/cached/a", "/cached/a", "/cached/old", "/cached/old"] {
            let response = gateway.get(target);
            assert_eq!((response.status, response.text()), (200, "hello"));
            if let Some(status) = response.field("cache-status") {
                assert!(status.ends_with("detail=close-delimited"), "{status}");
            }
        }
        assert_eq!(origin.count(), asked + 4);
        assert_eq!((gateway.get("/cached/chunked").text(), gateway.get("/cached/chunked").text()), ("hello", "hello"));
        assert_eq!(origin.count(), asked + 5, "one whose end is stated is stored");
    }
}

/// Over TLS its peer states the end, or the answer breaks off.
#[test]
fn under_tls_an_end_that_is_stated_is_one() {
    let authority = Authority::new();
    for (farewell, fetches) in [(true, 1), (false, 2)] {
        let (address, count) = serve(authority.acceptor("localhost", "http/1.1"), farewell);
        let more = format!("ca_file = \"{}\", addresses = [\"{address}\"]", authority.file().display());
        let gateway = gateway("", "https://localhost", &more);
        for _ in 0..2 {
            let read = gateway.connect().request("GET", "/cached/x", "").try_read(false);
            assert_eq!(read.is_ok_and(|r| r.text() == "hello"), farewell);
        }
        assert_eq!(count(), fetches);
    }
}

/// Ends each connection with its first answer, and says so or not. How many there were can be asked.
fn serve(acceptor: TlsAcceptor, farewell: bool) -> (SocketAddr, impl Fn() -> usize) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((tcp, _)) = listener.accept().await {
                let mut stream = acceptor.accept(tcp).await.unwrap();
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                stream.write_all(OPEN_ENDED.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                match farewell {
                    true => stream.shutdown().await.unwrap(),
                    false => stream.get_mut().0.shutdown().await.unwrap(),
                }
            }
        });
    });
    (address, move || count.load(std::sync::atomic::Ordering::SeqCst))
}
