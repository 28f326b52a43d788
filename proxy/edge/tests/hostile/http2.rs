//! The same over HTTP/2, whose heads and frames must not turn into other requests when they become HTTP/1.1.

use super::*;
use support::http2::{Ending, Http2};

const GOOD: [(&str, &str); 4] = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];

/// A good head with one pseudo-field changed, or with fields behind it.
fn with<'f>(changes: &[(&'f str, &'f str)], more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut fields = GOOD.to_vec();
    for (name, value) in changes {
        fields.iter_mut().filter(|(n, _)| n == name).for_each(|field| field.1 = value);
    }
    fields.extend_from_slice(more);
    fields
}

/// Sends the head and a body of these pieces; how it ended.
fn send(scene: &Scene, fields: &[(&str, &str)], pieces: &[&str]) -> Ending {
    let mut http2 = Http2::connect(scene.gateway.address());
    http2.head(1, fields, pieces.is_empty());
    for (i, piece) in pieces.iter().enumerate() {
        http2.data(1, piece, i + 1 == pieces.len());
    }
    http2.ending(1)
}

fn refused(cases: &[Vec<(&str, &str)>]) {
    let mut scene = Scene::new("");
    for fields in cases {
        let ending = send(&scene, fields, &["hello"]);
        assert!(!matches!(ending, Ending::Answered(true, _)), "{fields:?}: {ending:?}");
        assert_eq!(scene.origin.count(), 0, "{fields:?}: {:?}", scene.origin.requests());
        // A body that turns out wrong on its way breaks off, and its connection with it.
        let garbage = scene.origin.garbage();
        assert!(garbage.iter().all(|g| g == "unexpected end of file"), "{fields:?}: {garbage:?}");
        scene.is_clean(&format!("{fields:?}"));
    }
    assert_eq!(send(&scene, &GOOD, &["hello"]), Ending::Answered(true, b"/x".to_vec()), "a good one is served");
}

#[test]
fn fields_of_a_connection_are_no_fields_of_http_2() {
    refused(&[
        with(&[], &[("transfer-encoding", "chunked")]),
        with(&[], &[("connection", "close")]),
        with(&[], &[("keep-alive", "timeout=5")]),
        with(&[], &[("proxy-connection", "keep-alive")]),
        with(&[], &[("upgrade", "websocket")]),
        with(&[], &[("te", "gzip")]),
    ]);
}

#[test]
fn names_and_values_cannot_end_a_line() {
    refused(&[
        with(&[], &[("x", "a\r\nGET /smuggled HTTP/1.1\r\nHost: a")]),
        with(&[], &[("x", "a\nb: c")]),
        with(&[], &[("x", "a\rb")]),
        with(&[], &[("x", "a\0b")]),
        with(&[], &[("x\r\ny", "a")]),
        with(&[], &[("x: y", "a")]),
        with(&[], &[("x y", "a")]),
        with(&[], &[("X", "a")]),
        with(&[], &[("", "a")]),
    ]);
}

#[test]
fn targets_methods_and_hosts_are_as_strict_as_those_of_http_1_1() {
    let paths = [
        "",
        "x",
        "*",
        "/x y",
        "/x HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled",
        "/x\r\nX: y",
        "/x\\y",
        "/x/../mock",
        "/x/%2e%2e/mock",
        "/x/..%2fmock",
        "/x/%zz",
        "http://b/x",
        "/x\u{e9}",
    ];
    refused(&paths.map(|path| with(&[(":path", path)], &[])));
    let methods = ["", "GET /smuggled HTTP/1.1\r\n", "POST /x", "P(ST"];
    refused(&methods.map(|method| with(&[(":method", method)], &[])));
    let hosts = ["", "a b", "a/b", "b@a", "a,b", "a\r\nX: y", "a?b"];
    refused(&hosts.map(|host| with(&[(":authority", host)], &[])));
}

