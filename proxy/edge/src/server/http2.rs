//! HTTP/2: Pingora's session over our stream. All requests of a read are answered before anything is written, and what
//! can be answered at once costs no task of its own.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use pingora_core::protocols::http::v2::server::{H2Accept, HttpSession, default_h2_options, handshake};
use pingora_core::protocols::{Digest, Stream};
use pingora_core::server::ShutdownWatch;
use tokio::time::{Instant, Sleep};

use super::accounts::{self, Account};
use super::core::with;
use super::downstream::{Downstream, RequestBody};
use super::drive::{Arrival, Trip, drive};
use super::patience::within;
use super::pingora_head;
use crate::message::encode::{Framing, ResponseHead};
use crate::message::head::{Head, Version};
use crate::observe::metrics::Way;
use crate::plan::Plan;
use crate::stage::accept::Connection;
use crate::stage::deliver::{self, Body};
use crate::stage::frame::{self, Refusal};
use crate::stage::prepare::BodyLength;
use crate::stage::{Exchange, Fault, Stop};

/// Streams that a client may have open.
const STREAMS: u32 = 128;
/// Bytes of a request body that a client may send ahead, per stream.
const WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// A body up to this size is queued at once, however small the client's window is.
const AT_ONCE: usize = 16 * 1024;

/// What Pingora's handshake gives.
type H2 = h2::server::Connection<Stream, Bytes>;

/// Serves an HTTP/2 connection to its end.
pub async fn serve(stream: Stream, connection: Connection, mut shutdown: ShutdownWatch) {
    let Some(plan) = with(|core| core.plan()) else { return };
    let mut options = default_h2_options();
    options.max_concurrent_streams(STREAMS);
    options.max_header_list_size(plan.limits.head_size as u32);
    options.initial_window_size(WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    let Ok(Ok(h2)) = tokio::time::timeout(plan.timeouts.handshake, handshake(stream, Some(options))).await else {
        return;
    };
    let mut batches = Batches {
        h2,
        connection,
        digest: Arc::default(),
        open: Arc::default(),
        idle: plan.timeouts.idle,
        timer: None,
        going: false,
        batch: Vec::new(),
    };
    drop(plan);
    let mut signal = pin!(shutdown.changed());
    let mut listening = true;
    poll_fn(|cx| {
        if listening && signal.as_mut().poll(cx).is_ready() {
            listening = false;
            with(|core| core.gateway.drain());
        }
        batches.poll(cx)
    })
    .await;
}

/// The accept loop of one connection.
struct Batches {
    h2: H2,
    connection: Connection,
    digest: Arc<Digest>,
    /// Counts the streams that have a task.
    open: Arc<()>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// GOAWAY was sent.
    going: bool,
    batch: Vec<HttpSession>,
}

impl Batches {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut busy = false;
        loop {
            if !self.going && with(|core| core.gateway.is_draining()).unwrap_or(true) {
                self.going = true;
                self.h2.graceful_shutdown();
            }
            let ended = self.accept(cx);
            if self.batch.is_empty() {
                return match ended {
                    true => Poll::Ready(()),
                    false => self.wait(cx, busy),
                };
            }
            busy = true;
            let mut batch = std::mem::take(&mut self.batch);
            for session in batch.drain(..) {
                answer(session, self.connection, &self.open);
            }
            if batch.capacity() <= 64 {
                self.batch = batch;
            }
        }
    }

    /// Takes all streams that are there; `true` when the connection has ended. Each poll of the future writes what the
    /// answers before have queued.
    fn accept(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            // Cancel-safe: polled once and dropped when pending.
            match pin!(HttpSession::from_h2_conn(&mut self.h2, self.digest.clone())).poll(cx) {
                Poll::Ready(Ok(Some(H2Accept::Session(session)))) => self.batch.push(session),
                Poll::Ready(Ok(Some(H2Accept::Rejected))) => {}
                Poll::Ready(_) => return true,
                Poll::Pending => return false,
            }
        }
    }

    /// Nothing to do: a connection without open streams ends after a while.
    fn wait(&mut self, cx: &mut Context<'_>, busy: bool) -> Poll<()> {
        let active = busy || Arc::strong_count(&self.open) > 1;
        if self.timer.is_none() {
            self.timer = Some(Box::pin(tokio::time::sleep(self.idle)));
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        if busy {
            // Pushed back only when it fires: no cost per request.
            return Poll::Pending;
        }
        if timer.as_mut().poll(cx).is_ready() {
            if !active {
                return Poll::Ready(());
            }
            timer.as_mut().reset(Instant::now() + self.idle);
            return timer.as_mut().poll(cx);
        }
        Poll::Pending
    }
}

/// Answers a request now, or gives it a task.
fn answer(mut session: HttpSession, connection: Connection, open: &Arc<()>) {
    let Some((exchange, length)) = begin(&mut session, connection) else { return };
    let walked = with(|core| {
        let mut exchange = exchange;
        let parts = core.parts();
        let mut context = parts.context;
        let refused = refuse(&exchange, length, context.plan);
        let stop = match refused {
            Some(refusal) => {
                exchange.ledger.frame = frame::Verdict::Refused(refusal);
                crate::stage::fail(&mut exchange, &mut context, Fault::Refused(refusal));
                Stop::Answered
            }
            None => crate::stage::walk(&mut exchange, &mut context),
        };
        (exchange, stop)
    });
    let Some((exchange, stop)) = walked else { return };
    let small = |exchange: &Exchange<'_>| match &exchange.reply {
        crate::stage::Reply::Entry(entry) => entry.body().len() <= AT_ONCE,
        _ => true,
    };
    match stop {
        Stop::Answered if small(&exchange) => at_once(&mut session, &exchange),
        _ => {
            let Some(plan) = with(|core| core.plan()) else { return };
            let trip = Trip { exchange: Box::new(exchange), plan, way: Way::Http2, length };
            tokio::spawn(travel(session, trip, stop, open.clone()));
        }
    }
}

