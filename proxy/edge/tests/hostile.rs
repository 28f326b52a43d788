//! Hostile requests over HTTP/1.1, in clear text, behind a PROXY header and under TLS, and over HTTP/2: each gets the right
//! refusal or a closed connection, and the origin never sees a request that was smuggled in.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "hostile/framing.rs"]
mod framing;
#[path = "hostile/http2.rs"]
mod http2;
#[path = "hostile/pipelines.rs"]
mod pipelines;
#[path = "hostile/sizes.rs"]
mod sizes;
#[path = "hostile/slowness.rs"]
mod slowness;
mod support;

use std::net::SocketAddr;

use support::{Client, Gateway, Recorder, Response, tls};

/// Only `/x` and below leads to the origin; a request for `/smuggled` gets there only inside of another one.
const HOSTILE: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "hostile"
default_stage = "prod"
@LISTENER@
[[api]]
id = "hostile"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[[api.resource]]
path = "/x"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/x" }
[[api.resource]]
path = "/x/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/x/{proxy}" }
[api.stage.prod]
"#;

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// How connections come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    ProxyHeader,
    Tls,
}

const WAYS: [Way; 3] = [Way::Plain, Way::ProxyHeader, Way::Tls];

/// A gateway before a recording origin.
struct Scene {
    origin: Recorder,
    gateway: Gateway,
    way: Way,
    /// Where clients connect.
    door: SocketAddr,
    /// Where clients of HTTP/2 connect.
    http2_door: SocketAddr,
}

impl Scene {
    fn new(top: &str) -> Self {
        Self::by(Way::Plain, top)
    }

    fn by(way: Way, top: &str) -> Self {
        let origin = Recorder::echoing();
        let directory = tempfile::tempdir().unwrap();
        let certificate = tls::certificate(directory.path());
        let listener = match way {
            Way::Plain => "",
            Way::ProxyHeader => "proxy_protocol = true",
            Way::Tls => "tls = { certificate = \"chain.pem\", private_key = \"key.pem\" }",
        };
        let text = HOSTILE.replace("@TOP@", top).replace("@LISTENER@", listener);
        let gateway = Gateway::start_in(directory, &text.replace("@ORIGIN@", &origin.address().to_string()));
        let door = match way {
            Way::Tls => tls::bridge(gateway.address(), &certificate),
            _ => gateway.address(),
        };
        let http2_door = match way {
            Way::Tls => tls::bridge_speaking(gateway.address(), &certificate, &["h2"], b""),
            _ => gateway.address(),
        };
        Self { origin, gateway, way, door, http2_door }
    }

    fn connect(&self) -> Client {
        let mut client = Client::connect(self.door);
        if self.way == Way::ProxyHeader {
            client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n");
        }
        client
    }

    /// Nothing that was hidden in another request has come out at the origin, nor anything that is no request.
    fn is_clean(&mut self, after: &str) {
        let requests = self.origin.requests();
        assert!(requests.iter().all(|r| !r.target.contains("smuggled")), "{after:?}: {requests:?}");
        assert!(self.gateway.is_alive(), "{after:?}");
        assert!(!self.gateway.log().contains("panicked"), "{after:?}: {}", self.gateway.log());
    }
}

/// Sends it at once and in single bytes; each time the answer is a refusal of this status, then the connection ends, and
/// nothing has come to the origin.
fn is_refused(scene: &mut Scene, status: u16, request: impl AsRef<[u8]>) {
    let request = request.as_ref();
    let shown = String::from_utf8_lossy(request.get(..200).unwrap_or(request)).into_owned();
    for pieces in [request.len(), 1] {
        let mut client = scene.connect();
        request.chunks(pieces).for_each(|piece| {
            client.send(piece);
        });
        client.send(SMUGGLED);
        let response = client.try_read(false).unwrap_or_else(|b| panic!("{shown:?}: {b:?}"));
        assert_eq!(response.status, status, "{shown:?}: {response:?}");
        is_a_plain_refusal(&response);
        assert!(response.closes() && client.is_closed(), "{shown:?} leaves the connection open");
    }
    assert_eq!(scene.origin.requests().len(), 0, "{shown:?}");
    assert!(scene.origin.bytes().is_empty(), "{shown:?}");
    scene.is_clean(&shown);
}

fn is_a_plain_refusal(response: &Response) {
    assert_eq!(response.field("content-type"), Some("application/json"), "{response:?}");
    assert!(response.text().starts_with("{\"message\":"), "{response:?}");
    assert!(!response.text().contains("smuggled") && !response.text().contains("evil"), "nothing is echoed");
}
