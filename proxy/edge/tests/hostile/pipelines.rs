//! Several requests in one write: bodies end where they say, whatever is answered before they were read.

use super::*;

/// Statuses of all answers to these bytes until the connection ends.
fn statuses(scene: &Scene, bytes: &str) -> Vec<u16> {
    scene.connect().send(bytes).end().read_all().iter().map(|r| r.status).collect()
}

#[test]
fn bodies_and_requests_without_one_keep_their_order() {
    let mut scene = Scene::new("");
    let batch = "GET /x/1 HTTP/1.1\r\nHost: a\r\n\r\n\
                 POST /x/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour\
                 GET /mock HTTP/1.1\r\nHost: a\r\n\r\n\
                 PUT /x/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nsix\r\n3\r\n666\r\n0\r\n\r\n\
                 POST /x/4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
                 GET /x/5 HTTP/1.1\r\nHost: a\r\n\r\n";
    for pieces in [batch.len(), 7, 1] {
        let mut client = scene.connect();
        batch.as_bytes().chunks(pieces).for_each(|piece| {
            client.send(piece);
        });
        let bodies: Vec<String> = (0..6).map(|_| client.read().text().to_owned()).collect();
        assert_eq!(bodies, ["/x/1", "/x/2", "mock", "/x/3", "/x/4", "/x/5"]);
    }
    let requests = scene.origin.requests();
    let seen: Vec<_> = requests.iter().take(5).map(|r| (r.target.as_str(), r.body.as_slice())).collect();
    let none = &b""[..];
    assert_eq!(seen, [("/x/1", none), ("/x/2", b"four"), ("/x/3", b"six666"), ("/x/4", none), ("/x/5", none)]);
    scene.is_clean(batch);
}

/// The answer needs no body, so the body must not become the next request.
#[test]
fn a_body_that_nobody_reads_is_no_request() {
    let mut scene = Scene::new("");
    let inner = "GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = inner.len();
    for target in ["/mock", "/nothing", "/x/../x"] {
        for lines in [
            format!("Content-Length: {length}\r\n"),
            format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"),
            format!("Connection: close\r\nContent-Length: {length}\r\n"),
        ] {
            let seen = statuses(&scene, &format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n{inner}"));
            let finals = seen.iter().filter(|s| **s >= 200).count();
            assert_eq!(finals, 1, "{target} {lines}: {seen:?}");
        }
        let chunks = format!("{length:x}\r\n{inner}\r\n0\r\n\r\n");
        let seen = statuses(
            &scene,
            &format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
        );
        assert_eq!(seen.len(), 1, "{target}: {seen:?}");
    }
    assert_eq!(scene.origin.count(), 0);
    scene.is_clean("bodies that nobody reads");
}

#[test]
fn get_and_head_may_have_bodies_and_these_are_no_requests() {
    let mut scene = Scene::new("");
    for method in ["GET", "DELETE", "OPTIONS"] {
        let inner = "GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let request =
            format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}{SMUGGLED}", inner.len());
        assert_eq!(statuses(&scene, &request), [200, 403], "{method}");
        assert_eq!(scene.origin.last().body, inner.as_bytes());
    }
    assert_eq!(scene.origin.count(), 3);
    scene.is_clean("bodies of GET");
}

/// Pingora once passed on what followed an upgrade request before anybody had agreed to it (CVE-2026-2833).
#[test]
fn bytes_behind_an_upgrade_request_are_requests_still() {
    let mut scene = Scene::new("");
    for lines in [
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "Upgrade: TLS/1.0\r\nConnection: upgrade\r\n",
    ] {
        let seen = statuses(&scene, &format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n{SMUGGLED}"));
        assert!(seen == [200, 403] || seen == [200], "{lines}: {seen:?}");
        let request = scene.origin.last();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(request.field(name), None, "{lines}");
        }
    }
    assert_eq!(scene.origin.count(), 3);
    scene.is_clean("upgrades");
}

/// Whoever passed the first request on takes what follows for HTTP/1.1 as well.
#[test]
fn a_connection_of_http_1_does_not_become_one_of_http_2() {
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for way in WAYS {
        let mut scene = Scene::by(way, "");
        for before in [
            "GET /mock HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        ] {
            assert_eq!(statuses(&scene, &format!("{before}{preface}")), [200, 505], "{way:?} {before:?}");
            let mut client = scene.connect();
            assert_eq!(client.send(before).read().status, 200);
            assert_eq!(client.send(preface).read().status, 505, "{way:?} {before:?}");
        }
        scene.is_clean("prefaces");
    }
}

/// What ends with the connection has nothing behind it (CVE-2026-2835 was about HTTP/1.0 bodies).
#[test]
fn http_1_0_has_bodies_by_length_alone() {
    let mut scene = Scene::new("");
    let inner = "GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let open = format!("POST /x HTTP/1.0\r\nHost: a\r\n\r\n{inner}");
    assert_eq!(statuses(&scene, &open), [200]);
    assert_eq!(scene.origin.last().body, b"");
    let by_length = format!("POST /x HTTP/1.0\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    // Who ends his direction with nothing behind the request has left.
    assert_eq!(scene.connect().send(&by_length).read_all().iter().map(|r| r.status).collect::<Vec<_>>(), [200]);
    assert_eq!(scene.origin.last().body, inner.as_bytes());
    scene.is_clean("HTTP/1.0");
}

#[test]
fn nothing_follows_a_request_that_closes() {
    let mut scene = Scene::new("");
    for request in [
        "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        "GET /mock HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
        "GET /mock HTTP/1.0\r\n\r\n",
    ] {
        let seen = statuses(&scene, &format!("{request}GET /x/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(seen, [200], "{request:?}");
        scene.is_clean(request);
    }
}

/// A client that goes away in the middle of its body leaves no half request behind on a kept connection.
#[test]
fn a_body_that_breaks_off_spoils_no_connection() {
    let mut scene = Scene::new("");
    assert_eq!(scene.gateway.get("/x/1").status, 200);
    for head in ["Content-Length: 50\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n32\r\nhalf"] {
        scene.connect().send(format!("POST /x HTTP/1.1\r\nHost: a\r\n{head}")).end().read_all();
        assert_eq!(scene.gateway.get("/x/2").text(), "/x/2");
    }
    assert!(scene.origin.requests().iter().all(|r| r.method == "GET"), "{:?}", scene.origin.requests());
    scene.is_clean("broken bodies");
}
