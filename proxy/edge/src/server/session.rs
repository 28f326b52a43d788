//! HTTP/1.1 requests with a body, and everything else that the lane leaves to Pingora's `ServerSession`.
//!
//! One request, then the connection goes back to the lane with what was read behind it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_core::{Error, ErrorType};

use super::body_watch::BodyWatch;
use super::core::with;
use super::downstream::Downstream;
use super::drive::{Arrival, Trip, drive};
use super::farewell::{self, Seen, Sight};
use super::pingora_head;
use super::stream::{EdgeStream, Transport, Writing};
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;
use crate::message::chunks::Malformed;
use crate::message::encode::{Framing, ResponseHead, fields_of};
use crate::message::field::FieldKind;
use crate::message::head::{Head, Version};
use crate::observe::metrics::Way;
use crate::patience::within;
use crate::plan::Plan;
use crate::stage::accept::Connection;
use crate::stage::frame::{self, Refusal};
use crate::stage::{Exchange, Fault, Stop};

/// What is left of a connection.
pub enum After<S> {
    /// Another request may follow; this was read behind the last one.
    Open(EdgeStream<S>, Option<BytesMut>),
    /// It has had its last answer, and the client may be sending on.
    Answered(EdgeStream<S>),
    /// It broke.
    Broken,
}

/// Serves the request that `bytes` begin with.
pub async fn serve<S: Transport>(
    mut stream: EdgeStream<S>,
    bytes: &[u8],
    connection: Connection,
    closing: bool,
) -> After<S> {
    let Some(plan) = with(|core| core.plan()) else { return After::Broken };
    stream.set_writing(Writing::Http1);
    let malformed = watch(&mut stream, bytes).is_err();
    let mut session = ServerSession::new_http1(Box::new(stream));
    session.set_pipelining_enabled(true);
    session.set_pipelined_prefix(BytesMut::from(bytes));
    session.set_read_timeout(Some(plan.timeouts.body));
    session.set_write_timeout(Some(plan.timeouts.body));
    // The lane has seen the whole head already, so this waits for nothing.
    let read = tokio::time::timeout(plan.timeouts.head, session.read_request()).await;
    match read {
        Ok(Ok(true)) => {}
        Ok(Err(_)) => {
            // Stricter in something than the lane is: the client is told, in Pingora's words.
            let _ = session.respond_error(400).await;
            return last(session).await;
        }
        Ok(Ok(false)) | Err(_) => return After::Broken,
    }
    let mut down = SessionDownstream::new::<S>(session, &plan);
    down.malformed = malformed;
    match request(&mut down, &plan, connection, closing).await {
        Arrival::Broken => {
            down.break_off::<S>();
            After::Broken
        }
        Arrival::Open | Arrival::Close => give_back(down.session).await,
    }
}

async fn request(down: &mut SessionDownstream, plan: &Arc<Plan>, connection: Connection, closing: bool) -> Arrival {
    let header = down.session.req_header();
    let version = if header.version == http::Version::HTTP_10 { Version::Http10 } else { Version::Http11 };
    let head = pingora_head::request(header, version);
    let refusal = head.as_ref().err().copied();
    let Some(mut head) = head.ok().or_else(|| Head::flat(version, b"GET", b"/", b"", std::iter::empty())) else {
        return Arrival::Broken;
    };
    head.has_body = !down.session.is_body_empty();
    head.close = closing || down.session.get_keepalive().is_none();
    let length = match (head.has_body, pingora_head::content_length(&head)) {
        (false, _) => BodyLength::Empty,
        (true, Some(n)) => BodyLength::Known(n),
        (true, None) => BodyLength::Unknown,
    };
    let refusal = refusal.or_else(|| down.malformed.then_some(Refusal::Malformed));
    let refusal = refusal.or_else(|| refuse(&head, length, plan));
    // HTTP/1.0 does not know it (RFC 9110 §10.1.1).
    down.continues = head.has(FieldKind::Expect) && version == Version::Http11;
    down.silent = head.is_head();
    let exchange = with(|core| Exchange::new(head, connection, core.clock.now(), core.ids.draw()));
    let Some(mut exchange) = exchange else { return Arrival::Broken };
    exchange.ledger.frame = frame::Verdict::Session;
    let mut trip = Trip { exchange: Box::new(exchange), plan: plan.clone(), way: Way::Session, length };
    if let Some(refusal) = refusal {
        trip.exchange.ledger.frame = frame::Verdict::Refused(refusal);
        trip.fail(Fault::Refused(refusal));
        return trip.deliver(None, down).await;
    }
    match trip.walk() {
        Stop::Answered => trip.deliver(None, down).await,
        Stop::Waiting(need) => drive(trip, need, down).await,
    }
}

