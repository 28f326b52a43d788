//! HTTP/1.1 messages read strictly from a stream, for both sides of the gateway.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// Start line and fields of a message.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Without its line end.
    pub start: String,
    /// Names as they came, values without blanks around them.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// All values of a field.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The value of a field that is there once or not at all.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() <= 1, "{name} is there {} times: {self:?}", values.len());
        values.first().copied()
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Length(usize),
    Chunked,
    Close,
}

/// A stream with what was read and not used.
pub struct Reader {
    pub stream: TcpStream,
    pub unused: Vec<u8>,
    /// Everything that came, up to a mebibyte.
    pub all: Arc<Mutex<Vec<u8>>>,
}

impl Reader {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, unused: Vec::new(), all: Arc::default() }
    }

    /// Reads once; `false` at the end.
    pub fn more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 64 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.unused.extend_from_slice(&piece[..count]);
        let mut all = self.all.lock().unwrap();
        if all.len() < 1 << 20 {
            all.extend_from_slice(&piece[..count]);
        }
        Ok(count > 0)
    }

    fn need(&mut self) -> io::Result<()> {
        if self.more()? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// A head; `None` when the stream ends before its first byte.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = self.unused.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more()? {
                return if self.unused.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        };
        let bytes: Vec<u8> = self.unused.drain(..end).collect();
        parse_head(&bytes).map(Some).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("{bytes:?}")))
    }

    /// A body to its end. What came of it before an error is in `body`.
    pub fn body(&mut self, end: End, body: &mut Vec<u8>) -> io::Result<()> {
        match end {
            End::Length(length) => self.exactly(length, body),
            End::Chunked => self.chunks(body),
            End::Close => loop {
                body.append(&mut self.unused);
                if !self.more()? {
                    return Ok(());
                }
            },
        }
    }

    fn exactly(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = length;
        while rest > 0 {
            if self.unused.is_empty() {
                self.need()?;
            }
            let count = rest.min(self.unused.len());
            body.extend(self.unused.drain(..count));
            rest -= count;
        }
        Ok(())
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let bad = || io::Error::new(ErrorKind::InvalidData, format!("chunk size {line:?}"));
            let size = usize::from_str_radix(&line, 16).map_err(|_| bad())?;
            self.exactly(size, body)?;
            if !self.line()?.is_empty() {
                return Err(bad());
            }
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unused.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.unused.drain(..at + 2).take(at).collect();
                return String::from_utf8(line).map_err(|_| ErrorKind::InvalidData.into());
            }
            self.need()?;
        }
    }
}

fn parse_head(bytes: &[u8]) -> Option<Head> {
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
    let start = lines.next()?.to_owned();
    let clean = |t: &str| !t.contains(['\r', '\n', '\0']);
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').filter(|(n, v)| !n.is_empty() && !n.contains(' ') && clean(v))?;
        fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    clean(&start).then_some(Head { start, fields })
}

/// How the body behind these fields ends; `None` where they leave it open. Doubtful framing is an error.
pub fn framing(head: &Head) -> io::Result<Option<End>> {
    let doubtful = || io::Error::new(ErrorKind::InvalidData, format!("doubtful framing: {head:?}"));
    match (&head.values("content-length")[..], &head.values("transfer-encoding")[..]) {
        ([], []) => Ok(None),
        ([length], []) => length.parse().map(|n| Some(End::Length(n))).map_err(|_| doubtful()),
        ([], ["chunked"]) => Ok(Some(End::Chunked)),
        _ => Err(doubtful()),
    }
}
