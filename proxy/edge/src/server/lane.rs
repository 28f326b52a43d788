//! The HTTP/1.1 lane: reads heads, walks the stages, and answers all that can be answered at once with one write.
//!
//! A connection that waits owns no buffer: it is read into the worker's scratch and answered from the worker's output.
//! Only the rest of a split request, and output that a slow reader has not taken, belong to the connection. What takes
//! time leaves the lane with everything that was found out, and the connection comes back afterwards.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Duration;

use super::accounts::{self, Account};
use super::at_once::AtOnce;
use super::collapse;
use super::core::{Core, Parts, with};
use super::drive::Trip;
use crate::config::Timeouts;
use crate::message::body::BodyLength;
use crate::message::head::{Head, Version};
use crate::message::out::Out;
use crate::observe::metrics::Way;
use crate::patience::Alarm;
use crate::plan::Plan;
use crate::stage::accept::Connection;
use crate::stage::deliver::{self, Body};
use crate::stage::frame::{self, Framed, Refusal};
use crate::stage::{Exchange, Fault, Need, Stop, fail, walk};

/// Why the lane gives a connection up.
#[derive(Debug)]
pub enum Exit {
    /// It is over, and nobody has to be told.
    Closed,
    /// It has had its last answer, and the client may be sending on.
    Answered,
    /// This request has to wait; its connection takes no other meanwhile.
    Wait(Box<Exchange<'static>>, Arc<Plan>, Need),
    /// A request for `ServerSession`, with all that was read.
    Session(Vec<u8>),
    /// The client speaks HTTP/2 without TLS; these bytes were read.
    Http2(Vec<u8>),
}

/// One connection's part in the lane. What every wake-up looks at fills the first cache line, and what every request
/// needs the second: with many connections each line has to be fetched anew.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Lane {
    /// Output that the peer has not taken.
    pending: Option<Box<Out>>,
    then: Option<Box<Exit>>,
    alarm: Alarm,
    /// Read but not understood yet.
    carry: Vec<u8>,
    /// When a split head began, by the monotonic clock; 0 for none.
    started: u64,
    served: u32,
    /// `carry` may hold a whole request.
    again: bool,
    flush: bool,
    /// The request that took time has just been answered.
    resumed: bool,
    /// When something was read last, by the monotonic clock.
    last: u64,
    connection: Connection,
    timeouts: Timeouts,
}

const _: () = assert!(std::mem::offset_of!(Lane, last) == 64 && std::mem::offset_of!(Lane, timeouts) == 128);

/// What became of the bytes at hand.
enum Step {
    /// All understood, or the beginning of a head.
    More,
    /// There may be more in them, after a write.
    Full,
    /// The lane is done with the connection, or with this request.
    Exit(Exit),
}

/// How long an idle connection stays open while the process drains.
pub const DRAINING: Duration = Duration::from_secs(2);

