//! A client that sends what it is told, byte by byte, and reads answers strictly.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Deref;

use super::PATIENCE;
use super::wire::{End, Head, Reader, framing};

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Status line and fields.
    pub head: Head,
    /// Without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The connection ends with this answer.
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl Deref for Response {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

/// An answer that did not come whole.
#[derive(Debug)]
pub struct Broken {
    /// Its head, if that much came, and the body so far.
    pub response: Option<Response>,
    /// How it broke.
    pub error: io::Error,
}

/// One connection to the gateway.
pub struct Client {
    reader: Reader,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Over a connection that is there.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: Reader::new(stream) }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.reader.stream
    }

    /// What has come and what will.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Sends bytes as they are. That the gateway has already closed is no failure here: reading will show it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = self.reader.stream.write_all(bytes.as_ref()) {
            let closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            assert!(closed, "{error}");
        }
        self
    }

    /// Nothing more will be sent.
    pub fn end(&mut self) -> &mut Self {
        let _ = self.reader.stream.shutdown(Shutdown::Write);
        self
    }

    /// Sends a request without a body.
    pub fn request(&mut self, method: &str, target: &str, lines: &str) -> &mut Self {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n"))
    }

    /// GET, and its answer.
    pub fn get(&mut self, target: &str) -> Response {
        self.get_with(target, "")
    }

    /// The same with further header lines, each with its line end.
    pub fn get_with(&mut self, target: &str, lines: &str) -> Response {
        self.request("GET", target, lines).read()
    }

    /// The next answer.
    pub fn read(&mut self) -> Response {
        self.try_read(false).unwrap_or_else(|broken| panic!("no whole answer: {broken:?}"))
    }

    /// The next answer, to a HEAD request.
    pub fn read_bodiless(&mut self) -> Response {
        self.try_read(true).unwrap_or_else(|broken| panic!("no whole answer: {broken:?}"))
    }

    /// The next answer, or how it broke off.
    pub fn try_read(&mut self, bodiless: bool) -> Result<Response, Broken> {
        let head = match self.reader.head() {
            Ok(Some(head)) => head,
            Ok(None) => return Err(Broken { response: None, error: ErrorKind::UnexpectedEof.into() }),
            Err(error) => return Err(Broken { response: None, error }),
        };
        let status = head.start.strip_prefix("HTTP/1.1 ").and_then(|r| r.get(..3)).and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("a strange status line: {head:?}"));
        let end = framing(&head).unwrap_or_else(|error| panic!("{error}"));
        let mut response = Response { status, head, body: Vec::new() };
        if bodiless || matches!(status, 100..200 | 204 | 304) {
            return Ok(response);
        }
        match self.reader.body(end.unwrap_or(End::Close), &mut response.body) {
            Ok(()) => Ok(response),
            Err(error) => Err(Broken { response: Some(response), error }),
        }
    }

    /// The gateway closes the connection, and nothing comes before that.
    pub fn is_closed(&mut self) -> bool {
        if !self.reader.unused.is_empty() {
            return false;
        }
        match self.reader.more() {
            Ok(more) => !more,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// All answers until the gateway closes the connection, the first ones to requests that may have had a body.
    pub fn read_all(&mut self) -> Vec<Response> {
        let mut responses = Vec::new();
        loop {
            match self.try_read(false) {
                Ok(response) => responses.push(response),
                Err(Broken { response: None, error }) if ends(&error) => return responses,
                Err(broken) => panic!("after {responses:?}: {broken:?}"),
            }
        }
    }
}

fn ends(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}