#[test]
fn schemes_are_http_and_https() {
    let scene = Scene::new("");
    for scheme in ["ftp", "file", "ws", "httpx"] {
        let ending = send(&scene, &with(&[(":scheme", scheme)], &[]), &[]);
        let Ending::Answered(false, body) = ending else { panic!("{scheme}: {ending:?}") };
        assert_eq!(body, br#"{"message":"Bad Request"}"#, "{scheme}");
    }
    assert_eq!(scene.origin.count(), 0);
    for scheme in ["http", "https", "HTTP"] {
        let ending = send(&scene, &with(&[(":scheme", scheme)], &[]), &[]);
        assert_eq!(ending, Ending::Answered(true, b"/x".to_vec()), "{scheme}");
    }
}

#[test]
fn pseudo_fields_come_once_and_first() {
    let path = (":path", "/x/smuggled");
    let no = |name: &str| GOOD.into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    refused(&[
        with(&[], &[path]),
        with(&[], &[("x", "y"), path]),
        with(&[], &[(":x", "y")]),
        with(&[], &[(":status", "200")]),
        with(&[], &[(":protocol", "websocket")]),
        no(":path"),
        no(":method"),
        no(":scheme"),
        no(":authority"),
        with(&[(":method", "CONNECT")], &[]),
    ]);
}

#[test]
fn a_host_field_agrees_with_the_authority() {
    refused(&[with(&[], &[("host", "b")]), with(&[], &[("host", "a"), ("host", "b")])]);
    let scene = Scene::new("");
    assert_eq!(send(&scene, &with(&[], &[("host", "a")]), &["x"]), Ending::Answered(true, b"/x".to_vec()));
}

#[test]
fn a_length_is_the_body_s_and_stands_there_once() {
    refused(&[
        with(&[], &[("content-length", "4")]),
        with(&[], &[("content-length", "6")]),
        with(&[], &[("content-length", "0")]),
        with(&[], &[("content-length", "5"), ("content-length", "6")]),
        with(&[], &[("content-length", "+5")]),
        with(&[], &[("content-length", "5, 5")]),
    ]);
}

/// An empty DATA frame is no end: as an empty chunk it would be one at the origin.
#[test]
fn empty_frames_end_nothing() {
    let mut scene = Scene::new("");
    let inner = "GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = (5 + inner.len()).to_string();
    for fields in [with(&[], &[]), with(&[], &[("content-length", &length)])] {
        for pieces in [&["", "hello", "", inner, ""][..], &["hello", "", "", inner][..]] {
            assert_eq!(send(&scene, &fields, pieces), Ending::Answered(true, b"/x".to_vec()), "{pieces:?}");
            assert_eq!(scene.origin.last().body, format!("hello{inner}").as_bytes(), "{pieces:?}");
        }
    }
    assert_eq!(scene.origin.count(), 4);
    scene.is_clean("empty frames");
}

/// A reset stream has nothing more to read, just as one whose body has ended.
#[test]
fn a_request_that_is_given_up_is_no_request_with_an_empty_body() {
    let mut scene = Scene::new("");
    let mut http2 = Http2::connect(scene.gateway.address());
    for (stream, pieces) in [(1, &[][..]), (3, &["hel"][..]), (5, &[""][..])] {
        http2.head(stream, &GOOD, false);
        pieces.iter().for_each(|piece| {
            http2.data(stream, piece, false);
        });
        http2.reset(stream);
    }
    http2.head(7, &with(&[(":path", "/x/after")], &[]), false).data(7, "whole", true);
    assert_eq!(http2.ending(7), Ending::Answered(true, b"/x/after".to_vec()));
    let requests = scene.origin.requests();
    assert!(requests.iter().all(|r| r.target == "/x/after"), "{requests:?}");
    scene.is_clean("requests given up");
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let mut scene = Scene::new("limits = { body_size = \"1 KiB\" }");
    let piece = "x".repeat(600);
    let ending = send(&scene, &GOOD, &[&piece, &piece]);
    assert!(!matches!(ending, Ending::Answered(true, _)), "{ending:?}");
    assert_eq!(scene.origin.count(), 0);
    scene.is_clean("a large body");
}

/// In trailers a pseudo-field makes the request malformed, however it is written; what is left of the connection is served.
#[test]
fn trailers_have_no_pseudo_fields() {
    const HEADERS: u8 = 1;
    const CONTINUATION: u8 = 9;
    const LAST: u8 = 0x5;
    // A literal `:authority`, which enters the table as its first field.
    let head = [&[0x83, 0x86, 0x44, 2][..], b"/x", &[0x41, 1], b"a"].concat();
    let named = [&[0, 5][..], b":path", &[11], b"/x/smuggled"].concat();
    let behind = [&[0, 1][..], b"x", &[1], b"y", &[0x84]].concat();
    let padded = [&[2][..], &[0x84], &[0, 0]].concat();
    let prioritised = [&[0, 0, 0, 0, 9][..], &[0x84]].concat();
    let cases: [(u8, &[u8], &[u8]); 10] = [
        (LAST, &[0x84], b""),
        (LAST, &[0x88], b""),
        (LAST, &[0xbe], b""),
        (LAST, &[0x01, 1, b'b'], b""),
        (LAST, &[0x41, 1, b'b'], b""),
        (LAST, &named, b""),
        (LAST, &behind, b""),
        (LAST | 0x8, &padded, b""),
        (LAST | 0x20, &prioritised, b""),
        (0x1, &[], &[0x84]),
    ];
    for way in [Way::Plain, Way::Tls] {
        let mut scene = Scene::by(way, "");
        for (flags, block, continued) in cases {
            let mut http2 = Http2::connect(scene.http2_door);
            http2.frame(HEADERS, 0x4, 1, &head).data(1, "hello", false).frame(HEADERS, flags, 1, block);
            if flags & 0x4 == 0 {
                http2.frame(CONTINUATION, 0x4, 1, continued);
            }
            assert_eq!(http2.ending(1), Ending::Refused, "{way:?} {block:x?}");
            assert_eq!(scene.origin.count(), 0, "{way:?} {block:x?}: {:?}", scene.origin.requests());
            http2.head(3, &with(&[(":path", "/mock")], &[]), true);
            assert_eq!(http2.ending(3), Ending::Answered(true, b"mock".to_vec()), "{way:?} {block:x?}");
        }
        scene.is_clean("trailers");
    }
}

#[test]
fn other_trailers_end_the_body_and_go_nowhere() {
    for way in [Way::Plain, Way::Tls] {
        let mut scene = Scene::by(way, "");
        for trailers in [&[("x-late", "1")][..], &[], &[("content-length", "99"), ("host", "evil")]] {
            let mut http2 = Http2::connect(scene.http2_door);
            http2.head(1, &GOOD, false).data(1, "hello", false).head(1, trailers, true);
            assert_eq!(http2.ending(1), Ending::Answered(true, b"/x".to_vec()), "{way:?} {trailers:?}");
            let request = scene.origin.last();
            assert_eq!((request.body.as_slice(), request.field("x-late")), (&b"hello"[..], None));
            assert_ne!(request.field("host"), Some("evil"));
            assert!(["content-length", "accept-encoding"].iter().all(|name| request.field(name).is_none()));
        }
        scene.is_clean("trailers");
    }
}
