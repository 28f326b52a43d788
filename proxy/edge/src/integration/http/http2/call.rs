//! One attempt over an HTTP/2 session.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::Response;
use tokio::time::{Instant, timeout_at};

use super::super::BodyReader;
use super::super::call::{Call, CallError, Started, head_deadline, in_time, unless_left};
use super::body::Http2Body;
use super::session::Slot;
use super::{answer, failure, request, sessions};
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;
use crate::patience::within;

/// Sends the request and waits for the answer's head. Whoever drops this resets the stream.
pub(in super::super) async fn attempt(
    call: &Call<'_>,
    deadline: Instant,
    slot: Slot,
    body: &mut impl RequestBody,
) -> Result<Started, CallError> {
    let session = slot.session;
    let started = on_stream(call, deadline, slot, body).await;
    // The stream may have been slow, or its connection dead: new calls do not find out.
    if matches!(started, Err(CallError::Timeout)) {
        sessions::retire(call.to.origin.id(), session);
    }
    started
}

async fn on_stream(
    call: &Call<'_>,
    deadline: Instant,
    mut slot: Slot,
    body: &mut impl RequestBody,
) -> Result<Started, CallError> {
    let request = request::request(call.head, call.to.origin.scheme(), &slot.address.to_string());
    let request = request.map_err(|_| CallError::Unsendable)?;
    let empty = call.length == BodyLength::Empty;
    let (mut answer, mut stream) = slot.send(request, empty).map_err(failure)?;
    let early = match empty {
        true => None,
        false => in_time(call, deadline, upload(call, &mut stream, &mut answer, body)).await?,
    };
    let request_complete = early.is_none();
    let response = match early {
        Some(response) => response,
        None => {
            let answer = unless_left(body, async { answer.await.map_err(failure) });
            timeout_at(head_deadline(call, deadline), answer).await.map_err(|_| CallError::Timeout)??
        }
    };
    let head = answer::head(&response, call.verb, response.body().is_end_stream())?;
    let body = Http2Body::new(response.into_body(), slot, head.end, call.to.idle_timeout);
    Ok(Started { head, body: BodyReader::http2(body), tries: 1, reused: false, request_complete })
}

/// Passes the client's body on; the answer comes back when the endpoint answered before its end.
async fn upload(
    call: &Call<'_>,
    stream: &mut SendStream<Bytes>,
    answer: &mut ResponseFuture,
    body: &mut impl RequestBody,
) -> Result<Option<Response<RecvStream>>, CallError> {
    loop {
        let piece = tokio::select! {
            biased;
            piece = body.piece() => piece.map_err(CallError::Client)?,
            response = &mut *answer => return response.map(Some).map_err(failure),
        };
        let Some(piece) = piece else {
            // A stream that was reset meanwhile shows when the answer is asked for.
            let _ = stream.send_data(Bytes::new(), true);
            return Ok(None);
        };
        let mut sending = Sending { rest: piece, stream: &mut *stream, answer: &mut *answer };
        let sent = within(call.to.timeout, poll_fn(|cx| sending.poll(cx).map(Ok))).await;
        if let Some(response) = sent.map_err(CallError::Broken)? {
            return response.map(Some).map_err(failure);
        }
    }
}

/// A piece on its way, as fast as the peer's windows allow.
struct Sending<'s> {
    rest: Bytes,
    stream: &'s mut SendStream<Bytes>,
    answer: &'s mut ResponseFuture,
}

impl Sending<'_> {
    /// `None` once the piece is sent; the answer, or what became of it, when that came first.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Response<RecvStream>, h2::Error>>> {
        while !self.rest.is_empty() {
            let room = self.stream.capacity().min(self.rest.len());
            if room > 0 {
                // It fails where the stream was reset: the answer tells.
                if self.stream.send_data(self.rest.split_to(room), false).is_err() {
                    return self.poll_answer(cx);
                }
                continue;
            }
            self.stream.reserve_capacity(self.rest.len());
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) | Poll::Pending => return self.poll_answer(cx),
            }
        }
        Poll::Ready(None)
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Response<RecvStream>, h2::Error>>> {
        Pin::new(&mut *self.answer).poll(cx).map(Some)
    }
}
