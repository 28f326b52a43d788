//! The body of a request, on its way from whichever client to whichever endpoint.

use std::future::Future;
use std::io;

use bytes::Bytes;

/// How a request's body is framed towards the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    Empty,
    /// `Content-Length`.
    Known(u64),
    /// Chunked.
    Unknown,
}

/// The body of a request.
pub trait RequestBody: Send {
    /// The next piece; `None` at the end. Longer than allowed is `FileTooLarge`, too slow is `TimedOut`.
    fn piece(&mut self) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;

    /// Waits until the client has left, as far as that shows, behind the end of the body.
    fn left(&mut self) -> impl Future<Output = ()> + Send;
}

/// A request without a body, whose client nobody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBody;

impl RequestBody for NoBody {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        Ok(None)
    }

    async fn left(&mut self) {
        std::future::pending().await
    }
}
