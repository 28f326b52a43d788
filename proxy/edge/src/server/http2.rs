//! HTTP/2: Pingora's session over our stream. All requests of a read are answered before anything is written, and what
//! can be answered at once costs no task of its own.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::v2::server::{H2Accept, HttpSession, default_h2_options, handshake};
use pingora_core::protocols::{Digest, Stream};
use pingora_core::server::ShutdownWatch;

use super::accounts::{self, Account};
use super::collapse;
use super::core::{Core, Parts, with};
use super::downstream::Downstream;
use super::drive::{Arrival, Trip, drive};
use super::frame_budget::Conduct;
use super::lane::DRAINING;
use super::pingora_head;
use crate::integration::http::CallError;
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;
use crate::message::date::Now;
use crate::message::encode::{Framing, ResponseHead};
use crate::message::head::{Head, Version};
use crate::observe::metrics::{Flood, Way};
use crate::patience::{Alarm, within};
use crate::plan::Plan;
use crate::stage::accept::Connection;
use crate::stage::deliver::{self, Body};
use crate::stage::frame::{self, Refusal};
use crate::stage::{Exchange, Fault, Reply, Stop};

/// Streams that a client may have open.
const STREAMS: u32 = 128;
/// A head may be so many times as large as allowed and is still read, so that the refusal is ours: the `h2` crate's has no
/// body and is not counted. It takes 32 bytes for each field besides.
const HEAD_ROOM: u32 = 2;
/// Bytes of a request body that a client may send ahead, per stream.
const WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// A body up to this size is queued at once, however small the client's window is.
const AT_ONCE: usize = 16 * 1024;
/// Malformed requests that end a connection, as in Pingora's own loop.
const MALFORMED: u32 = 32;
/// How long a connection stays that was told to go, for its client to see it.
const LEAVING: Duration = Duration::from_secs(1);
/// Answers whose field values share one allocation.
const SHARING: usize = 16;
/// Streams of a batch that a connection keeps room for.
const KEPT: usize = 64;

thread_local! {
    /// What Pingora wants to know of a connection and we do not use; one for all, whose count stays at hand.
    static DIGEST: Arc<Digest> = Arc::default();
}

/// What Pingora's handshake gives.
type H2 = h2::server::Connection<Stream, Bytes>;

