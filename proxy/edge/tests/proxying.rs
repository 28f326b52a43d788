//! What HTTP_PROXY passes on and back: targets, header fields of both profiles, forwarding fields, bodies, framing.
//! AWS's pages: "Set up HTTP integrations in API Gateway", "Important notes" (header remapping).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Answer, Gateway, Recorder, Request};

const PASSING: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "passing"
default_stage = "prod"
[[api]]
id = "passing"
[[api.resource]]
path = "/{proxy+}"
[api.resource.method.ANY.integration]
type = "HTTP_PROXY"
uri = "http://@ORIGIN@/{proxy}"
@MORE@
[api.stage.prod]
"#;

fn gateway(origin: &Recorder, top: &str, more: &str) -> Gateway {
    let text = PASSING.replace("@TOP@", top).replace("@MORE@", more);
    Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()))
}

/// What the origin gets from a GET with these lines.
fn passed(top: &str, more: &str, lines: &str) -> Request {
    let origin = Recorder::echoing();
    let gateway = gateway(&origin, top, more);
    assert_eq!(gateway.get_with("/x", lines).status, 200);
    origin.last()
}

/// What the client gets of these header lines.
fn returned(top: &str, lines: &'static str) -> support::Response {
    let origin = Recorder::start(move |_| Answer::status(200, lines, "body"));
    gateway(&origin, top, "").get("/x")
}

const AWS: &str = "profile = \"aws\"";

#[test]
fn the_edge_passes_fields_as_they_are() {
    let lines = "X-A: 1\r\nx-a:  two  words \r\nX-Empty:\r\nCookie: a=b; c=d\r\nAuthorization: Bearer x\r\n\
                 traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=b\r\n\
                 User-Agent: me/1\r\nAccept: text/html\r\nAccept-Encoding: zstd, br;q=0.3\r\nVia: 1.1 me\r\n\
                 Content-MD5: x\r\nIf-None-Match: \"e\"\r\nRange: bytes=0-1\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n";
    let request = passed("", "", lines);
    assert_eq!(request.values("x-a"), ["1", "two  words"]);
    assert_eq!(request.field("x-empty"), Some(""));
    for name in ["cookie", "authorization", "traceparent", "tracestate", "user-agent", "accept", "accept-encoding"] {
        let sent = lines.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        assert_eq!(request.field(name), sent.map(|(_, v)| v), "{name}");
    }
    for name in ["via", "content-md5", "if-none-match", "range", "x-amzn-trace-id"] {
        assert!(request.field(name).is_some(), "{name}");
    }
    let bare = passed("", "", "");
    for name in ["accept", "user-agent", "x-amzn-trace-id", "x-amzn-apigateway-api-id", "content-length"] {
        assert_eq!(bare.field(name), None, "the edge adds no {name}");
    }
}

#[test]
fn aws_drops_and_adds_its_own() {
    let lines = "Content-MD5: x\r\nMax-Forwards: 3\r\nServer: me\r\nWWW-Authenticate: Basic\r\nVia: 1.1 me\r\n\
                 Proxy-Authenticate: Basic\r\nContent-Encoding: gzip\r\nX-HTTP-Method-Override: PUT\r\nX-Kept: 1\r\n";
    let request = passed(AWS, "", lines);
    for name in ["content-md5", "max-forwards", "server", "www-authenticate", "via", "proxy-authenticate"] {
        assert_eq!(request.field(name), None, "{name}");
    }
    assert_eq!((request.field("content-encoding"), request.field("x-http-method-override")), (None, None));
    assert_eq!(request.field("x-kept"), Some("1"));
    assert_eq!(request.field("accept"), Some("application/json"));
    assert_eq!(request.field("user-agent"), Some("AmazonAPIGateway_passing"));
    assert_eq!(request.field("x-amzn-apigateway-api-id"), Some("passing"));
    let trace = request.field("x-amzn-trace-id").unwrap();
    assert!(trace.starts_with("Root=1-") && trace.len() == 7 + 8 + 1 + 24, "{trace}");
    let own = passed(
        AWS,
        "",
        "Accept: a/b\r\nUser-Agent: me\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n",
    );
    assert_eq!((own.field("accept"), own.field("user-agent")), (Some("a/b"), Some("me")));
    assert_eq!(own.field("x-amzn-trace-id"), Some("Root=1-67891233-abcdef012345678912345678"));
}