/// Has the stream watch the body from where `bytes` end.
fn watch<S: Transport>(stream: &mut EdgeStream<S>, bytes: &[u8]) -> Result<(), Malformed> {
    // Empty lines before a request mean nothing (RFC 9112 §2.2).
    let start = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let request = bytes.get(start..).unwrap_or_default();
    let end = memchr::memmem::find(request, b"\r\n\r\n").map_or(request.len(), |at| at + 4);
    let (head, body) = request.split_at_checked(end).unwrap_or((request, b""));
    let value = |kind| fields_of(head).find(|(name, _)| FieldKind::of(name) == kind).map(|(_, value)| value);
    let length = value(FieldKind::ContentLength).and_then(|v| std::str::from_utf8(v).ok()?.trim().parse().ok());
    let mut watch = match value(FieldKind::TransferEncoding) {
        Some(_) => BodyWatch::chunked(),
        None => BodyWatch::length(length.unwrap_or_default()),
    };
    watch.follow(body)?;
    stream.watch(watch);
    Ok(())
}

fn refuse(head: &Head<'_>, length: BodyLength, plan: &Plan) -> Option<Refusal> {
    if let Err(refusal) = frame::check(head) {
        // HTTP/1.0 may come without a Host.
        let excused = refusal == Refusal::Host && head.version == Version::Http10 && head.host().is_empty();
        return (!excused).then_some(refusal);
    }
    match length {
        BodyLength::Known(n) if n > plan.limits.body_size => Some(Refusal::BodyTooLarge),
        _ => None,
    }
}

/// The connection, for another request if there can be one.
async fn give_back<S: Transport>(mut session: ServerSession) -> After<S> {
    if session.get_keepalive().is_none() || !session.is_body_done() {
        return last(session).await;
    }
    let Ok(Some(reusable)) = session.finish().await else { return After::Broken };
    let (stream, rest) = reusable.into_parts();
    reclaim(stream).map_or(After::Broken, |stream| After::Open(stream, rest))
}

/// The connection after its last answer. What is left of the request is for the farewell to read away.
async fn last<S: Transport>(mut session: ServerSession) -> After<S> {
    let ended = session.finish_body().await;
    match session {
        ServerSession::H1(session) if ended.is_ok() => {
            reclaim(session.into_inner()).map_or(After::Broken, After::Answered)
        }
        _ => After::Broken,
    }
}

fn reclaim<S: Transport>(stream: Stream) -> Option<EdgeStream<S>> {
    let mut stream = *EdgeStream::reclaim(stream)?;
    stream.end_session();
    Some(stream)
}

/// What Pingora's stream is to us.
fn seen<S: Transport>(stream: &Stream) -> Option<Sight<'_>> {
    (**stream).as_any().downcast_ref::<EdgeStream<S>>()?.sight()
}

fn hear_no_more<S: Transport>(stream: &Stream) {
    if let Some(stream) = (**stream).as_any().downcast_ref::<EdgeStream<S>>() {
        stream.hear_no_more();
    }
}

/// What ends a flush.
const FLUSHED: ErrorType = ErrorType::Custom("flushed");

/// The client's side of a request that came through `ServerSession`.
struct SessionDownstream {
    session: ServerSession,
    seen: fn(&Stream) -> Option<Sight<'_>>,
    hear_no_more: fn(&Stream),
    /// The client waits for `100 Continue`.
    continues: bool,
    silent: bool,
    /// The chunks that came with the head are none.
    malformed: bool,
    /// HTTP/1.0, and no length is stated.
    ends_with_connection: bool,
    received: u64,
    limit: u64,
    stall: Duration,
}

