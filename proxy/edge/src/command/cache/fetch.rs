//! One request over HTTP/1.1, and its whole answer: what the commands need of a client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::integration::http::client_config;

/// Bytes of a head at most.
const HEAD: usize = 64 * 1024;

/// Fields of a head at most.
const FIELDS: usize = 128;

/// What a chunked body ends with.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// An answer whose connection has ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Left out where only its end matters.
    pub(super) body: Vec<u8>,
    /// What the gateway says of its cache.
    pub(super) cache_status: Option<String>,
}

impl Answer {
    /// Reads all that came before the end of a connection.
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let (head, body) = bytes.split_at(head_end(bytes).context("the connection ended before the answer")?);
        Ok(Self { body: body.to_vec(), ..Self::whole(head, body.len(), body)? })
    }

    /// A head, and how much came after it up to these last bytes.
    fn whole(head: &[u8], length: usize, last: &[u8]) -> anyhow::Result<Self> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(head).context("the answer is not HTTP")?;
        let of = |name: &str| parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let text = |name: &str| of(name).map(|field| String::from_utf8_lossy(field.value).into_owned());
        let stated: Option<usize> = text("content-length").and_then(|value| value.parse().ok());
        let is_cut = stated.is_some_and(|stated| stated > length)
            || of("transfer-encoding").is_some() && !last.ends_with(LAST_CHUNK);
        anyhow::ensure!(!is_cut, "the connection ended before the whole answer");
        Ok(Self { status: parsed.code.unwrap_or_default(), body: Vec::new(), cache_status: text("cache-status") })
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// How to reach the gateway.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) address: SocketAddr,
    /// To speak TLS; the name is that of each URL.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// To connect, and between two reads or writes.
    pub(super) patience: Duration,
}

impl Way {
    /// Over TLS, trusting this file's authorities or the system's.
    pub(super) fn tls(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
        Ok(client_config(ca_file, false)?)
    }

    /// Gets a target of a host. Of the body only its end matters.
    pub(super) fn get(&self, host: &str, target: &str, fields: &str) -> anyhow::Result<Answer> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n");
        let tcp = TcpStream::connect_timeout(&self.address, self.patience).context(self.address)?;
        tcp.set_read_timeout(Some(self.patience))?;
        tcp.set_write_timeout(Some(self.patience))?;
        let Some(tls) = &self.tls else { return exchange(tcp, &request) };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']).to_owned();
        let connection = ClientConnection::new(tls.clone(), ServerName::try_from(name)?)?;
        exchange(StreamOwned::new(connection, tcp), &request)
    }
}

/// The head is kept, the body only read.
fn exchange(mut stream: impl Read + Write, request: &str) -> anyhow::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (mut kept, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    let end = loop {
        match head_end(&kept) {
            Some(end) => break end,
            None if kept.len() > HEAD => bail!("the head of the answer is too long"),
            None => {}
        }
        let count = read(&mut stream, &mut piece)?;
        anyhow::ensure!(count > 0, "the connection ended before the answer");
        kept.extend_from_slice(piece.get(..count).unwrap_or_default());
    };
    let mut last = kept.split_off(end);
    let mut length = last.len();
    loop {
        let count = read(&mut stream, &mut piece)?;
        if count == 0 {
            return Answer::whole(&kept, length, &last);
        }
        length += count;
        last.extend_from_slice(piece.get(..count).unwrap_or_default());
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
    }
}

/// A peer that ends TLS without saying so has ended all the same; whether the answer is whole is seen by its length.
fn read(stream: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    match stream.read(piece) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_an_error() {
        let whole = Answer::read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Status: x\r\n\r\nok").unwrap();
        assert_eq!((whole.status, &whole.body[..], whole.cache_status.as_deref()), (200, &b"ok"[..], Some("x")));
        for cut in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            b"HTTP/1.1 200",
            b"nonsense\r\n\r\n",
        ] {
            assert!(Answer::read(cut).is_err(), "{}", String::from_utf8_lossy(cut));
        }
    }
}
