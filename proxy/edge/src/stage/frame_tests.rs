use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    head_size: 1_024,
    header_count: 20,
    body_size: 0,
    connections_per_address: None,
    requests_per_connection: None,
};

fn framed(text: &str) -> Framed {
    let mut head = Head::new(Cow::Borrowed(text.as_bytes()), Version::Http11);
    read(text.as_bytes(), &LIMITS, &mut head)
}

#[test]
fn a_plain_get_goes_through_the_lane() {
    let text = "GET /a%20b/?x=1&y HTTP/1.1\r\nHost: Example.com:80\r\nX-A:  b \r\nConnection: keep-alive\r\n\r\nGET";
    let mut head = Head::new(Cow::Borrowed(text.as_bytes()), Version::Http11);
    assert_eq!(read(text.as_bytes(), &LIMITS, &mut head), Framed::Lane(text.len() - 3));
    assert_eq!((head.path(), head.query()), (&b"/a%20b/"[..], Some(&b"x=1&y"[..])));
    assert_eq!(head.host(), b"Example.com:80");
    assert_eq!(head.value_named(b"x-a"), Some(&b"b"[..]));
    assert!(!head.close && !head.has_body);
    assert!(matches!(framed(&text[..40]), Framed::Partial));
}

#[test]
fn bodies_and_odd_requests_go_to_the_session() {
    for text in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Secret\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ] {
        assert_eq!(framed(text), Framed::Session, "{text}");
    }
}

#[test]
fn an_absolute_target_must_name_the_host() {
    assert!(matches!(framed("GET http://A.com/x?y HTTP/1.1\r\nHost: a.com\r\n\r\n"), Framed::Lane(_)));
    let other = framed("GET http://b.com/ HTTP/1.1\r\nHost: a.com\r\n\r\n");
    assert_eq!(other, Framed::Refused(Refusal::Host));
}

#[test]
fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
    for good in ["a", "a_b-c.1", "a.", "a:0", "a:65535", "a:", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443", "[::1]:"]
    {
        assert_eq!(check_host(good.as_bytes()), Ok(()), "{good}");
    }
    let long = "a".repeat(256);
    for bad in [
        "",
        ":",
        ":80",
        "a:65536",
        "a:99999",
        "a:-1",
        "a:8x",
        "a:80:80",
        "a:b",
        "::1",
        "a[b]",
        "[a]",
        "[::1",
        "[::1]x",
        "[]",
        "[::1]:99999",
        "[127.0.0.1]",
        "a b",
        &long,
    ] {
        assert_eq!(check_host(bad.as_bytes()), Err(Refusal::Host), "{bad}");
    }
}

#[test]
fn what_two_parties_could_read_differently_is_refused() {
    use Refusal::*;
    for (refusal, text) in [
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (BodyFraming, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (TransferCoding, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        (TransferCoding, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        (Malformed, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"),
        (Malformed, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n"),
        (Malformed, "GET / HTTP/1.1\nHost: a\n\n"),
        (Malformed, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        (Malformed, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"),
        (Malformed, "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        (Malformed, "\x16\x03\x01\x02\x00\x01\x00"),
        (Version, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        (Host, "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"),
        (Target, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /?a=%2 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /. HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a/..%2fb HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a%5C%2e.%5cb HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a/..;x=1/b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "GET /?<e> HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Target, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Expectation, "GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n"),
    ] {
        assert_eq!(framed(text), Framed::Refused(refusal), "{text:?}");
    }
}

#[test]
fn dots_inside_names_are_no_segments() {
    for path in ["/.well-known/a..b/...", "/a%2Fb", "/..a%2f.b;x=..", "/%252e%252e/", "/a?x=/../"] {
        let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(framed(&text), Framed::Lane(_)), "{path}");
    }
}

#[test]
fn sizes_are_held() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1_100));
    assert_eq!(framed(&long), Framed::Refused(Refusal::HeadTooLarge));
    assert_eq!(framed(&long[..1_100]), Framed::Refused(Refusal::HeadTooLarge));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(20));
    assert_eq!(framed(&many), Framed::Refused(Refusal::TooManyFields));
    let more = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(128));
    assert_eq!(framed(&more), Framed::Refused(Refusal::TooManyFields));
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut head = Head::new(Cow::Borrowed(&bytes), Version::Http11);
        let _ = read(&bytes, &LIMITS, &mut head);
    }

    #[test]
    fn a_prefix_of_a_good_head_is_only_partial(cut in 0usize..60) {
        let text = "GET /pets/1?view=full HTTP/1.1\r\nHost: example.com\r\nA: b\r\n\r\n";
        prop_assert_eq!(framed(&text[..cut.min(text.len() - 1)]), Framed::Partial);
    }

    #[test]
    fn a_plain_head_reads_the_same_however_it_is_read(
        (line, fields, more) in (request_line(), prop::collection::vec(field_line(), 0..5), prop::collection::vec(field_line(), 0..3)),
        (odd, at) in (any::<u8>(), 0usize..800),
    ) {
        let text = [line, &fields.concat(), "Host: example.com:8080\r\n", &more.concat(), "\r\n"].concat();
        let mut bytes = text.into_bytes();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = odd;
        }
        let mut quick = Head::new(Cow::Borrowed(&bytes), Version::Http11);
        if let Some(len) = plain::read(&bytes, &LIMITS, &mut quick) {
            let mut thorough = Head::new(Cow::Borrowed(&bytes), Version::Http11);
            prop_assert_eq!(read_thoroughly(&bytes, &LIMITS, &mut thorough), Framed::Lane(len));
            prop_assert_eq!(format!("{quick:?}"), format!("{thorough:?}"));
        }
    }
}

fn request_line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "GET /.well-known/a HTTP/1.1\r\n",
        "GET /a%20b HTTP/1.1\r\n",
        "HEAD /a/b?c=d&e HTTP/1.1\r\n",
        "GET /a?b=/../c HTTP/1.1\r\n",
        "GET /a HTTP/1.0\r\n",
    ])
}

/// Most of them plain.
fn field_line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "User-Agent: curl/8.5.0 (x86_64)\r\n",
        "Accept: */*\r\n",
        "Connection: keep-alive\r\n",
        "connection: Close\r\n",
        "Cache-Control: max-age=0\r\n",
        "X: \u{e9}\r\n",
        "Content-Length: 0\r\n",
        "Host: a\r\n",
        "Y:  z\r\n",
        "Z: z \r\n",
        "Empty:\r\n",
    ]);
    prop_oneof![4 => known.prop_map(String::from), 2 => "[!-9;-~]{1,9}: [ -~]{1,20}\r\n"]
}

#[test]
fn the_usual_requests_are_plain() {
    for text in [
        "GET /pets/1?view=full HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\nGET",
        "HEAD / HTTP/1.1\r\nhost: a\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    ] {
        let (mut quick, mut thorough) =
            [(); 2].map(|()| Head::new(Cow::Borrowed(text.as_bytes()), Version::Http11)).into();
        let len = plain::read(text.as_bytes(), &LIMITS, &mut quick).unwrap();
        assert_eq!(read_thoroughly(text.as_bytes(), &LIMITS, &mut thorough), Framed::Lane(len));
        assert_eq!(format!("{quick:?}"), format!("{thorough:?}"));
    }
}