fn begin(session: &mut HttpSession, connection: Connection) -> Option<(Exchange<'static>, BodyLength)> {
    let head = pingora_head::request(session.req_header(), Version::Http2);
    let refusal = head.as_ref().err().copied();
    let mut head = head.ok().or_else(|| Head::flat(Version::Http2, b"GET", b"/", b"", std::iter::empty()))?;
    head.has_body = !session.is_body_empty();
    let length = match (head.has_body, pingora_head::content_length(&head)) {
        (false, _) => BodyLength::Empty,
        (true, Some(n)) => BodyLength::Known(n),
        (true, None) => BodyLength::Unknown,
    };
    let mut exchange = with(|core| Exchange::new(head, connection, core.clock.now(), core.ids.next()))?;
    exchange.ledger.frame = refusal.map_or(frame::Verdict::Http2, frame::Verdict::Refused);
    Some((exchange, length))
}

fn refuse(exchange: &Exchange<'_>, length: BodyLength, plan: &Plan) -> Option<Refusal> {
    if let frame::Verdict::Refused(refusal) = exchange.ledger.frame {
        return Some(refusal);
    }
    if let Err(refusal) = frame::check(&exchange.head) {
        return Some(refusal);
    }
    if exchange.head.field_count() > plan.limits.header_count {
        return Some(Refusal::TooManyFields);
    }
    match length {
        BodyLength::Known(n) if n > plan.limits.body_size => Some(Refusal::BodyTooLarge),
        _ => None,
    }
}

/// Queues a whole answer; the next poll of the connection writes it with the others of its batch.
fn at_once(session: &mut HttpSession, exchange: &Exchange<'_>) {
    with(|core| {
        let mut parts = core.parts();
        let plan = parts.context.plan;
        let answer = deliver::outgoing(exchange, plan, parts.fields);
        let silent = exchange.head.is_head() || answer.head.framing == Framing::Bodiless;
        let body = match answer.body {
            Body::Shared(body) => body.clone(),
            Body::Text(text) => Bytes::from(text.into_owned()),
            Body::Stream => Bytes::new(),
        };
        let end = silent || body.is_empty();
        let (status, length) = (answer.head.status, body.len() as u64);
        let Ok(header) = pingora_head::response(&answer.head, true) else { return };
        if session.write_response_header(Box::new(header), end).is_ok() && !end {
            if let Some(mut writer) = session.take_response_body_writer() {
                // The client has reset the stream: nobody waits for it.
                let _ = writer.send_data(body, true);
            }
        }
        let account = Account { status, bytes_out: length, way: Way::Http2, done: parts.clock.mono() };
        accounts::settle(&mut parts.desk, plan, exchange, account);
    });
}

/// A request that takes time, in a task of its own.
async fn travel(session: HttpSession, trip: Trip, stop: Stop, _open: Arc<()>) {
    let mut down = Http2Downstream {
        silent: trip.exchange.head.is_head(),
        received: 0,
        limit: trip.plan.limits.body_size,
        stall: trip.plan.timeouts.body,
        session,
    };
    let arrival = match stop {
        Stop::Answered => trip.deliver(None, &mut down).await,
        Stop::Waiting(need) => drive(trip, need, &mut down).await,
    };
    if arrival == Arrival::Broken {
        down.session.shutdown();
    }
}

/// The client's side of a stream.
struct Http2Downstream {
    session: HttpSession,
    silent: bool,
    received: u64,
    limit: u64,
    stall: Duration,
}

impl RequestBody for Http2Downstream {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        let read = async { self.session.read_body_bytes().await.map_err(broken) };
        let piece = within(self.stall, read).await?;
        self.received += piece.as_ref().map_or(0, |p| p.len() as u64);
        match self.received > self.limit {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(piece),
        }
    }
}

impl Downstream for Http2Downstream {
    type Body = Self;

    fn body(&mut self) -> &mut Self {
        self
    }

    async fn begin(&mut self, head: &ResponseHead<'_>, _: &[u8; 29], _: bool) -> io::Result<()> {
        self.silent |= head.framing == Framing::Bodiless;
        let header = pingora_head::response(head, true).map_err(broken)?;
        self.session.write_response_header(Box::new(header), self.silent).map_err(broken)
    }

    async fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        self.send_shared(&Bytes::copy_from_slice(piece)).await
    }

    async fn send_shared(&mut self, piece: &Bytes) -> io::Result<()> {
        if self.silent || piece.is_empty() {
            return Ok(());
        }
        let written = async { self.session.write_body(piece.clone(), false).await.map_err(broken) };
        within(self.stall, written).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        if self.silent { Ok(()) } else { self.session.finish().map_err(broken) }
    }
}

fn broken(error: Box<pingora_core::Error>) -> io::Error {
    io::Error::other(error.to_string())
}