impl SessionDownstream {
    fn new<S: Transport>(session: ServerSession, plan: &Plan) -> Self {
        let (limit, stall) = (plan.limits.body_size, plan.timeouts.body);
        Self {
            session,
            seen: seen::<S>,
            hear_no_more: hear_no_more::<S>,
            continues: false,
            silent: false,
            malformed: false,
            ends_with_connection: false,
            received: 0,
            limit,
            stall,
        }
    }

    /// Where the end of the connection would look like the end of the answer, it must not.
    fn break_off<S: Transport>(&self) {
        let stream = self.session.stream().filter(|_| self.ends_with_connection);
        if let Some(stream) = stream.and_then(|s| (**s).as_any().downcast_ref::<EdgeStream<S>>()) {
            stream.break_off();
        }
    }
}

impl RequestBody for SessionDownstream {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if std::mem::take(&mut self.continues) {
            // Pingora takes it for an answer before the body's end, after which a connection could not stay open.
            let keepalive = self.session.get_keepalive();
            self.session.write_continue_response().await.map_err(broken)?;
            self.session.set_keepalive(keepalive);
        }
        // A read that ends in a chunk's framing brings an empty piece, which must not pass for the last one.
        let read = async {
            loop {
                match self.session.read_request_body().await.map_err(broken)? {
                    Some(piece) if piece.is_empty() => {}
                    piece => return Ok(piece),
                }
            }
        };
        let piece = within(self.stall, read).await?;
        self.received += piece.as_ref().map_or(0, |p| p.len() as u64);
        match self.received > self.limit {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(piece),
        }
    }

    async fn left(&mut self) {
        farewell::left(self).await;
    }
}

impl Seen for SessionDownstream {
    fn sight(&self) -> Option<Sight<'_>> {
        self.session.stream().and_then(self.seen)
    }
}

impl Downstream for SessionDownstream {
    type Body = Self;

    fn body(&mut self) -> &mut Self {
        self
    }

    async fn begin(&mut self, head: &ResponseHead<'_>, _: &[u8; 29], close: bool) -> io::Result<()> {
        let mut header = pingora_head::response(head, false).map_err(broken)?;
        if head.framing == Framing::Unknown {
            match self.session.req_header().version {
                http::Version::HTTP_10 => {
                    self.ends_with_connection = true;
                    self.session.set_keepalive(None);
                }
                _ => header.insert_header("Transfer-Encoding", "chunked").map_err(broken)?,
            }
        }
        self.silent |= head.framing == Framing::Bodiless;
        let whole = self.session.is_body_done();
        if close || !whole {
            self.session.set_keepalive(None);
        }
        if let Some(stream) = self.session.stream().filter(|_| !whole) {
            (self.hear_no_more)(stream);
        }
        self.session.write_response_header(Box::new(header)).await.map_err(broken)
    }

    async fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.silent || piece.is_empty() {
            return Ok(());
        }
        self.session.write_response_body(Bytes::copy_from_slice(piece), false).await.map_err(broken)
    }

    async fn send_shared(&mut self, piece: &Bytes) -> io::Result<()> {
        if self.silent || piece.is_empty() {
            return Ok(());
        }
        self.session.write_response_body(piece.clone(), false).await.map_err(broken)
    }

    /// Pingora keeps what has a stated length until all of it is there. It has no call that flushes and does nothing else:
    /// this one writes what there is, and ends with the failure that it was given.
    async fn flush(&mut self) -> io::Result<()> {
        let tasks = vec![HttpTask::Body(None, false), HttpTask::Failed(Error::new_down(FLUSHED))];
        match within(self.stall, async { Ok(self.session.response_duplex_vec(tasks).await) }).await? {
            Err(error) if *error.etype() != FLUSHED => Err(broken(error)),
            _ => Ok(()),
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.session.finish_body().await.map_err(broken)
    }
}

fn broken(error: Box<pingora_core::Error>) -> io::Error {
    let kind = match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => io::ErrorKind::TimedOut,
        ErrorType::ConnectionClosed => io::ErrorKind::UnexpectedEof,
        _ => of_system(&error).map_or(io::ErrorKind::Other, io::Error::kind),
    };
    io::Error::new(kind, error.to_string())
}

fn of_system(error: &Error) -> Option<&io::Error> {
    error.cause.as_deref()?.downcast_ref()
}