/// HTTP/2's preface (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Lane {
    /// For a new connection. `bytes` were read before the lane began.
    pub fn new(connection: Connection, timeouts: Timeouts, now_mono: u64) -> Self {
        Self {
            connection,
            carry: Vec::new(),
            again: false,
            pending: None,
            flush: false,
            resumed: false,
            then: None,
            alarm: Alarm::default(),
            timeouts,
            last: now_mono,
            started: 0,
            served: 0,
        }
    }

    /// Bytes that were read behind the request that took time.
    pub fn resume(&mut self, rest: &[u8]) {
        self.carry.splice(..0, rest.iter().copied());
        self.again = !self.carry.is_empty();
        self.resumed = true;
        // The head behind that request was not looked at meanwhile.
        self.started = 0;
        self.last = with(|core| core.clock.latest()).unwrap_or(self.last);
    }

    /// Something was read behind the request at hand.
    pub fn has_more(&self) -> bool {
        !self.carry.is_empty()
    }

    /// The next answer of this connection is its last.
    pub fn is_closing(&self) -> bool {
        with(|core| core.closing(self.served)).unwrap_or(true)
    }

    /// Serves until something takes time or the connection ends.
    pub fn poll<S: AsyncRead + AsyncWrite + AtOnce + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> Poll<Exit> {
        with(|core| self.poll_on(core, io, cx)).unwrap_or(Poll::Ready(Exit::Closed))
    }

    #[inline]
    fn poll_on<S: AsyncRead + AsyncWrite + AtOnce + Unpin>(
        &mut self,
        core: &mut Core,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Exit> {
        let mut read_something = std::mem::take(&mut self.resumed) && !core.gateway.is_draining();
        loop {
            match self.poll_output(core, io, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Exit::Closed),
                Poll::Pending => {
                    ready!(self.wait(core, cx));
                    return Poll::Ready(Exit::Closed);
                }
            }
            if let Some(exit) = self.then.take() {
                return Poll::Ready(*exit);
            }
            let step = if self.again {
                let carry = std::mem::take(&mut self.carry);
                let (used, step) = self.serve(core, &carry);
                self.keep(carry, used);
                step
            } else {
                match self.read(core, io, cx, !read_something) {
                    Poll::Ready(Some(step)) => step,
                    Poll::Ready(None) => return Poll::Ready(Exit::Closed),
                    // The alarm need not be looked at, only be there. The deadline of a split head may come before it.
                    Poll::Pending if read_something && self.started == 0 && self.alarm.is_set() => {
                        return Poll::Pending;
                    }
                    Poll::Pending => {
                        ready!(self.wait(core, cx));
                        self.give_up(core)
                    }
                }
            };
            read_something = true;
            self.again = matches!(step, Step::Full);
            if let Step::Exit(exit) = step {
                if core.out.is_empty() && !self.flush {
                    return Poll::Ready(exit);
                }
                self.then = Some(Box::new(exit));
            }
        }
    }

    /// Lets out what waits: the connection's own rest first, then what the worker has just produced.
    #[inline]
    fn poll_output<S: AsyncWrite + AtOnce + Unpin>(
        &mut self,
        core: &mut Core,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some(rest) = &mut self.pending {
            let before = rest.remaining();
            let polled = rest.poll_write(io, cx)?;
            if rest.remaining() < before {
                self.last = core.clock.mono();
            }
            ready!(polled);
            self.pending = None;
            self.flush = true;
        }
        if !core.out.is_empty() && !core.out.write_at_once(|bytes| io.write_at_once(bytes)) {
            match core.out.poll_write(io, cx) {
                Poll::Ready(Ok(())) => self.flush = true,
                Poll::Ready(Err(e)) => {
                    core.out.clear();
                    return Poll::Ready(Err(e));
                }
                Poll::Pending => {
                    self.pending = Some(Box::new(core.out.take_rest()));
                    return Poll::Pending;
                }
            }
        }
        if self.flush {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and serves what came; `None` at the end of the connection. The first read of a turn is `at_once`.
    #[inline]
    fn read<S: AsyncRead + AtOnce + Unpin>(
        &mut self,
        core: &mut Core,
        io: &mut S,
        cx: &mut Context<'_>,
        at_once: bool,
    ) -> Poll<Option<Step>> {
        let mut scratch = std::mem::take(&mut core.scratch);
        let read = if at_once { io.read_at_once(&mut scratch) } else { None };
        let polled = match read {
            Some(count) => Poll::Ready(count),
            None => poll_count(io, &mut scratch, cx),
        };
        let step = polled.map(|count| (count > 0).then(|| self.serve_read(core, &scratch, count)));
        core.scratch = scratch;
        step
    }

    #[inline]
    fn serve_read(&mut self, core: &mut Core, scratch: &[u8], count: usize) -> Step {
        let bytes = scratch.get(..count).unwrap_or_default();
        if self.carry.is_empty() {
            let (used, step) = self.serve(core, bytes);
            if used < count {
                self.carry.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
            self.mark_start();
            return step;
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(bytes);
        let (used, step) = self.serve(core, &carry);
        self.keep(carry, used);
        step
    }

    fn keep(&mut self, mut carry: Vec<u8>, used: usize) {
        if used >= carry.len() {
            self.carry = Vec::new();
        } else {
            carry.drain(..used);
            self.carry = carry;
        }
        if used > 0 {
            self.started = 0;
        }
        self.mark_start();
    }

    fn mark_start(&mut self) {
        match (self.carry.is_empty(), self.started) {
            (true, _) => self.started = 0,
            (false, 0) => self.started = self.last,
            _ => {}
        }
    }

    /// Answers as many requests of `bytes` as can be answered at once. How many bytes were used comes first.
    #[inline]
    fn serve(&mut self, core: &mut Core, bytes: &[u8]) -> (usize, Step) {
        let mut used = 0;
        let now = core.clock.now();
        self.last = now.mono;
        while let Some(rest) = bytes.get(used..).filter(|r| !r.is_empty()) {
            if self.served == 0 && begins_http2(rest) {
                return match rest.len() >= PREFACE.len() {
                    true => (bytes.len(), Step::Exit(Exit::Http2(rest.to_vec()))),
                    false => (used, Step::More),
                };
            }
            let id = core.ids.draw();
            let mut exchange = Exchange::new(Head::new(Cow::Borrowed(rest), Version::Http11), self.connection, now, id);
            let framed = frame::read(rest, &core.plan_ref().limits, &mut exchange.head);
            let len = match framed {
                Framed::Partial => return (used, Step::More),
                Framed::Session => {
                    self.served += 1;
                    return (bytes.len(), Step::Exit(Exit::Session(rest.to_vec())));
                }
                Framed::Refused(refusal) => {
                    refuse(core, exchange, refusal);
                    return (bytes.len(), Step::Exit(Exit::Answered));
                }
                Framed::Lane(len) => len,
            };
            exchange.ledger.frame = frame::Verdict::Lane;
            exchange.head.shorten(len);
            used += len;
            self.served += 1;
            if core.closing(self.served) {
                exchange.head.close = true;
            }
            let close = match answer(core, &mut exchange) {
                Turn::Answered(close) => close,
                Turn::Refetched(close, plan) => {
                    refetch(exchange, plan);
                    close
                }
                Turn::Waiting(need, plan) => {
                    let exit = Exit::Wait(Box::new(exchange.into_owned()), plan, need);
                    return (used, Step::Exit(exit));
                }
            };
            if close {
                return (used, Step::Exit(Exit::Answered));
            }
            if core.out.is_full() {
                return (used, Step::Full);
            }
        }
        (used, Step::More)
    }

    /// Waits for the peer until its deadline has passed: that of an idle connection, of a split head since its first byte, or
    /// of a reader that takes nothing.
    #[cold]
    fn wait(&mut self, core: &Core, cx: &mut Context<'_>) -> Poll<()> {
        let (since, limit) = match self.started {
            // The rest of a head behind it is not looked at meanwhile.
            _ if self.pending.is_some() => (self.last, self.timeouts.body),
            // While the process drains, a connection without a request gets a moment for the one that may be on its way.
            0 if core.gateway.is_draining() => {
                (self.last.max(core.gateway.life.draining_since()), self.timeouts.idle.min(DRAINING))
            }
            0 => (self.last, self.timeouts.idle),
            started => (started, self.timeouts.head),
        };
        let waited = Duration::from_nanos(core.clock.mono().saturating_sub(since));
        match limit.checked_sub(waited).filter(|rest| !rest.is_zero()) {
            Some(rest) => {
                self.alarm.wake_in(rest, cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Nothing came in time. Who has begun a request is told so.
    #[cold]
    fn give_up(&mut self, core: &mut Core) -> Step {
        let carry = std::mem::take(&mut self.carry);
        self.started = 0;
        // Empty lines before a request are no part of it (RFC 9112 §2.2), and HTTP/2's preface is none.
        if carry.iter().all(|b| matches!(b, b'\r' | b'\n')) || carry.starts_with(b"PRI *") {
            return Step::Exit(Exit::Closed);
        }
        let (now, id) = (core.clock.now(), core.ids.draw());
        let head = Head::new(Cow::Borrowed(&carry), Version::Http11);
        refuse(core, Exchange::new(head, self.connection, now, id), Refusal::Timeout);
        Step::Exit(Exit::Answered)
    }
}

/// How many bytes were read; none at the end, however it came.
fn poll_count<S: AsyncRead + Unpin>(io: &mut S, into: &mut [u8], cx: &mut Context<'_>) -> Poll<usize> {
    let mut buffer = ReadBuf::new(into);
    let read = ready!(Pin::new(io).poll_read(cx, &mut buffer));
    Poll::Ready(read.map_or(0, |()| buffer.filled().len()))
}

/// A connection is HTTP/2's from its first byte or never: behind a request of HTTP/1.1, whoever passed that on would not
/// know what follows.
fn begins_http2(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PRI * HTTP/2") && PREFACE.starts_with(bytes.get(..PREFACE.len()).unwrap_or(bytes))
}

/// How far a request came at once. With what goes on afterwards comes the plan that the exchange's places are in.
enum Turn {
    /// It was answered; whether its connection ends with that.
    Answered(bool),
    /// The same, and what was answered is to be fetched anew.
    Refetched(bool, Arc<Plan>),
    /// It has to wait.
    Waiting(Need, Arc<Plan>),
}

/// Walks the stages; an answer at hand goes into the worker's output.
#[inline]
fn answer(core: &mut Core, exchange: &mut Exchange<'_>) -> Turn {
    let mut parts = core.parts();
    match walk(exchange, &mut parts.context) {
        Stop::Waiting(need) => Turn::Waiting(need, parts.context.plan.clone()),
        Stop::Answered => match (write(&mut parts, exchange), exchange.refetches) {
            (close, false) => Turn::Answered(close),
            (close, true) => Turn::Refetched(close, parts.context.plan.clone()),
        },
    }
}

#[cold]
fn refetch(exchange: Exchange<'_>, plan: Arc<Plan>) {
    let exchange = Box::new(exchange.into_owned());
    collapse::refetch(Trip { exchange, plan, way: Way::Lane, length: BodyLength::Empty });
}

/// Writes a whole answer and settles its account; `true` when the connection ends with it.
#[inline]
fn write(parts: &mut Parts<'_>, exchange: &Exchange<'_>) -> bool {
    let plan = parts.context.plan;
    let answer = deliver::outgoing(exchange, plan, parts.fields);
    let close = answer.close;
    let silent = exchange.head.is_head();
    answer.head.write_http1(parts.out.buffer(), parts.clock.date(), close, false);
    let length = match &answer.body {
        Body::Shared(body) => {
            if !silent {
                parts.out.body(body);
            }
            body.len()
        }
        Body::Text(text) => {
            if !silent {
                parts.out.buffer().extend_from_slice(text.as_bytes());
            }
            text.len()
        }
        Body::Stream => 0,
    };
    let status = answer.head.status;
    let account = Account { status, bytes_out: length as u64, way: Way::Lane, done: parts.clock.mono() };
    accounts::settle(&mut parts.desk, plan, exchange, account);
    close
}

/// A request that cannot be read is answered and its connection closed.
#[cold]
fn refuse(core: &mut Core, mut exchange: Exchange<'_>, refusal: Refusal) {
    exchange.ledger.frame = frame::Verdict::Refused(refusal);
    exchange.head.close = true;
    let mut parts = core.parts();
    fail(&mut exchange, &mut parts.context, Fault::Refused(refusal));
    write(&mut parts, &exchange);
}
