//! The body of an HTTP/1.1 answer, piece by piece, without its framing.

use std::io;
use std::time::Duration;

use super::allowance::Allowance;
use super::buffer::Buffer;
use super::connection::Connection;
use super::head::BodyEnd;
use super::origin::OriginId;
use super::pool;
use crate::patience::until;

/// The longest line of a chunked body: size and extensions, or a trailer field.
const MAX_LINE: usize = 4 * 1024;
/// Trailer fields, together.
const MAX_TRAILERS: usize = 16 * 1024;

/// Reads a body to its end and gives the connection back.
#[derive(Debug)]
pub(super) struct Http1Body {
    origin: OriginId,
    connection: Option<Box<Connection>>,
    buffer: Buffer,
    state: State,
    keep_alive: bool,
    pub(super) allowance: Allowance,
    /// Bytes at the front of the buffer that the caller has seen.
    lent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    Close,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    /// Bytes of trailers so far.
    Trailers(usize),
    Done,
}

impl Http1Body {
    /// A reader of what follows a head.
    pub(super) fn new(
        origin: OriginId,
        connection: Box<Connection>,
        buffer: Buffer,
        end: BodyEnd,
        keep_alive: bool,
        idle: Duration,
    ) -> Self {
        let state = match end {
            BodyEnd::Bodiless | BodyEnd::Length(0) => State::Done,
            BodyEnd::Length(n) => State::Length(n),
            BodyEnd::Chunked => State::ChunkSize,
            // HTTP/2's end has no place here: such a body never comes to this reader.
            BodyEnd::Close | BodyEnd::CloseNotify | BodyEnd::Stream => State::Close,
        };
        let allowance = Allowance::each(idle);
        let mut reader = Self { origin, connection: Some(connection), buffer, state, keep_alive, allowance, lent: 0 };
        if reader.state == State::Done {
            reader.give_back(0);
        }
        reader
    }

    /// Looks at the framing of what came with the head, while the client can still be told that it is wrong.
    pub(super) fn check(&mut self) -> io::Result<()> {
        if self.state == State::ChunkSize
            && let Some(line) = self.line()?
        {
            self.state = chunk_state(chunk_size(&line)?);
        }
        Ok(())
    }

    /// All of the body has been handed out.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The next piece of what has been read; `None` when there is nothing more without `read`, or at the end.
    pub(super) fn piece(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.consume(std::mem::take(&mut self.lent));
        match self.ready()? {
            Some(len) => {
                self.lent = len;
                Ok(Some(self.buffer.filled().get(..len).unwrap_or_default()))
            }
            None => Ok(None),
        }
    }

    /// The next piece, waited for; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.consume(std::mem::take(&mut self.lent));
        loop {
            if let Some(len) = self.ready()? {
                self.lent = len;
                return Ok(Some(self.buffer.filled().get(..len).unwrap_or_default()));
            }
            if self.is_done() {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Waits for more. A body that ends too early is an error.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        let connection = self.connection.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut alarm = std::mem::take(&mut connection.alarm);
        let read = until(self.allowance.begin(), &mut alarm, connection.fill(&mut self.buffer)).await;
        connection.alarm = alarm;
        self.allowance.end();
        match (read.ok_or_else(|| self.allowance.over())??, self.state) {
            (0, State::Close) => {
                self.state = State::Done;
                self.connection = None;
                Ok(())
            }
            (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Body bytes at the front of the buffer; steps over framing on the way.
    fn ready(&mut self) -> io::Result<Option<usize>> {
        loop {
            let available = self.buffer.filled().len();
            match self.state {
                State::Done => return Ok(None),
                _ if available == 0 => return Ok(None),
                State::Close => return Ok(Some(available)),
                State::Length(rest) => return Ok(Some(self.take_of(rest, available, State::Length, State::Done))),
                State::Chunk(rest) => return Ok(Some(self.take_of(rest, available, State::Chunk, State::ChunkEnd))),
                State::ChunkSize => match self.line()? {
                    Some(line) => self.state = chunk_state(chunk_size(&line)?),
                    None => return Ok(None),
                },
                State::ChunkEnd => match self.line()? {
                    Some(line) if line.is_empty() => self.state = State::ChunkSize,
                    Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                    None => return Ok(None),
                },
                State::Trailers(size) => match self.line()? {
                    Some(line) if line.is_empty() => {
                        self.state = State::Done;
                        self.give_back(0);
                    }
                    Some(line) if size + line.len() <= MAX_TRAILERS => self.state = State::Trailers(size + line.len()),
                    Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                    None => return Ok(None),
                },
            }
        }
    }

    fn take_of(&mut self, rest: u64, available: usize, more: impl Fn(u64) -> State, end: State) -> usize {
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(available);
        self.state = match rest - len as u64 {
            0 => end,
            rest => more(rest),
        };
        if self.state == State::Done && len == available {
            self.give_back(len);
        }
        len
    }

    /// A whole line without its end, consumed.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let filled = self.buffer.filled();
        let Some(end) = memchr::memchr(b'\n', filled) else {
            return if filled.len() > MAX_LINE { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
        };
        let line = filled.get(..end).and_then(|l| l.strip_suffix(b"\r")).ok_or(io::ErrorKind::InvalidData)?;
        let line = line.to_vec();
        self.buffer.consume(end + 1);
        Ok(Some(line))
    }

    /// The connection goes back to the pool once everything of the answer, and nothing else, was read. `unread` bytes
    /// of the buffer still belong to the answer.
    fn give_back(&mut self, unread: usize) {
        let clean = self.buffer.filled().len() == unread;
        if let Some(connection) = self.connection.take().filter(|_| clean && self.keep_alive) {
            pool::put(self.origin, connection);
        }
    }
}

fn chunk_state(size: u64) -> State {
    if size == 0 { State::Trailers(0) } else { State::Chunk(size) }
}

/// The size on a chunk's line; extensions are passed over.
fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = char::from(*b).to_digit(16).ok_or(io::ErrorKind::InvalidData)?;
        Ok(n << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes() {
        let size = |t: &str| chunk_size(t.as_bytes()).ok();
        assert_eq!(size("1a"), Some(26));
        assert_eq!(size("5 ;name=value"), Some(5));
        for bad in ["", ";x", "-1", "0x5", "g", "1111111111111111"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
