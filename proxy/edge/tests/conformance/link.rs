//! A client's connection, whatever it speaks: requests go out in the way's form, answers come back in one form.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::support::{Client, PATIENCE};
use super::way::{Before, Protocol, Way};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) verb: &'static str,
    pub(super) host: String,
    pub(super) target: String,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// A request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    /// Its length is stated.
    Sized(Vec<u8>),
    /// Its length is not.
    Streamed(Vec<u8>),
    /// A length is stated, and nothing follows.
    Claimed(u64),
}

/// An answer, in the words of no protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    /// 0 if there was none.
    pub(super) status: u16,
    /// As they were written; HTTP/2 has no case.
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// It came to its end.
    pub(super) whole: bool,
}

impl Answered {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The connection ends with it: said so, or broken.
    pub(super) fn closes(&self) -> bool {
        !self.whole || self.field("connection") == Some("close")
    }
}

/// A connection.
pub(super) struct Link {
    way: Way,
    speech: Speech,
}

enum Speech {
    Http1 { client: Client, bodiless: VecDeque<bool> },
    Http2 { requests: SendRequest<Bytes>, answers: VecDeque<JoinHandle<Answered>>, came: Came },
}

/// All bodies of a connection so far.
type Came = Arc<Mutex<Vec<u8>>>;

/// Connections of HTTP/2 live here, read or not.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A request to an API of its own, which comes before others.
const FIRST: &str = "GET /prod/first HTTP/1.1\r\nHost: first.execute-api.test\r\n\r\n";

impl Link {
    /// Connects to the door, which under TLS is a bridge that also sends the PROXY header.
    pub(super) fn open(way: Way, door: SocketAddr) -> Self {
        let mut client = Client::connect(door);
        if let Some(proxy) = way.proxy.filter(|_| !way.tls) {
            client.send(proxy.header());
        }
        let speech = match way.protocol {
            Protocol::Http2 => {
                let requests = RUNTIME.block_on(handshake(client.stream().try_clone().unwrap()));
                Speech::Http2 { requests, answers: VecDeque::new(), came: Arc::default() }
            }
            _ => Speech::Http1 { client, bodiless: VecDeque::new() },
        };
        Self { way, speech }
    }

    /// Sends a request.
    pub(super) fn send(&mut self, ask: &Ask) {
        match &mut self.speech {
            Speech::Http1 { client, bodiless } => {
                bodiless.push_back(ask.verb == "HEAD");
                let request = http1(self.way, ask);
                match self.way.before {
                    Before::Nothing => client.send(request),
                    Before::Answered => {
                        client.send(FIRST);
                        assert_eq!(client.read().text(), "first");
                        client.send(request)
                    }
                    Before::Pipelined => client.send([FIRST.as_bytes(), &request].concat()),
                };
            }
            Speech::Http2 { requests, answers, came } => {
                let asked = http2(requests.clone(), http2_head(self.way, ask), ask.body.clone(), came.clone());
                answers.push_back(RUNTIME.spawn(asked));
            }
        }
    }

    /// The answer to the first request that has none yet.
    pub(super) fn receive(&mut self) -> Answered {
        match &mut self.speech {
            Speech::Http1 { client, bodiless } => {
                if self.way.before == Before::Pipelined {
                    assert_eq!(client.read().text(), "first");
                }
                receive_http1(client, bodiless.pop_front().unwrap())
            }
            Speech::Http2 { answers, .. } => {
                let answer = answers.pop_front().unwrap();
                RUNTIME.block_on(async { tokio::time::timeout(PATIENCE, answer).await }).unwrap().unwrap()
            }
        }
    }

    /// This much of a body has come. Asked again and again.
    pub(super) fn shows(&mut self, piece: &[u8]) -> bool {
        let has = |bytes: &[u8]| bytes.windows(piece.len()).any(|w| w == piece);
        match &mut self.speech {
            Speech::Http1 { client, .. } => {
                if !has(&client.reader().unused) {
                    assert!(client.reader().more().unwrap(), "the connection ends before that");
                }
                has(&client.reader().unused)
            }
            Speech::Http2 { came, .. } => has(&came.lock().unwrap()),
        }
    }

