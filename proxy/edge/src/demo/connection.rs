//! One connection of the demo origin: request after request, pipelined ones answered with one write.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{self, Body};
use super::counter::Counter;
use super::pattern::{self, BLOCK_SIZE};
use super::request::{Errand, Framing, Request};
use super::wish::{Failure, Wish};

/// Bytes asked for with one read.
const READ_SIZE: usize = 8 * 1024;
/// The longest request head, chunk line or trailer.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long a client may take to notice that the connection is closed.
const LINGER: Duration = Duration::from_secs(2);
/// The longest body that `/echo` returns.
const ECHO_LIMIT: usize = 1024 * 1024;

/// Serves a connection until either side closes it.
pub(super) async fn serve(stream: TcpStream, counter: Arc<Counter>) {
    let mut connection = Connection { stream, counter, input: BytesMut::new(), output: Vec::new() };
    // A client that goes away in the middle is none of our business.
    let _ = connection.converse().await;
}

/// Whether the connection goes on after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    Next,
    Close,
}

struct Connection {
    stream: TcpStream,
    counter: Arc<Counter>,
    input: BytesMut,
    /// Answers that wait until more input is needed; at most a block and a head beyond what one read asked for.
    output: Vec<u8>,
}

impl Connection {
    async fn converse(&mut self) -> io::Result<()> {
        while let Some(request) = self.next().await? {
            if self.answer(request).await? == Then::Close {
                self.flush().await?;
                return self.part().await;
            }
            if self.output.len() >= BLOCK_SIZE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// The next request; none when the client has closed between two.
    async fn next(&mut self) -> io::Result<Option<Request>> {
        loop {
            match Request::parse(&self.input) {
                Ok(Some((request, length))) => {
                    self.input.advance(length);
                    return Ok(Some(request));
                }
                Ok(None) if self.input.len() < HEAD_LIMIT => {}
                Ok(None) | Err(_) => return self.refuse().await.map(|()| None),
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn refuse(&mut self) -> io::Result<()> {
        answer::text(&mut self.output, 400, "text/plain", "not a request\n", false, true);
        self.flush().await?;
        self.part().await
    }

    async fn answer(&mut self, request: Request) -> io::Result<Then> {
        let (head_only, close) = (request.head_only, request.close);
        let body = self.receive(&request).await?;
        if !matches!(request.errand, Errand::Count | Errand::Reset) {
            self.counter.add_one();
        }
        let count = self.counter.count();
        let mut text = |code, kind, body: &str| answer::text(&mut self.output, code, kind, body, head_only, close);
        match request.errand {
            Errand::Answer(wish) => return self.grant(&wish, head_only, close).await,
            Errand::Count => text(200, "text/plain", &count.to_string()),
            Errand::Bad(reason) => text(400, "text/plain", reason),
            Errand::Echo(mut echo) => {
                if let Some(fields) = echo.as_object_mut() {
                    fields.insert("body".to_owned(), String::from_utf8_lossy(&body).into());
                }
                text(200, "application/json", &echo.to_string());
            }
            Errand::Reset => {
                text(200, "text/plain", "0");
                self.counter.reset();
            }
        }
        Ok(if close { Then::Close } else { Then::Next })
    }

    async fn grant(&mut self, wish: &Wish, head_only: bool, close: bool) -> io::Result<Then> {
        if wish.delay > Duration::ZERO {
            self.flush().await?;
            tokio::time::sleep(wish.delay).await;
        }
        match wish.failure {
            Some(Failure::Reset) => return self.reset().await,
            Some(Failure::Garbage) => {
                self.output.extend_from_slice(b"\0this is not HTTP\r\n\r\n");
                return Ok(Then::Close);
            }
            Some(Failure::Truncate) | None => {}
        }
        let close = close || wish.close;
        let body = answer::head(&mut self.output, wish, close);
        if !head_only {
            self.send(body, wish.failure == Some(Failure::Truncate)).await?;
        }
        Ok(if close || wish.failure.is_some() { Then::Close } else { Then::Next })
    }

    async fn reset(&mut self) -> io::Result<Then> {
        self.output.clear();
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    async fn send(&mut self, body: Body, half: bool) -> io::Result<()> {
        let mut left = if half { body.size / 2 } else { body.size };
        while left > 0 {
            left -= self.append_piece(body, left) as u64;
            if self.output.len() >= BLOCK_SIZE {
                self.flush().await?;
            }
        }
        if body.chunked && !half {
            self.output.extend_from_slice(b"0\r\n\r\n");
        }
        Ok(())
    }

    fn append_piece(&mut self, body: Body, left: u64) -> usize {
        let out = &mut self.output;
        let piece = pattern::piece(left);
        let size = if body.json { usize::try_from(left).unwrap_or(answer::BODY_SIZE) } else { piece.len() };
        if body.chunked {
            answer::chunk_size(out, size);
        }
        if body.json {
            let start = out.len();
            answer::json_body(out);
            out.truncate(start + size);
        } else {
            out.extend_from_slice(piece);
        }
        if body.chunked {
            out.extend_from_slice(b"\r\n");
        }
        size
    }

    /// Reads the request's body to its end; keeps it for `/echo` only, and no more than its limit.
    async fn receive(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let mut kept = Vec::new();
        if !request.has_body() {
            return Ok(kept);
        }
        if request.expects {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let limit = if matches!(request.errand, Errand::Echo(_)) { ECHO_LIMIT } else { 0 };
        match request.framing {
            Framing::Length(size) => self.take(size, &mut kept, limit).await?,
            Framing::Chunked => self.take_chunks(&mut kept, limit).await?,
        }
        Ok(kept)
    }

    async fn take_chunks(&mut self, kept: &mut Vec<u8>, limit: usize) -> io::Result<()> {
        loop {
            match self.chunk_size().await? {
                0 => return self.trailers().await,
                size => self.take(size, kept, limit).await?,
            }
            self.line().await?;
        }
    }

    async fn take(&mut self, mut left: u64, kept: &mut Vec<u8>, limit: usize) -> io::Result<()> {
        while left > 0 {
            if self.input.is_empty() {
                self.need().await?;
            }
            let here = self.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let room = limit.saturating_sub(kept.len());
            kept.extend(self.input.iter().take(here.min(room)));
            self.input.advance(here);
            left -= here as u64;
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> io::Result<u64> {
        loop {
            match httparse::parse_chunk_size(&self.input) {
                Ok(httparse::Status::Complete((line, size))) => {
                    self.input.advance(line);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) => self.need().await?,
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    async fn trailers(&mut self) -> io::Result<()> {
        while self.line().await? > 2 {}
        Ok(())
    }

    /// Passes over one line, and says how long it was with its end.
    async fn line(&mut self) -> io::Result<usize> {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                self.input.advance(end + 1);
                return Ok(end + 1);
            }
            self.need().await?;
        }
    }

    async fn need(&mut self) -> io::Result<()> {
        if self.input.len() > HEAD_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match self.fill().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.flush().await?;
        self.input.reserve(READ_SIZE);
        self.stream.read_buf(&mut self.input).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Closes so that the client gets everything: bytes that nobody reads would turn the close into a reset.
    async fn part(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        tokio::time::timeout(LINGER, self.pass_over()).await.unwrap_or(Ok(()))
    }

    async fn pass_over(&mut self) -> io::Result<()> {
        self.input.clear();
        while self.stream.read_buf(&mut self.input).await? > 0 {
            self.input.clear();
        }
        Ok(())
    }
}
