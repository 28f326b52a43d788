//! The body of an endpoint's answer, piece by piece, whichever protocol brings it.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::buffer::Buffer;
use super::connection::Connection;
use super::head::BodyEnd;
use super::http1_body::Http1Body;
use super::http2::Http2Body;
use super::origin::OriginId;

/// Reads a body to its end and gives its connection back.
#[derive(Debug)]
pub struct BodyReader(Source);

#[derive(Debug)]
enum Source {
    Http1(Box<Http1Body>),
    Http2(Box<Http2Body>),
    /// What is at hand, and whether it was handed out.
    Held(Bytes, bool),
}

impl BodyReader {
    /// A reader of what follows a head on an HTTP/1.1 connection.
    ///
    /// # Errors
    /// What came with the head is no chunk although the head says that chunks follow.
    pub fn new(
        origin: OriginId,
        connection: Box<Connection>,
        buffer: Buffer,
        end: BodyEnd,
        keep_alive: bool,
        idle: Duration,
    ) -> io::Result<Self> {
        let mut body = Http1Body::new(origin, connection, buffer, end, keep_alive, idle);
        body.check()?;
        Ok(Self(Source::Http1(Box::new(body))))
    }

    /// A reader of an HTTP/2 stream.
    pub(super) fn http2(body: Http2Body) -> Self {
        Self(Source::Http2(Box::new(body)))
    }

    /// A body that is there already.
    pub fn held(body: Bytes) -> Self {
        Self(Source::Held(body, false))
    }

    /// From now on no longer than this is waited for the endpoint, in all.
    pub(super) fn limit(&mut self, all: Duration) {
        match &mut self.0 {
            Source::Http1(body) => body.allowance.limit(all),
            Source::Http2(body) => body.allowance.limit(all),
            Source::Held(..) => {}
        }
    }

    /// Looks at what has come so far, and hands nothing out.
    ///
    /// # Errors
    /// Not even the beginning of a body has come, and none will.
    pub fn check(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Source::Http2(body) => body.check(),
            // What came with the head was looked at when the reader was made.
            Source::Http1(_) | Source::Held(..) => Ok(()),
        }
    }

    /// All of the body has been handed out.
    #[inline]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            Source::Http1(body) => body.is_done(),
            Source::Http2(body) => body.is_done(),
            Source::Held(body, given) => *given || body.is_empty(),
        }
    }

    /// The next piece of what has been read; `None` when there is nothing more without `read`, or at the end.
    #[inline]
    pub fn piece(&mut self) -> io::Result<Option<&[u8]>> {
        match &mut self.0 {
            Source::Http1(body) => body.piece(),
            Source::Http2(body) => body.piece(),
            Source::Held(body, given) => Ok(once(body, given)),
        }
    }

    /// The next piece, waited for; `None` at the end.
    pub async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        match &mut self.0 {
            Source::Http1(body) => body.next().await,
            Source::Http2(body) => body.next().await,
            Source::Held(body, given) => Ok(once(body, given)),
        }
    }

    /// Waits for more. A body that ends too early is an error.
    pub async fn read(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Source::Http1(body) => body.read().await,
            Source::Http2(body) => body.read().await,
            Source::Held(..) => Ok(()),
        }
    }
}

fn once<'b>(body: &'b Bytes, given: &mut bool) -> Option<&'b [u8]> {
    (!std::mem::replace(given, true) && !body.is_empty()).then_some(body)
}
