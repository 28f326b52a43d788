//! One call of an endpoint: request out, head of the answer in, with deadlines and retries.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_api::Verb;
use tokio::time::Instant;

use super::connection::Connection;
use super::head::{self, AnswerHead};
use super::http2::{SessionId, Slot};
use super::origin::{ConnectError, Failed, Origin};
use super::{BodyReader, http1, http2, pool};
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;

/// Who answers, and how long that may take.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The servers.
    pub origin: Arc<Origin>,
    /// To the end of the answer's head.
    pub timeout: Duration,
    /// From the end of the request to the answer's first byte.
    pub first_byte_timeout: Duration,
    /// Between two reads of the answer's body.
    pub idle_timeout: Duration,
    /// For the whole call.
    pub total_timeout: Option<Duration>,
    /// Further tries of an idempotent request.
    pub retries: u32,
}

/// What to send.
pub struct Call<'c> {
    /// To whom, and how long to wait.
    pub to: &'c Endpoint,
    /// With which verb.
    pub verb: Verb,
    /// The head in HTTP/1.1's wire form, whatever the origin speaks.
    pub head: &'c [u8],
    /// How the body is framed.
    pub length: BodyLength,
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
    /// The endpoint did not take the request on, and says so.
    #[error("the endpoint refused the request unprocessed")]
    Refused,
    /// The head has no form in the origin's protocol.
    #[error("the request cannot be put into HTTP/2's form")]
    Unsendable,
    /// Not HTTP.
    #[error(transparent)]
    Malformed(#[from] head::Malformed),
    /// The client has left, and nobody waits for an answer.
    #[error("the client has left")]
    Left,
    /// The client's body could not be read, so it makes no difference what the endpoint thinks.
    #[error("the client's body ended: {0}")]
    Client(io::Error),
}

/// Calls the endpoint. A dead pooled connection costs no try, nor does the first refusal; what else fails before the
/// answer costs one.
pub async fn call(call: &Call<'_>, body: &mut impl RequestBody) -> Result<Started, CallError> {
    let deadline = Instant::now() + call.to.timeout;
    let empty = call.length == BodyLength::Empty;
    let repeatable = call.verb.is_idempotent() && empty;
    let mut retries = if repeatable { call.to.retries } else { 0 };
    let mut tries = 0u8;
    let mut age = Age::Any;
    let mut failed = Failed::default();
    loop {
        tries = tries.saturating_add(1);
        let mut reused = false;
        let mut newer = SessionId::default();
        let linked = match pooled(call, age) {
            Some(link) => Ok(link),
            None => {
                Box::pin(unless_left(body, link(call, deadline, age, Dial { now: mono(call, deadline), failed }))).await
            }
        };
        let error = match linked {
            Err(CallError::Left) => return Err(CallError::Left),
            Err(e) => {
                note_unconnected(&e, call, &mut failed);
                e
            }
            Ok(link) => {
                let address = link.way.address();
                (reused, newer) = (link.reused, link.way.session());
                let attempted = match link.way {
                    Way::Http1(connection) => http1::attempt(call, deadline, connection, body).await,
                    Way::Http2(slot) => Box::pin(http2::attempt(call, deadline, *slot, body)).await,
                };
                match attempted {
                    Ok(started) => return Ok(Started { tries, reused, ..bounded(started, call, deadline) }),
                    Err(e) if is_final(&e) => return Err(e),
                    Err(e) => {
                        if !reused {
                            call.to.origin.note_failure(address, mono(call, deadline));
                            call.to.origin.place(address).into_iter().for_each(|place| failed.add(place));
                        }
                        e
                    }
                }
            }
        };
        let costs_nothing = age == Age::Any
            && match &error {
                CallError::Refused => empty,
                CallError::Timeout => false,
                _ => repeatable && reused,
            };
        match retries {
            _ if costs_nothing => age = Age::NewerThan(newer),
            0 => return Err(error),
            _ => retries -= 1,
        }
    }
}

/// The answer's body has until the whole call's end.
fn bounded(mut started: Started, call: &Call<'_>, deadline: Instant) -> Started {
    if let Some(end) = end(call, deadline) {
        started.body.limit(end.saturating_duration_since(Instant::now()));
    }
    started
}