/// A signature for API Gateway is no business of the endpoint's; several fields of a name become one.
#[test]
fn aws_keeps_signatures_and_joins_fields() {
    let lines = "Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=b\r\nX-Many: 1\r\nX-Other: o\r\nx-many: 2,3\r\n\
                 X-MANY: 4\r\nCookie: a=1\r\nCookie: b=2\r\n";
    let request = passed(AWS, "", lines);
    assert_eq!(request.field("authorization"), None);
    assert_eq!((request.values("x-many"), request.values("x-other")), (vec!["1,2,3,4"], vec!["o"]));
    assert_eq!(request.values("cookie"), ["a=1; b=2"]);
    assert_eq!(passed(AWS, "", "Authorization: Bearer x\r\n").field("authorization"), Some("Bearer x"));
    let edge = passed("", "", lines);
    assert!(edge.field("authorization").is_some());
    assert_eq!(edge.values("x-many"), ["1", "2,3", "4"]);
}

/// What is left of the body that AWS does not send is no request.
#[test]
fn aws_sends_no_body_with_get_head_and_options() {
    let origin = Recorder::echoing();
    let (aws, edge) = (gateway(&origin, AWS, ""), gateway(&origin, "", ""));
    let lines = "Content-Length: 5\r\nContent-Type: text/plain\r\n";
    for method in ["GET", "OPTIONS", "HEAD"] {
        let mut client = aws.connect();
        let response = client.request(method, "/x", lines).send("hello").try_read(method == "HEAD").unwrap();
        assert_eq!(response.status, 200);
        let request = origin.last();
        assert_eq!((request.method.as_str(), request.body.as_slice()), (method, &b""[..]));
        for name in ["content-length", "transfer-encoding", "content-type"] {
            assert_eq!(request.field(name), None, "{name}");
        }
        assert!(response.closes() && client.is_closed());
        assert_eq!(
            edge.connect().request(method, "/x", lines).send("hello").try_read(method == "HEAD").unwrap().status,
            200
        );
        let request = origin.last();
        assert_eq!((request.body.as_slice(), request.field("content-type")), (&b"hello"[..], Some("text/plain")));
    }
    assert_eq!(aws.connect().request("POST", "/x", lines).send("hello").read().status, 200);
    assert_eq!(origin.last().body, b"hello");
    assert_eq!((origin.count(), origin.garbage().len()), (7, 0));
}

/// Programs behind CGI take it for their own proxy's address ("httpoxy").
#[test]
fn no_field_chooses_the_origin_s_proxy() {
    for top in ["", AWS] {
        assert_eq!(passed(top, "", "Proxy: http://evil.test\r\n").field("proxy"), None);
    }
}

/// AWS appends what is mapped; at the edge it takes the place of what the client has sent.
#[test]
fn a_mapped_query_parameter_is_appended_under_aws() {
    let origin = Recorder::echoing();
    let more = "request_parameters = { \"integration.request.querystring.a\" = \"'2'\", \
                \"integration.request.querystring.c\" = \"method.request.header.x-c\" }";
    for (top, seen, bare) in [(AWS, "/x?a=old&b=1&b=2&c=9&a=2", "/x?a=2"), ("", "/x?b=1&b=2&a=2", "/x?a=2")] {
        let gateway = gateway(&origin, top, more);
        assert_eq!(gateway.get("/x?a=old&b=1&b=2&c=9").text(), seen);
        assert_eq!(gateway.get("/x").text(), bare);
    }
}

/// An element without an address is none.
#[test]
fn an_empty_forwarding_field_of_a_trusted_proxy_is_not_appended_to() {
    let request = passed("trusted_proxies = [\"127.0.0.0/8\"]", "", "X-Forwarded-For:\r\nForwarded: \r\n");
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("forwarded"), Some("for=127.0.0.1;host=\"gateway.test\";proto=http"));
}

/// AWS wants them escaped; browsers send the first of them as it is.
#[test]
fn raw_braces_and_bars_in_a_query_are_refused_under_aws() {
    let origin = Recorder::echoing();
    let (aws, edge) = (gateway(&origin, AWS, ""), gateway(&origin, "", ""));
    for target in ["/x?a|b", "/x?a={b", "/x?}"] {
        let refused = aws.get(target);
        assert_eq!((refused.status, refused.text()), (400, r#"{"message":"Bad Request"}"#));
        assert_eq!(edge.get(target).text(), target);
    }
    assert_eq!(origin.count(), 3);
    for target in ["/x?%7C%7b", "/a|b"] {
        assert_eq!(aws.get(target).text(), target);
    }
}

#[test]
fn an_absolute_target_without_a_path_means_the_root() {
    let origin = Recorder::echoing();
    let text = PASSING.replace("@TOP@", "").replace("@MORE@", "").replace("/{proxy+}", "/").replace("/{proxy}", "/");
    let gateway = Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()));
    for (target, seen) in [
        ("http://gateway.test", "/"),
        ("HTTPS://gateway.test", "/"),
        ("http://gateway.test?x", "/?x"),
        ("http://gateway.test?", "/"),
        ("http://gateway.test/?x=/y", "/?x=/y"),
    ] {
        let mut client = gateway.connect();
        assert_eq!(client.get(target).text(), seen, "{target}");
        client.request("POST", target, "Content-Length: 2\r\n").send("ab");
        assert_eq!(client.read().text(), seen, "{target}, with a body");
    }
    for target in ["http://", "http://?x", "http://other.test", "http://gateway.test#x", "http:", "//gateway.test?"] {
        assert!(gateway.get(target).status >= 400, "{target}");
    }
    assert_eq!(origin.count(), 10);
}

