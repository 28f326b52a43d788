//! Requests that two parties could read differently (RFC 9112 §11).

use super::*;

fn post(lines: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

fn get(lines: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn refused(cases: &[(u16, String)]) {
    for way in WAYS {
        let mut scene = Scene::by(way, "");
        for (status, request) in cases {
            is_refused(&mut scene, *status, request);
        }
    }
}

#[test]
fn two_lengths_are_one_too_many() {
    refused(&[
        (400, post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG")),
        (400, post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "1\r\nZ\r\n0\r\n\r\n")),
        (400, post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        (400, post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello")),
        (400, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
        (400, post("Content-Length: 5, 5\r\n", "hello")),
        (400, post("Content-Length: 0\r\ncontent-length: 39\r\n", "")),
        (400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    ]);
}

#[test]
fn lengths_are_digits() {
    let values = ["+5", "-5", "0x5", "5;", "5 5", "", "5.0", "1e1", "\"5\"", "five", "18446744073709551616", "5\u{0b}"];
    let case = |value: &&str| (400, post(&format!("Content-Length: {value}\r\n"), "hello"));
    refused(&values.iter().map(case).collect::<Vec<_>>());
}

#[test]
fn the_only_transfer_coding_is_chunked() {
    let values = [
        "xchunked",
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "chunked;q=1",
        "\"chunked\"",
        "chunked,",
        ", chunked",
        "chunk",
        "",
    ];
    let case = |value: &&str| (501, post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n"));
    refused(&values.iter().map(case).collect::<Vec<_>>());
    refused(&[
        (501, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n")),
        (501, post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        (501, post("Transfer-Encoding: x\r\nContent-Length: 5\r\n", "hello")),
    ]);
}

#[test]
fn fields_are_well_formed() {
    let lines = [
        "Transfer-Encoding : chunked\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding\r\n: chunked\r\n",
        "X: b\r\n Transfer-Encoding: chunked\r\n",
        "X: b\r\n\tfolded\r\n",
        "X: b\nTransfer-Encoding: chunked\r\n",
        "X: b\rTransfer-Encoding: chunked\r\n",
        "X: b\r\r\n",
        "X: \0\r\n",
        "Transfer-Encoding: \u{0b}chunked\r\n",
        "Transfer-Encoding\0: chunked\r\n",
        "Transfer-Encoding\u{0}chunked\r\n",
        "no colon\r\n",
        ": empty\r\n",
        "X(Y): z\r\n",
        "X@Y: z\r\n",
        "\u{e9}: z\r\n",
    ];
    refused(&lines.iter().map(|l| (400, post(l, "0\r\n\r\n"))).collect::<Vec<_>>());
    refused(&[(400, "POST /x HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello".into())]);
}

#[test]
fn request_lines_are_well_formed() {
    let lines = [
        "GET  /x HTTP/1.1",
        " GET /x HTTP/1.1",
        "GET\t/x HTTP/1.1",
        "GET /x\tHTTP/1.1",
        "GET /x",
        "GET HTTP/1.1",
        "GET /x HTTP/1.1\rX: y",
        "G\u{0}T /x HTTP/1.1",
        "GET(POST) /x HTTP/1.1",
        "GET x HTTP/1.1",
        "GET ?x HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET /x#y HTTP/1.1",
        "GET \\x HTTP/1.1",
        "GET /x\\..\\mock HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:443 HTTP/1.1",
        "GET ftp://a/x HTTP/1.1",
        "GET http:/x HTTP/1.1",
        "GET http:///x HTTP/1.1",
    ];
    refused(&lines.iter().map(|l| (400, format!("{l}\r\nHost: a\r\n\r\n"))).collect::<Vec<_>>());
}

#[test]
fn versions_are_1_0_and_1_1() {
    let versions = [" HTTP/1.1", "y HTTP/1.1", "HTTP /1.1", "http/1.1", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"];
    refused(&versions.map(|v| (505, format!("GET /x {v}\r\nHost: a\r\n\r\n"))));
    refused(&[(400, "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into())]);
}

#[test]
fn escapes_are_whole_and_dots_are_no_segments() {
    let targets = [
        "/x/%",
        "/x/%2",
        "/x/%zz",
        "/x/%%41",
        "/x?q=%",
        "/x?q=%g1",
        "/x/..",
        "/x/../mock",
        "/x/./y",
        "/x/%2e%2E/mock",
        "/x/.%2e",
        "/x/..%2fmock",
        "/x/%2e%2e%2Fmock",
        "/x/..%5Cmock",
        "/x/..;/mock",
        "/..",
        "/.",
        "//../x",
    ];
    refused(&targets.map(|t| (400, format!("GET {t} HTTP/1.1\r\nHost: a\r\n\r\n"))));
}

#[test]
fn there_is_one_host_and_the_target_agrees() {
    refused(&[
        (400, "GET /x HTTP/1.1\r\n\r\n".into()),
        (400, "GET /x HTTP/1.1\r\nHost:\r\n\r\n".into()),
        (400, get("Host: a\r\n")),
        (400, get("host: b\r\n")),
        (400, "GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        (400, "GET http://evil/x HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET http://user@a/x HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (400, "GET http://a/x HTTP/1.1\r\n\r\n".into()),
    ]);
    let hosts = ["a b", "a/b", "a@b", "a,b", "a?b", "a#b", "a\\b", "a\"b", "<a>", "a%20b", "\u{e9}", "a\tb"];
    refused(&hosts.map(|h| (400, format!("GET /x HTTP/1.1\r\nHost: {h}\r\n\r\n"))));
    let hosts = ["a:99999", "a:65536", "a:b", "a:1:2", ":80", "::1", "a[b]", "[::1", "[::1]:99999", "[::g]"];
    refused(&hosts.map(|h| (400, format!("GET /x HTTP/1.1\r\nHost: {h}\r\n\r\n"))));
}

#[test]
fn only_100_continue_is_expected() {
    refused(&[
        (417, post("Expect: cake\r\nContent-Length: 5\r\n", "hello")),
        (417, get("Expect: 100-continue, x\r\n")),
    ]);
}

#[test]
fn other_protocols_are_refused_or_closed() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh"[..],
        b"\x05\x01\x00\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"EHLO a\r\n",
        b"\x00\x00\x00\x00\x00\x00",
        b"PRI * HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"{}",
        b"\r\n\r\n\r\nnonsense\r\n\r\n",
    ] {
        for way in WAYS {
            let mut scene = Scene::by(way, "");
            let mut client = scene.connect();
            client.send(bytes).end();
            match client.try_read(false) {
                Ok(response) => assert!((400..506).contains(&response.status), "{bytes:?}: {response:?}"),
                Err(broken) => assert!(broken.response.is_none(), "{bytes:?}: {broken:?}"),
            }
            assert!(client.is_closed(), "{bytes:?}");
            assert!(scene.origin.bytes().is_empty());
            scene.is_clean(&String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn clear_text_on_a_tls_port_is_told_so_or_closed() {
    let mut scene = Scene::by(Way::Tls, "");
    for bytes in ["GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "garbage\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n"] {
        let answers = scene.gateway.connect().send(bytes).end().read_all();
        assert!(answers.len() < 2 && answers.iter().all(|r| r.status == 400 && r.closes()), "{bytes:?}: {answers:?}");
    }
    assert_eq!(scene.connect().get("/x").status, 200);
    assert_eq!(scene.origin.last().field("x-forwarded-proto"), Some("https"));
    scene.is_clean("clear text");
}

/// A body that turns out malformed on its way: the origin never gets a whole request of it.
#[test]
fn malformed_chunks_end_the_request_and_the_connection() {
    let mut scene = Scene::new("");
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";x\r\n\r\n",
        "5\r\nhello\r\n\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\n\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
        "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
    ] {
        for pieces in [1, 1000] {
            let mut client = scene.connect();
            let request = post("Transfer-Encoding: chunked\r\n", body);
            request.as_bytes().chunks(pieces).for_each(|piece| {
                client.send(piece);
            });
            let answers = client.send(SMUGGLED).end().read_all();
            assert!(answers.iter().all(|r| r.status >= 400), "{body:?} in {pieces}s: {answers:?}");
            assert_eq!(scene.origin.count(), 0, "{body:?} in {pieces}s: {:?}", scene.origin.requests());
            scene.is_clean(body);
        }
    }
}

#[test]
fn what_a_chunked_body_carries_besides_stays_behind() {
    for body in [
        "5;ext=\"v\"\r\nhello\r\n0\r\n\r\n",
        "005\r\nhello\r\n000\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\nContent-Length: 99\r\nHost: evil\r\n\r\n",
    ] {
        let mut scene = Scene::new("");
        let mut client = scene.connect();
        client.send(post("Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n", body)).send(SMUGGLED).end();
        let statuses: Vec<u16> = client.read_all().iter().map(|r| r.status).collect();
        assert_eq!(statuses, [200, 403], "the second is a request of its own, for nothing: {body:?}");
        let request = scene.origin.last();
        assert_eq!(request.body, b"hello");
        for name in ["x-trailer", "content-length", "trailer"] {
            assert_eq!(request.field(name), None, "{body:?}");
        }
        assert_ne!(request.field("host"), Some("evil"));
        scene.is_clean(body);
    }
}

/// A read that brings nothing but the end of a chunk must not become an empty chunk: that would end the body at the
/// origin, and the next chunk would be a request there.
#[test]
fn a_body_ends_where_the_client_ends_it_however_it_is_cut() {
    let mut scene = Scene::new("");
    let inner = "GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = format!("5\r\nfirst\r\n{:x}\r\n{inner}\r\n6\r\nsecond\r\n0\r\n\r\n", inner.len());
    for cut in 1..whole.len() {
        let (head, tail) = whole.split_at(cut);
        let mut client = scene.connect();
        client.send(post(&format!("Transfer-Encoding: chunked\r\nx-cut: {cut}\r\n"), ""));
        scene.origin.wait_for_bytes(&format!("x-cut: {cut}\r\n"));
        client.send(head);
        // A second connection's answer shows that the worker has been around to read the first part.
        assert_eq!(scene.gateway.get("/mock").status, 200);
        client.send(tail);
        assert_eq!(client.read().status, 200, "cut at {cut}");
        assert_eq!(scene.origin.last().body, format!("first{inner}second").as_bytes(), "cut at {cut}");
    }
    assert_eq!(scene.origin.count(), whole.len() - 1);
    scene.is_clean("cut bodies");
}

/// `Connection` nominates fields of the client's own; what frames and forwards the request is not among them.
#[test]
fn connection_cannot_name_away_what_the_gateway_adds() {
    let names = "Host, Content-Length, Transfer-Encoding, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, X-Mine";
    let mut scene = Scene::new("");
    for lines in [
        format!("Connection: {names}\r\nContent-Length: 5\r\nX-Mine: 1\r\n"),
        format!("Content-Length: 5\r\nX-Mine: 1\r\nConnection: keep-alive\r\nConnection: {names}\r\n"),
    ] {
        let mut client = scene.connect();
        client.send(post(&lines, "hello")).send(SMUGGLED);
        assert_eq!((client.read().status, client.read().status), (200, 403));
        let request = scene.origin.last();
        assert_eq!((request.body.as_slice(), request.field("x-mine")), (&b"hello"[..], None));
        assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(request.field("x-forwarded-host"), Some("a"));
        assert!(request.field("forwarded").is_some() && request.field("host").is_some());
    }
    scene.is_clean(names);
}
