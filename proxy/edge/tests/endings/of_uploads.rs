//! Uploads that are answered before their end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::gateway;
use super::support::{Client, Gateway, Recorder};

/// An origin that reads the beginning of each request, answers 403 with so many bytes, and reads no further.
fn hasty(size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            let head = format!("HTTP/1.1 403 No\r\nContent-Length: {size}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let whole = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let mut stream = whole;
                // The gateway may have had enough of it.
                let _ = stream.write_all(&vec![b'n'; size]);
            });
            open.push(stream);
        }
    });
    address
}

fn before(origin: SocketAddr) -> Gateway {
    gateway("limits = { body_size = \"1 GB\" }", &format!("http://{origin}"), "")
}

/// Sends a whole body, and reads only then.
fn upload(client: &mut Client, size: usize, chunked: bool) {
    let framing = if chunked { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {size}") };
    client.send(format!("POST /plain/x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..size / piece.len() {
        match chunked {
            true => client.send(format!("{:x}\r\n", piece.len())).send(&piece).send("\r\n"),
            false => client.send(&piece),
        };
    }
    if chunked {
        client.send("0\r\n\r\n");
    }
}

#[test]
fn an_early_answer_is_seen_by_who_reads_late() {
    // Small answers leave at once; large ones wait for a client that sends first and reads then.
    for (answer, body) in [(2, 8 << 20), (14 << 20, 12 << 20)] {
        let gateway = before(hasty(answer));
        for chunked in [false, true] {
            let mut client = gateway.connect();
            upload(&mut client, body, chunked);
            let response = client.read();
            assert_eq!((response.status, response.body.len(), response.closes()), (403, answer, true));
            assert!(client.is_closed());
        }
    }
}

#[test]
fn so_is_a_refusal_of_a_body_that_is_too_large() {
    let origin = Recorder::echoing();
    let gateway = gateway("", &format!("http://{}", origin.address()), "");
    for chunked in [false, true] {
        let mut client = gateway.connect();
        upload(&mut client, 16 << 20, chunked);
        let response = client.read();
        assert_eq!((response.status, response.text()), (413, r#"{"message":"Request Too Long"}"#));
    }
}

#[test]
fn who_never_stops_is_stopped() {
    let gateway = before(hasty(2));
    let client = gateway.connect();
    let mut stream = client.stream();
    stream.write_all(b"POST /plain/x HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n").unwrap();
    let (piece, mut sent) = (vec![b'x'; 64 * 1024], 0);
    while stream.write_all(&piece).is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "it reads on and on");
    }
}