#[test]
fn fields_of_the_connection_stay_behind() {
    for top in ["", AWS] {
        let lines = "TE: trailers\r\nTrailer: X-T\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
                     Proxy-Authorization: Basic x\r\nConnection: keep-alive\r\n";
        let request = passed(top, "", lines);
        for name in ["te", "trailer", "keep-alive", "proxy-connection", "proxy-authorization", "connection", "upgrade"]
        {
            assert_eq!(request.field(name), None, "{name} under {top}");
        }
    }
}

#[test]
fn the_origin_s_host_is_sent_unless_the_client_s_is_preserved() {
    let origin = Recorder::echoing();
    let plain = gateway(&origin, "", "");
    plain.get("/x");
    assert_eq!(origin.last().field("host"), Some(origin.address().to_string().as_str()));
    let preserving = gateway(&origin, "", "preserve_host = true");
    preserving.get("/x");
    assert_eq!(origin.last().field("host"), Some("gateway.test"));
}

#[test]
fn strangers_do_not_choose_the_forwarding_fields() {
    let lines = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n\
                 Forwarded: for=6.6.6.6;host=evil\r\n";
    let request = passed("", "", lines);
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(request.field("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(request.field("forwarded"), Some("for=127.0.0.1;host=\"gateway.test\";proto=http"));
    assert_eq!(request.field("x-forwarded-port"), None);
}

#[test]
fn trusted_proxies_are_believed_and_appended_to() {
    let lines = "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n\
                 X-Forwarded-Port: 443\r\nForwarded: for=192.0.2.1;proto=https\r\n";
    let request = passed("trusted_proxies = [\"127.0.0.0/8\"]", "", lines);
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.1, 10.0.0.1, 127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert_eq!(request.field("x-forwarded-host"), Some("shop.test"));
    assert_eq!(request.field("x-forwarded-port"), Some("443"));
    let hop = "for=127.0.0.1;host=\"gateway.test\";proto=http";
    assert_eq!(request.field("forwarded"), Some(format!("for=192.0.2.1;proto=https, {hop}").as_str()));
}

#[test]
fn targets_are_built_from_uri_variables_and_query() {
    let origin = Recorder::echoing();
    let text = r#"
[[listener]]
address = "@LISTEN@"
default_api = "a"
[[api]]
id = "a"
[[api.resource]]
path = "/users/{user}/files/{file+}"
[api.resource.method.GET.integration]
type = "HTTP_PROXY"
uri = "http://@ORIGIN@/${stageVariables.base}/{owner}?f={file}&v=1"
request_parameters = { "integration.request.path.owner" = "method.request.path.user" }
[[api.resource]]
path = "/bare"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@" }
[[api.resource]]
path = "/as-post"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/p", http_method = "POST" }
[api.stage.blue.variables]
base = "b/blue"
[api.stage.green.variables]
base = "g"
"#;
    let gateway = Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()));
    for (target, seen) in [
        ("/blue/users/u%20x/files/a/b", "/b/blue/u%20x?f=a/b&v=1"),
        ("/green/users/u/files/f?v=2&&x", "/g/u?f=f&v=1&v=2&&x"),
        ("/blue/bare", "/"),
        ("/blue/bare?a=%7B", "/?a=%7B"),
        ("/blue/bare?", "/"),
    ] {
        assert_eq!(gateway.get(target).text(), seen, "{target}");
    }
    gateway.get("/blue/as-post");
    assert_eq!((origin.last().method.as_str(), origin.last().target.as_str()), ("POST", "/p"));
}

