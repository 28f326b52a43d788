//! The client's side of a request that takes time: where its answer goes.
//!
//! Three ways in implement it (lane, `ServerSession`, HTTP/2), so one driver serves them all.

use std::future::Future;
use std::io;

use bytes::Bytes;

use crate::message::body::RequestBody;
use crate::message::encode::ResponseHead;

/// Where an answer goes.
pub trait Downstream: Send {
    /// The body of the request.
    type Body: RequestBody;

    /// The request's body.
    fn body(&mut self) -> &mut Self::Body;

    /// Begins the answer. It need not leave before the first piece, `flush` or `finish`.
    fn begin(
        &mut self,
        head: &ResponseHead<'_>,
        date: &[u8; 29],
        close: bool,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// A piece of the answer's body. Small ones may wait for `flush` or `finish`.
    fn send(&mut self, piece: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// A piece that is shared: large ones are not copied.
    fn send_shared(&mut self, piece: &Bytes) -> impl Future<Output = io::Result<()>> + Send {
        async { self.send(piece).await }
    }

    /// Lets everything so far leave.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// The answer is complete.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}