/// Serves an HTTP/2 connection to its end.
pub async fn serve(stream: Stream, connection: Connection, mut shutdown: ShutdownWatch, conduct: Arc<Conduct>) {
    let Some(plan) = with(|core| core.plan()) else { return };
    let mut options = default_h2_options();
    options.max_concurrent_streams(STREAMS);
    options.max_header_list_size(HEAD_ROOM * plan.limits.head_size as u32);
    options.initial_window_size(WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    let Ok(Ok(h2)) = tokio::time::timeout(plan.timeouts.handshake, handshake(stream, Some(options))).await else {
        return;
    };
    let mut batches = Batches {
        h2,
        connection,
        digest: DIGEST.with(Arc::clone),
        open: Arc::default(),
        conduct,
        idle: plan.timeouts.idle,
        alarm: Alarm::default(),
        last: with(|core| core.clock.mono()).unwrap_or_default(),
        going: false,
        leaving: false,
        batch: Vec::new(),
        malformed: 0,
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
    conduct: Arc<Conduct>,
    idle: Duration,
    alarm: Alarm,
    /// When something was asked last, by the monotonic clock.
    last: u64,
    /// The client was told that the process ends.
    going: bool,
    /// The last GOAWAY was sent.
    leaving: bool,
    batch: Vec<HttpSession>,
    /// Requests that Pingora has refused.
    malformed: u32,
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
            self.answer();
        }
    }

    /// Takes all streams that are there; `true` when the connection has ended. Each poll of the future writes what the
    /// answers before have queued.
    fn accept(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            // Cancel-safe: polled once and dropped when pending.
            let accepted = pin!(HttpSession::from_h2_conn(&mut self.h2, self.digest.clone())).poll(cx);
            match accepted {
                Poll::Ready(Ok(Some(H2Accept::Session(session)))) => self.batch.push(session),
                Poll::Ready(Ok(Some(H2Accept::Rejected))) => self.count_malformed(),
                Poll::Ready(_) => return true,
                Poll::Pending if self.conduct.is_overspent() && !self.leaving => self.send_away(Flood::Frames),
                Poll::Pending => return false,
            }
        }
    }

    /// Pingora has refused a request that it cannot pass on, with a bare 400 or a reset.
    fn count_malformed(&mut self) {
        with(|core| settle_unread(core, self.connection));
        self.malformed += 1;
        if self.malformed == MALFORMED {
            self.send_away(Flood::Malformed);
        }
    }

    fn send_away(&mut self, flood: Flood) {
        with(|core| core.metrics().flooded(flood));
        self.leave(h2::Reason::ENHANCE_YOUR_CALM);
    }

    fn leave(&mut self, reason: h2::Reason) {
        self.h2.abrupt_shutdown(reason);
        self.leaving = true;
        self.last = with(|core| core.clock.mono()).unwrap_or_default();
    }

    /// Answers the batch, by one reading of the clock.
    fn answer(&mut self) {
        let mut room = Room::new(self.batch.len());
        let now = with(|core| core.clock.now()).unwrap_or_default();
        self.last = now.mono;
        for mut session in self.batch.drain(..) {
            let late = with(|core| answer(core, &mut session, self.connection, now, &mut room));
            if let Some((trip, stop)) = late.flatten() {
                tokio::spawn(travel(session, trip, stop, self.open.clone()));
            }
        }
        if self.batch.capacity() > KEPT {
            self.batch = Vec::new();
        }
    }

    /// Nothing to do: a connection without open streams is told to go after a while, and ends soon after.
    fn wait(&mut self, cx: &mut Context<'_>, busy: bool) -> Poll<()> {
        if busy && self.alarm.is_set() {
            return Poll::Pending;
        }
        let now = with(|core| core.clock.mono()).unwrap_or_default();
        if self.conduct.is_ended() && !self.leaving {
            (self.leaving, self.last) = (true, now);
        }
        let limit = match (self.leaving, self.going) {
            (true, _) => LEAVING,
            (_, true) => self.idle.min(DRAINING),
            _ => self.idle,
        };
        if Arc::strong_count(&self.open) > 1 && !self.leaving {
            self.last = now;
        }
        let waited = Duration::from_nanos(now.saturating_sub(self.last));
        if let Some(rest) = limit.checked_sub(waited).filter(|rest| !rest.is_zero()) {
            self.alarm.wake_in(rest, cx);
            return Poll::Pending;
        }
        if self.leaving {
            return Poll::Ready(());
        }
        self.leave(h2::Reason::NO_ERROR);
        self.poll(cx)
    }
}

/// What the answers of a batch are made in.
struct Room {
    /// Bytes of the request head at hand.
    head: Vec<u8>,
    /// Values of the answers' fields; the answers share it.
    values: BytesMut,
}

impl Room {
    fn new(answers: usize) -> Self {
        let values = pingora_head::ROOM * answers.min(SHARING);
        Self { head: Vec::with_capacity(512), values: BytesMut::with_capacity(values) }
    }
}

/// Answers a request now, or says how it goes on.
fn answer(
    core: &mut Core,
    session: &mut HttpSession,
    connection: Connection,
    now: Now,
    room: &mut Room,
) -> Option<(Trip, Stop)> {
    let Room { head: buffer, values } = room;
    let new = Head::new(Cow::Borrowed(&[]), Version::Http2);
    let mut exchange = Exchange::new(new, connection, now, core.ids.draw());
    let length = begin(session, buffer, &mut exchange)?;
    let mut parts = core.parts();
    let context = &mut parts.context;
    let stop = match refuse(&exchange, length, context.plan) {
        Some(refusal) => {
            exchange.ledger.frame = frame::Verdict::Refused(refusal);
            crate::stage::fail(&mut exchange, context, Fault::Refused(refusal));
            Stop::Answered
        }
        None => crate::stage::walk(&mut exchange, context),
    };
    if stop == Stop::Answered && is_small(&exchange) {
        let plan = exchange.refetches.then(|| parts.context.plan.clone());
        at_once(parts, session, &exchange, values);
        if let Some(plan) = plan {
            collapse::refetch(Trip { exchange: Box::new(exchange.into_owned()), plan, way: Way::Http2, length });
        }
        return None;
    }
    let plan = parts.context.plan.clone();
    Some((Trip { exchange: Box::new(exchange.into_owned()), plan, way: Way::Http2, length }, stop))
}