    /// The connection has ended. HTTP/2's has not to.
    pub(super) fn is_closed(&mut self) -> bool {
        match &mut self.speech {
            Speech::Http1 { client, .. } => client.is_closed(),
            Speech::Http2 { .. } => true,
        }
    }
}

fn http1(way: Way, ask: &Ask) -> Vec<u8> {
    let (version, line) = match way.protocol {
        Protocol::Http10 => ("1.0", "Connection: keep-alive\r\n"),
        Protocol::Session(line) => ("1.1", line),
        _ => ("1.1", ""),
    };
    let mut head = format!("{} {} HTTP/{version}\r\nHost: {}\r\n{line}", ask.verb, ask.target, ask.host);
    ask.fields.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    let (line, body) = match &ask.body {
        Body::None => (String::new(), Vec::new()),
        Body::Sized(body) => (format!("Content-Length: {}\r\n", body.len()), body.clone()),
        Body::Claimed(length) => (format!("Content-Length: {length}\r\n"), Vec::new()),
        Body::Streamed(body) => {
            let size = format!("{:x}\r\n", body.len()).into_bytes();
            let chunk = if body.is_empty() { Vec::new() } else { [&size, &body[..], b"\r\n"].concat() };
            ("Transfer-Encoding: chunked\r\n".into(), [&chunk, &b"0\r\n\r\n"[..]].concat())
        }
    };
    [head.as_bytes(), line.as_bytes(), b"\r\n", &body].concat()
}

fn receive_http1(client: &mut Client, bodiless: bool) -> Answered {
    loop {
        let (response, whole) = match client.try_read(bodiless) {
            Ok(response) if response.status == 100 => continue,
            Ok(response) => (response, true),
            Err(broken) => (broken.response.unwrap_or_default(), false),
        };
        return Answered { status: response.status, fields: response.head.fields, body: response.body, whole };
    }
}

async fn handshake(stream: std::net::TcpStream) -> SendRequest<Bytes> {
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
    let (requests, connection) = builder.handshake(stream).await.unwrap();
    tokio::spawn(connection);
    requests
}

fn http2_head(way: Way, ask: &Ask) -> http::Request<()> {
    let uri = format!("{}://{}{}", way.scheme(), ask.host, ask.target);
    let mut request = http::Request::builder().method(ask.verb).uri(uri);
    for (name, value) in &ask.fields {
        request = request.header(*name, value);
    }
    match &ask.body {
        Body::Sized(body) => request = request.header("content-length", body.len()),
        Body::Claimed(length) => request = request.header("content-length", *length),
        Body::None | Body::Streamed(_) => {}
    }
    request.body(()).unwrap()
}

async fn http2(requests: SendRequest<Bytes>, head: http::Request<()>, body: Body, came: Came) -> Answered {
    let Ok(mut requests) = requests.ready().await else { return Answered::default() };
    let Ok((answer, mut stream)) = requests.send_request(head, body == Body::None) else { return Answered::default() };
    if let Body::Sized(body) | Body::Streamed(body) = body {
        let _ = stream.send_data(body.into(), true);
    }
    let answered = match answer.await {
        Ok(response) => read(response, &came).await,
        Err(_) => Answered::default(),
    };
    // A claimed body is waited for until then.
    drop(stream);
    answered
}

async fn read(response: http::Response<RecvStream>, came: &Came) -> Answered {
    let (head, mut stream) = response.into_parts();
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let mut answered = Answered { status: head.status.as_u16(), ..Answered::default() };
    answered.fields = head.headers.iter().map(field).collect();
    while let Some(piece) = stream.data().await {
        let Ok(piece) = piece else { return answered };
        answered.body.extend_from_slice(&piece);
        came.lock().unwrap().extend_from_slice(&piece);
        let _ = stream.flow_control().release_capacity(piece.len());
    }
    answered.whole = true;
    answered
}