#[test]
fn a_uri_without_its_stage_variable_is_an_internal_error() {
    let origin = Recorder::echoing();
    let text =
        PASSING.replace("@TOP@", AWS).replace("@MORE@", "").replace("http://@ORIGIN@/", "http://${stageVariables.no}/");
    let gateway = Gateway::start(&text);
    let response = gateway.get("/x");
    assert_eq!((response.status, response.text()), (500, r#"{"message": "Internal server error"}"#));
    assert_eq!(response.field("content-length"), Some("36"));
    assert_eq!(origin.connections(), 0);
}

#[test]
fn the_edge_returns_fields_as_they_are() {
    let lines = "Server: origin/1\r\nWWW-Authenticate: Basic\r\nVia: 1.1 o\r\nContent-Encoding: gzip\r\n\
                 Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd:\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\
                 x-amzn-RequestId: theirs\r\nETag: \"e\"\r\n";
    let response = returned("", lines);
    for (name, value) in
        [("server", "origin/1"), ("www-authenticate", "Basic"), ("via", "1.1 o"), ("content-encoding", "gzip")]
    {
        assert_eq!(response.field(name), Some(value));
    }
    assert_eq!(response.values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!((response.field("x-odd"), response.field("etag")), (Some(""), Some("\"e\"")));
    assert!(response.field("date").is_some_and(|d| !d.contains("2001")), "one Date, and ours");
    assert_ne!(response.field("x-amzn-requestid"), Some("theirs"));
    assert_eq!(response.field("x-amz-apigw-id"), None);
}

#[test]
fn aws_remaps_and_drops_what_comes_back() {
    let lines = "Server: origin/1\r\nWWW-Authenticate: Basic\r\nVia: 1.1 o\r\nContent-Encoding: gzip\r\n\
                 Date: Mon, 01 Jan 2001 00:00:00 GMT\r\nx-amzn-RequestId: theirs\r\nX-Kept: 1\r\n";
    let response = returned(AWS, lines);
    assert_eq!(response.field("x-amzn-remapped-server"), Some("origin/1"));
    assert_eq!(response.field("x-amzn-remapped-www-authenticate"), Some("Basic"));
    assert_eq!(response.field("x-amzn-remapped-date"), Some("Mon, 01 Jan 2001 00:00:00 GMT"));
    assert_eq!(response.field("x-amzn-remapped-x-amzn-requestid"), Some("theirs"));
    for name in ["server", "www-authenticate", "via", "content-encoding"] {
        assert_eq!(response.field(name), None, "{name}");
    }
    assert_eq!(response.field("x-kept"), Some("1"));
    assert_eq!(response.field("x-amz-apigw-id").map(str::len), Some(16));
}

#[test]
fn fields_of_the_origin_s_connection_stay_behind() {
    for top in ["", AWS] {
        let lines = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n\
                     Trailer: X-T\r\nX-Kept: 1\r\n";
        let response = returned(top, lines);
        for name in ["x-hop", "keep-alive", "proxy-authenticate", "trailer"] {
            assert_eq!(response.field(name), None, "{name} under {top}");
        }
        assert_eq!((response.field("connection"), response.field("x-kept")), (Some("keep-alive"), Some("1")));
    }
}

/// Each answer by its target, each followed by another request on the same connection of the client's.
#[test]
fn every_framing_of_an_answer_comes_through() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/length" => Answer::ok("twelve bytes"),
        "/chunks" => Answer::chunked("", &["one", "two", &"x".repeat(70_000)]),
        "/extensions" => {
            Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
        }
        "/close" => Answer::raw("HTTP/1.1 200 OK\r\n\r\nuntil the end").close(),
        "/old" => Answer::raw("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold"),
        "/empty" => Answer::ok(""),
        "/204" => Answer::raw("HTTP/1.1 204 None\r\n\r\n"),
        "/304" => Answer::raw("HTTP/1.1 304 Same\r\nContent-Length: 12\r\nETag: \"e\"\r\n\r\n"),
        "/early" => Answer::raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            .then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"),
        "/hints" => Answer::raw("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000))
            .then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"),
        "/pieces" => {
            Answer::raw("HTTP/1.1 20").then("1 Made\r\nContent-Len").then("gth: 4\r\n\r").then("\nma").then("de")
        }
        other => panic!("{other}"),
    });
    let gateway = gateway(&origin, "", "");
    let mut client = gateway.connect();
    let long = format!("onetwo{}", "x".repeat(70_000));
    for (target, status, body) in [
        ("/length", 200, "twelve bytes"),
        ("/chunks", 200, long.as_str()),
        ("/extensions", 200, "abc"),
        ("/close", 200, "until the end"),
        ("/old", 200, "old"),
        ("/empty", 200, ""),
        ("/204", 204, ""),
        ("/304", 304, ""),
        ("/early", 200, "late"),
        ("/hints", 200, "late"),
        ("/pieces", 201, "made"),
    ] {
        let response = client.get(target);
        assert_eq!((response.status, response.text()), (status, body), "{target}");
        assert!(!response.closes(), "{target}");
    }
    assert_eq!(origin.garbage(), Vec::<String>::new());
}

#[test]
fn head_brings_the_length_and_no_body() {
    let origin = Recorder::start(|request| match (request.method.as_str(), request.target.as_str()) {
        ("HEAD", "/chunks") => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", "/none") => Answer::raw("HTTP/1.1 200 OK\r\n\r\n"),
        ("HEAD", _) => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n"),
        _ => Answer::ok("body"),
    });
    let gateway = gateway(&origin, "", "");
    let mut client = gateway.connect();
    let head = client.request("HEAD", "/x", "").read_bodiless();
    assert_eq!((head.field("content-length"), head.field("x-a")), (Some("1234"), Some("b")));
    for target in ["/chunks", "/none"] {
        let head = client.request("HEAD", target, "").read_bodiless();
        assert_eq!((head.status, head.field("content-length")), (200, None));
    }
    assert_eq!(client.get("/x").text(), "body", "the connection is still in step");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn head_to_an_origin_that_is_asked_with_get_still_has_no_body() {
    let origin = Recorder::start(|_| Answer::chunked("", &["a body for nobody"]));
    let gateway = gateway(&origin, "", "http_method = \"GET\"");
    let mut client = gateway.connect();
    assert_eq!(client.request("HEAD", "/x", "").read_bodiless().status, 200);
    assert_eq!(client.get("/x").text(), "a body for nobody");
    assert_eq!(origin.last().method, "GET");
}

#[test]
fn any_status_of_the_origin_is_passed_back() {
    let origin = Recorder::start(|r| Answer::status(r.target[1..].parse().unwrap(), "Location: /else\r\n", "said"));
    let gateway = gateway(&origin, "", "");
    let mut client = gateway.connect();
    for status in [200, 201, 206, 301, 302, 307, 400, 401, 404, 418, 429, 500, 502, 503, 599] {
        let response = client.get(&format!("/{status}"));
        assert_eq!((response.status, response.text()), (status, "said"));
        assert_eq!(response.field("x-amzn-errortype"), None, "it is the origin's");
    }
}

#[test]
fn connections_to_the_origin_are_kept_and_those_that_it_ends_are_not() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/last" => Answer::status(200, "Connection: close\r\n", "x").close(),
        _ => Answer::ok("x"),
    });
    let gateway = gateway(&origin, "", "");
    for _ in 0..20 {
        gateway.get("/x");
    }
    assert_eq!(origin.connections(), 1);
    gateway.get("/last");
    gateway.get("/x");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn an_answer_with_more_behind_it_never_feeds_the_next_request() {
    let extra = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let origin = Recorder::start(move |request| match request.target.as_str() {
        "/length" => Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx{extra}")),
        "/chunks" => {
            Answer::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n{extra}"))
        }
        "/204" => Answer::raw(format!("HTTP/1.1 204 No\r\n\r\n{extra}")),
        _ => Answer::ok("clean"),
    });
    let gateway = gateway(&origin, "", "");
    let mut client = gateway.connect();
    for target in ["/length", "/chunks", "/204"] {
        client.get(target);
        assert_eq!(client.get("/next").text(), "clean", "after {target}");
    }
}

/// The verb that is meant routes and calls; the verb that was sent frames the answer.
#[test]
fn aws_lets_a_field_replace_the_verb() {
    let origin = Recorder::start(|request| match request.method.as_str() {
        "HEAD" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        method => Answer::ok(method),
    });
    let (aws, edge) = (gateway(&origin, AWS, ""), gateway(&origin, "", ""));
    let mut client = aws.connect();
    let mut meant = |sent: &str, verb: &str| {
        client.request(sent, "/x", &format!("X-HTTP-Method-Override: {verb}\r\n"));
        if sent == "HEAD" { client.read_bodiless() } else { client.read() }
    };
    assert_eq!(meant("GET", "PUT").text(), "PUT");
    assert_eq!(meant("POST", "HEAD").text(), "", "and the connection is still in step");
    assert_eq!(meant("HEAD", "GET").field("content-length"), Some("3"));
    assert_eq!(meant("POST", "BREW").status, 403);
    assert_eq!(meant("GET", "DELETE").text(), "DELETE");
    assert_eq!(edge.get_with("/x", "X-HTTP-Method-Override: PUT\r\n").text(), "GET");
}
