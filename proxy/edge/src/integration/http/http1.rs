//! One attempt over an HTTP/1.1 connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::time::Instant;

use super::BodyReader;
use super::buffer::{Buffer, SIZE};
use super::call::{Call, CallError, Started, head_deadline, in_time};
use super::connection::Connection;
use super::head::{self, AnswerHead, BodyEnd};
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;
use crate::patience::within_polls;

/// Interim answers (1xx) before the final one: one a second while an endpoint thinks for a quarter of an hour.
const INTERIM: u32 = 1_000;

/// Sends the request and reads the answer's head.
#[expect(clippy::manual_async_fn, reason = "an async function's state has its arguments twice")]
pub(super) fn attempt(
    call: &Call<'_>,
    deadline: Instant,
    mut connection: Box<Connection>,
    body: &mut impl RequestBody,
) -> impl Future<Output = Result<Started, CallError>> + Send {
    async move {
        let mut buffer = Buffer::default();
        let mut complete = send(call, call.head, &mut connection, &mut buffer).await?;
        if complete && call.length != BodyLength::Empty {
            complete = Box::pin(in_time(call, deadline, upload(call, &mut connection, &mut buffer, body))).await?;
        }
        let deadline = head_deadline(call, deadline);
        let mut alarm = std::mem::take(&mut connection.alarm);
        let mut left = pin!(body.left());
        let mut interim = INTERIM;
        // Answer, client and deadline in one: each layer of waiting is paid for by every call.
        let head = poll_fn(|cx| {
            if let Poll::Ready(head) = poll_head(call, &mut connection, &mut buffer, &mut interim, cx) {
                return Poll::Ready(head);
            }
            if left.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(CallError::Left));
            }
            alarm.poll_at(deadline, cx).map(|()| Err(CallError::Timeout))
        });
        let mut head = head.await?;
        connection.alarm = alarm;
        if head.end == BodyEnd::Close && connection.is_tls() {
            head.end = BodyEnd::CloseNotify;
        }
        let keep_alive = head.keep_alive && complete;
        let body = BodyReader::new(call.to.origin.id(), connection, buffer, head.end, keep_alive, call.to.idle_timeout);
        let body = body.map_err(|_| head::Malformed)?;
        Ok(Started { head, body, tries: 1, reused: false, request_complete: complete })
    }
}

/// Writes `bytes`; `false` when the endpoint answered before their end.
async fn send(
    call: &Call<'_>,
    mut bytes: &[u8],
    connection: &mut Connection,
    buffer: &mut Buffer,
) -> Result<bool, CallError> {
    let sent = within_polls(call.to.timeout, |cx| connection.poll_send(cx, &mut bytes, buffer)).await;
    sent.map_err(CallError::Broken)
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
        if !send(call, &bytes, connection, buffer).await? {
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

/// The final head; interim ones (1xx) are passed over, of which so many may still come.
fn poll_head(
    call: &Call<'_>,
    connection: &mut Connection,
    buffer: &mut Buffer,
    interim: &mut u32,
    cx: &mut Context<'_>,
) -> Poll<Result<AnswerHead, CallError>> {
    let failed = |error: CallError| Poll::Ready(Err(error));
    loop {
        while !buffer.is_empty()
            && let Some((head, len)) = head::parse(buffer.filled(), call.verb)?
        {
            buffer.consume(len);
            match head.status {
                101 => return failed(head::Malformed.into()),
                100..200 => *interim = interim.checked_sub(1).ok_or(head::Malformed)?,
                _ => return Poll::Ready(Ok(head)),
            }
        }
        if buffer.filled().len() >= SIZE {
            return failed(head::Malformed.into());
        }
        match ready!(connection.poll_fill(cx, buffer)) {
            Ok(0) => return failed(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(e) => return failed(CallError::Broken(e)),
        }
    }
}