/// Another try, or another address, would make no difference.
fn is_final(error: &CallError) -> bool {
    matches!(error, CallError::Client(_) | CallError::Left | CallError::Malformed(_) | CallError::Unsendable)
}

/// The monotonic clock now, of a call that began so long before its deadline.
fn mono(call: &Call<'_>, deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    call.now + call.to.timeout.saturating_sub(left).as_nanos() as u64
}

/// The next try of this call goes to another address.
fn note_unconnected(error: &CallError, call: &Call<'_>, failed: &mut Failed) {
    if let CallError::Connect(error) = error {
        call.to.origin.place_of(error).into_iter().for_each(|place| failed.add(place));
    }
}

/// What a call goes over.
pub(super) struct Link {
    pub(super) way: Way,
    /// It was open already.
    pub(super) reused: bool,
}

pub(super) enum Way {
    Http1(Box<Connection>),
    Http2(Box<Slot>),
}

/// Which links will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Any,
    /// No idle HTTP/1.1 connection, and no HTTP/2 session up to this one.
    NewerThan(SessionId),
}

impl Way {
    fn address(&self) -> SocketAddr {
        match self {
            Way::Http1(connection) => connection.address,
            Way::Http2(slot) => slot.address,
        }
    }

    fn session(&self) -> SessionId {
        match self {
            Way::Http1(_) => SessionId::default(),
            Way::Http2(slot) => slot.session,
        }
    }
}

/// What most calls go over.
fn pooled(call: &Call<'_>, age: Age) -> Option<Link> {
    let any = age == Age::Any && !call.to.origin.wants_http2();
    let connection = any.then(|| pool::take(call.to.origin.id())).flatten()?;
    Some(Link { way: Way::Http1(connection), reused: true })
}

/// What a new connection has to know: the monotonic clock, and the addresses that have failed the call already.
#[derive(Clone, Copy)]
pub(super) struct Dial {
    pub(super) now: u64,
    pub(super) failed: Failed,
}

async fn link(call: &Call<'_>, deadline: Instant, age: Age, dial: Dial) -> Result<Link, CallError> {
    if call.to.origin.wants_http2() {
        return http2::link(call, deadline, age, dial).await;
    }
    let connected = tokio::time::timeout_at(deadline, call.to.origin.connect(dial.now, dial.failed)).await;
    let connection = connected.map_err(|_| CallError::Timeout)??;
    Ok(Link { way: Way::Http1(connection), reused: false })
}

/// When all of the call must be over, if it must. `deadline` is that of its beginning, for the answer's head.
fn end(call: &Call<'_>, deadline: Instant) -> Option<Instant> {
    call.to.total_timeout.map(|total| deadline + total.saturating_sub(call.to.timeout))
}

/// Waits for an upload no longer than the whole call may take.
pub(super) async fn in_time<T>(
    call: &Call<'_>,
    deadline: Instant,
    upload: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match end(call, deadline) {
        Some(end) => tokio::time::timeout_at(end, upload).await.unwrap_or(Err(CallError::Timeout)),
        None => upload.await,
    }
}

/// When the answer's head must be there, asked once the request has been sent. A long upload is bounded piece by piece, and
/// by the end of the whole call; the endpoint's time begins when it has everything.
pub(super) fn head_deadline(call: &Call<'_>, deadline: Instant) -> Instant {
    if call.length == BodyLength::Empty && call.to.first_byte_timeout >= call.to.timeout {
        return deadline;
    }
    let now = Instant::now();
    let deadline = match (call.length, end(call, deadline)) {
        (BodyLength::Empty, _) => deadline,
        (_, Some(end)) => end.min(now + call.to.timeout),
        (_, None) => now + call.to.timeout,
    };
    deadline.min(now + call.to.first_byte_timeout)
}

/// Waits for the endpoint, unless the client leaves before. Whoever drops an attempt gives the call up.
pub(super) async fn unless_left<T>(
    client: &mut impl RequestBody,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        answer = answer => answer,
        () = client.left() => Err(CallError::Left),
    }
}