/// Nothing is known of the request, but that it came and was refused: it counts, and has a line in the log.
fn settle_unread(core: &mut Core, connection: Connection) -> Option<()> {
    let now = core.clock.now();
    let head = Head::flat(Version::Http2, b"GET", b"/", b"", std::iter::empty())?;
    let mut exchange = Exchange::new(head, connection, now, core.ids.draw());
    exchange.ledger.frame = frame::Verdict::Refused(Refusal::Malformed);
    let mut parts = core.parts();
    crate::stage::fail(&mut exchange, &mut parts.context, Fault::Refused(Refusal::Malformed));
    let account = Account { status: 400, bytes_out: 0, way: Way::Http2, done: now.mono };
    accounts::settle(&mut parts.desk, parts.context.plan, &exchange, account);
    Some(())
}

fn is_small(exchange: &Exchange<'_>) -> bool {
    match &exchange.reply {
        Reply::Entry(entry) => entry.body().len() <= AT_ONCE,
        _ => true,
    }
}

/// Reads the request's head. One that cannot be read is replaced, and the refusal noted.
fn begin<'b>(session: &HttpSession, buffer: &'b mut Vec<u8>, exchange: &mut Exchange<'b>) -> Option<BodyLength> {
    exchange.ledger.frame = match pingora_head::read(session.req_header(), buffer, &mut exchange.head) {
        Ok(()) => frame::Verdict::Http2,
        Err(refusal) => {
            exchange.head = Head::flat(Version::Http2, b"GET", b"/", b"", std::iter::empty())?;
            frame::Verdict::Refused(refusal)
        }
    };
    let head = &mut exchange.head;
    head.has_body = !session.is_body_empty();
    Some(match (head.has_body, pingora_head::content_length(head)) {
        (false, _) => BodyLength::Empty,
        (true, Some(n)) => BodyLength::Known(n),
        (true, None) => BodyLength::Unknown,
    })
}

fn refuse(exchange: &Exchange<'_>, length: BodyLength, plan: &Plan) -> Option<Refusal> {
    if let frame::Verdict::Refused(refusal) = exchange.ledger.frame {
        return Some(refusal);
    }
    if let Err(refusal) = frame::check(&exchange.head) {
        return Some(refusal);
    }
    if exchange.head.bytes().len() > plan.limits.head_size {
        return Some(Refusal::HeadTooLarge);
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
fn at_once(mut parts: Parts<'_>, session: &mut HttpSession, exchange: &Exchange<'_>, values: &mut BytesMut) {
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
    let Ok(header) = pingora_head::response_http2(&answer.head, values) else { return };
    let begun = session.write_response_header(Box::new(header), end).is_ok() && !end;
    if let Some(mut writer) = session.take_response_body_writer().filter(|_| begun) {
        // If it fails, the client has reset the stream: nobody waits for it.
        let _ = writer.send_data(body, true);
    }
    let account = Account { status, bytes_out: length, way: Way::Http2, done: parts.clock.mono() };
    accounts::settle(&mut parts.desk, plan, exchange, account);
}

/// A request that takes time, in a task of its own.
async fn travel(session: HttpSession, mut trip: Trip, stop: Stop, _open: Arc<()>) {
    let mut down = Http2Downstream {
        silent: trip.exchange.head.is_head(),
        received: 0,
        limit: trip.plan.limits.body_size,
        stall: trip.plan.timeouts.body,
        session,
    };
    // A stream that was reset looks as if its body were empty, and is no whole request.
    let reset = match trip.length {
        BodyLength::Empty => down.session.read_body_bytes().await.err(),
        _ => None,
    };
    let arrival = match (stop, reset) {
        (Stop::Waiting(_), Some(reset)) => {
            trip.fail(Fault::from(&CallError::Client(broken(reset))));
            trip.deliver(None, &mut down).await
        }
        (Stop::Answered, _) => trip.deliver(None, &mut down).await,
        (Stop::Waiting(need), None) => drive(trip, need, &mut down).await,
    };
    if arrival == Arrival::Broken {
        // A reset drops what waits: what has been sent goes first, as over HTTP/1.1.
        tokio::task::yield_now().await;
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

    async fn left(&mut self) {
        // With a reset or with the connection, it makes no difference.
        let _ = self.session.idle().await;
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

/// A stream that the client has reset, or whose connection is gone, is told from one that its frames broke.
fn broken(error: Box<pingora_core::Error>) -> io::Error {
    let cause = error.cause.as_deref().and_then(|cause| cause.downcast_ref::<h2::Error>());
    let kind = match cause.is_some_and(|cause| cause.is_remote() || cause.is_io()) {
        true => io::ErrorKind::ConnectionReset,
        false => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}
