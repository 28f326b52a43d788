//! One attempt over an HTTP/1.1 connection.

use std::io;

use bytes::Bytes;
use tokio::time::Instant;

use super::BodyReader;
use super::buffer::{Buffer, SIZE};
use super::call::{Call, CallError, Started, head_deadline, unless_left};
use super::connection::Connection;
use super::head::{self, AnswerHead, BodyEnd};
use crate::server::downstream::RequestBody;
use crate::server::patience::{until, within};
use crate::stage::prepare::BodyLength;

/// Sends the request and reads the answer's head.
pub(super) async fn attempt(
    call: &Call<'_>,
    deadline: Instant,
    mut connection: Box<Connection>,
    body: &mut impl RequestBody,
) -> Result<Started, CallError> {
    let mut buffer = Buffer::default();
    let sent = within(call.timeout, connection.send(call.head, &mut buffer)).await;
    let mut complete = sent.map_err(CallError::Broken)?;
    if complete && call.length != BodyLength::Empty {
        complete = upload(call, &mut connection, &mut buffer, body).await?;
    }
    let mut alarm = std::mem::take(&mut connection.alarm);
    let reading = unless_left(body, read_head(call, &mut connection, &mut buffer));
    let head = until(head_deadline(call, deadline), &mut alarm, reading).await;
    connection.alarm = alarm;
    let mut head = head.ok_or(CallError::Timeout)??;
    if head.end == BodyEnd::Close && connection.is_tls() {
        head.end = BodyEnd::CloseNotify;
    }
    let keep_alive = head.keep_alive && complete;
    let body = BodyReader::new(call.origin.id(), connection, buffer, head.end, keep_alive, call.idle_timeout);
    let body = body.map_err(|_| head::Malformed)?;
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
            // As a chunk it would end the body, and make a request of what follows.
            (Some(piece), _) if piece.is_empty() => continue,
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
