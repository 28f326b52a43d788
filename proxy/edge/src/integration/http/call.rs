//! One call of an endpoint: request out, head of the answer in, with deadlines and retries.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use sluice_api::Verb;
use tokio::time::Instant;

use super::buffer::{Buffer, SIZE};
use super::connection::Connection;
use super::head::{self, AnswerHead};
use super::origin::{ConnectError, Origin};
use super::{BodyReader, pool};
use crate::server::downstream::RequestBody;
use crate::server::patience::within;
use crate::stage::Fault;
use crate::stage::prepare::BodyLength;

/// What to send, and how long to wait.
pub struct Call<'c> {
    /// To whom.
    pub origin: &'c Origin,
    /// With which verb.
    pub verb: Verb,
    /// The head in wire form.
    pub head: &'c [u8],
    /// How the body is framed.
    pub length: BodyLength,
    /// To the end of the answer's head.
    pub timeout: Duration,
    /// From the end of the request to the first byte.
    pub first_byte_timeout: Duration,
    /// Between two reads of the answer's body.
    pub idle_timeout: Duration,
    /// Further tries of an idempotent request without a body.
    pub retries: u32,
    /// The monotonic clock, for the addresses' health.
    pub now: u64,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Started {
    /// Its head.
    pub head: AnswerHead,
    /// Its body.
    pub body: BodyReader,
    /// Calls that were made, at least 1.
    pub tries: u8,
    /// Over a connection that was open already.
    pub reused: bool,
    /// The request's body was sent to its end.
    pub request_complete: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// Too slow.
    #[error("no answer in time")]
    Timeout,
    /// Not HTTP.
    #[error(transparent)]
    Malformed(#[from] head::Malformed),
    /// The client's body could not be read, so it makes no difference what the endpoint thinks.
    #[error("the client's body ended: {0}")]
    Client(io::Error),
}

impl CallError {
    /// Which gateway response it becomes.
    pub fn fault(&self) -> Fault {
        match self {
            CallError::Connect(ConnectError::Timeout(_)) | CallError::Timeout => Fault::EndpointTimeout,
            CallError::Broken(e) if e.kind() == io::ErrorKind::TimedOut => Fault::EndpointTimeout,
            CallError::Connect(_) | CallError::Broken(_) => Fault::EndpointUnreachable,
            CallError::Malformed(_) => Fault::EndpointMalformed,
            CallError::Client(e) if e.kind() == io::ErrorKind::TimedOut => {
                Fault::Refused(crate::stage::frame::Refusal::Timeout)
            }
            CallError::Client(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                Fault::Refused(crate::stage::frame::Refusal::BodyTooLarge)
            }
            CallError::Client(_) => Fault::Refused(crate::stage::frame::Refusal::Malformed),
        }
    }
}

/// Calls the endpoint.
pub async fn call(call: &Call<'_>, body: &mut impl RequestBody) -> Result<Started, CallError> {
    attempts(call, Instant::now() + call.timeout, body).await
}

/// A dead pooled connection costs no try; what else fails before the answer costs one.
async fn attempts(call: &Call<'_>, deadline: Instant, body: &mut impl RequestBody) -> Result<Started, CallError> {
    let repeatable = call.verb.is_idempotent() && call.length == BodyLength::Empty;
    let mut retries = if repeatable { call.retries } else { 0 };
    let mut tries = 0u8;
    let mut fresh = false;
    loop {
        tries = tries.saturating_add(1);
        let (connection, reused) = match (!fresh).then(|| pool::take(call.origin.id())).flatten() {
            Some(connection) => (Ok(connection), true),
            None => (connect(call, deadline).await, false),
        };
        let error = match connection {
            Err(e) => e,
            Ok(connection) => {
                let address = connection.address;
                match attempt(call, deadline, connection, body).await {
                    Ok(started) => return Ok(Started { tries, reused, ..started }),
                    Err(e @ (CallError::Client(_) | CallError::Malformed(_))) => return Err(e),
                    Err(e) => {
                        if !reused {
                            call.origin.note(address, false, call.now);
                        }
                        e
                    }
                }
            }
        };
        match (repeatable && reused, retries) {
            (true, _) if !matches!(error, CallError::Timeout) => fresh = true,
            (_, 0) => return Err(error),
            _ => retries -= 1,
        }
    }
}

async fn connect(call: &Call<'_>, deadline: Instant) -> Result<Connection, CallError> {
    let connected = tokio::time::timeout_at(deadline, call.origin.connect(call.now)).await;
    connected.map_err(|_| CallError::Timeout)?.map_err(CallError::Connect)
}

async fn attempt(
    call: &Call<'_>,
    deadline: Instant,
    mut connection: Connection,
    body: &mut impl RequestBody,
) -> Result<Started, CallError> {
    let mut buffer = Buffer::default();
    let sent = within(call.timeout, connection.send(call.head, &mut buffer)).await;
    let mut complete = sent.map_err(CallError::Broken)?;
    if complete && call.length != BodyLength::Empty {
        complete = upload(call, &mut connection, &mut buffer, body).await?;
    }
    // A long upload is bounded piece by piece; the endpoint's time begins when it has everything.
    let deadline = match call.length {
        BodyLength::Empty => deadline,
        _ => Instant::now() + call.timeout,
    };
    let deadline = deadline.min(Instant::now() + call.first_byte_timeout);
    let head = tokio::time::timeout_at(deadline, read_head(call, &mut connection, &mut buffer)).await;
    let head = head.map_err(|_| CallError::Timeout)??;
    let keep_alive = head.keep_alive && complete;
    let body = BodyReader::new(call.origin.id(), connection, buffer, head.end, keep_alive, call.idle_timeout);
    Ok(Started { head, body, tries: 1, reused: false, request_complete: complete })
}

/// Passes the client's body on; `false` when the endpoint answered before its end.
async fn upload(
    call: &Call<'_>,
    connection: &mut Connection,
    buffer: &mut Buffer,
    body: &mut impl RequestBody,
) -> Result<bool, CallError> {
    loop {
        let piece = tokio::select! {
            biased;
            piece = body.piece() => piece.map_err(CallError::Client)?,
            read = connection.fill(buffer) => {
                return match read {
                    Ok(n) if n > 0 => Ok(false),
                    Ok(_) => Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
                    Err(e) => Err(CallError::Broken(e)),
                };
            }
        };
        let (bytes, last) = match (piece, call.length) {
            (None, BodyLength::Unknown) => (Bytes::from_static(b"0\r\n\r\n"), true),
            (None, _) => return Ok(true),
            (Some(piece), BodyLength::Unknown) => (chunk(&piece), false),
            (Some(piece), _) => (piece, false),
        };
        if !within(call.timeout, connection.send(&bytes, buffer)).await.map_err(CallError::Broken)? {
            return Ok(false);
        }
        if last {
            return Ok(true);
        }
    }
}

fn chunk(piece: &[u8]) -> Bytes {
    let mut out = format!("{:x}\r\n", piece.len()).into_bytes();
    out.extend_from_slice(piece);
    out.extend_from_slice(b"\r\n");
    out.into()
}

/// The final head; interim ones (1xx) are passed over.
async fn read_head(call: &Call<'_>, connection: &mut Connection, buffer: &mut Buffer) -> Result<AnswerHead, CallError> {
    loop {
        while let Some((head, len)) = head::parse(buffer.filled(), call.verb)? {
            buffer.consume(len);
            match head.status {
                101 => return Err(head::Malformed.into()),
                100..200 => {}
                _ => return Ok(head),
            }
        }
        if buffer.filled().len() >= SIZE {
            return Err(head::Malformed.into());
        }
        match connection.fill(buffer).await {
            Ok(0) => return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(e) => return Err(CallError::Broken(e)),
        }
    }
}
