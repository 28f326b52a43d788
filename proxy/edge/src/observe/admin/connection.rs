//! One connection of the admin listener, request after request, each step with a deadline.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::Limits;
use super::guard::Guard;
use super::head::{self, Head};
use super::message::{AdminRequest, AdminResponse};
use super::routes::Routes;
use super::waiting::{Turn, Waiting};

/// What all connections share.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) routes: Routes,
    pub(super) guard: Guard,
    pub(super) limits: Limits,
    pub(super) waiting: Arc<Waiting>,
}

/// Why a connection has nothing more to say.
enum End {
    /// The peer has gone, or was too slow.
    Silent,
    /// It is told why, and then closed.
    Refused(AdminResponse),
}

impl From<AdminResponse> for End {
    fn from(refusal: AdminResponse) -> Self {
        Self::Refused(refusal)
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, turn: Turn, service: Arc<Service>) {
    let mut connection = Connection { stream, turn: Some(turn), service, received: Vec::new() };
    loop {
        match connection.exchange().await {
            Ok(true) => {}
            Ok(false) | Err(End::Silent) => return,
            Err(End::Refused(refusal)) => return connection.refuse(&refusal).await,
        }
    }
}

struct Connection<S> {
    stream: S,
    /// It has waited for a request since it came.
    turn: Option<Turn>,
    service: Arc<Service>,
    /// Not yet used; at most a head and a body.
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// One request and its answer; whether another may follow.
    async fn exchange(&mut self) -> Result<bool, End> {
        let turn = self.turn.take().unwrap_or_else(|| self.service.waiting.enter());
        let head = turn.unless_sent_away(self.head()).await;
        drop(turn);
        let Head { mut request, length, body_length, keep_alive } = head.ok_or(End::Silent)??;
        self.service.guard.check(&request)?;
        request.body = self.body(length, body_length).await?;
        let is_head = request.verb == "HEAD";
        let response = answer(&self.service.routes, request).await;
        self.send(&response, is_head, keep_alive).await?;
        Ok(keep_alive)
    }

    async fn head(&mut self) -> Result<Head, End> {
        let Limits { head_size, body_size, idle, head, .. } = self.service.limits;
        if self.received.is_empty() {
            self.receive(Instant::now() + idle).await?;
        }
        let deadline = Instant::now() + head;
        loop {
            let seen = self.received.get(..head_size).unwrap_or(&self.received);
            if let Some(head) = head::parse(seen, body_size)? {
                return Ok(head);
            }
            if self.received.len() >= head_size {
                return Err(AdminResponse::error(431, "the request head is too large").into());
            }
            self.receive(deadline).await.map_err(|_| AdminResponse::error(408, "the request head is too slow"))?;
        }
    }

    /// Takes the head and the body off what was received.
    async fn body(&mut self, head_length: usize, length: usize) -> Result<Vec<u8>, End> {
        let deadline = Instant::now() + self.service.limits.body;
        while self.received.len() < head_length + length {
            self.receive(deadline).await?;
        }
        let rest = self.received.split_off(head_length + length);
        let mut message = std::mem::replace(&mut self.received, rest);
        Ok(message.split_off(head_length))
    }

    async fn receive(&mut self, deadline: Instant) -> Result<(), End> {
        let read = timeout_at(deadline, self.stream.read_buf(&mut self.received)).await;
        match read {
            Ok(Ok(read)) if read > 0 => Ok(()),
            _ => Err(End::Silent),
        }
    }

    async fn send(&mut self, response: &AdminResponse, is_head: bool, keep_alive: bool) -> Result<(), End> {
        let bytes = encode(response, is_head, keep_alive);
        match timeout(self.service.limits.write, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Silent),
        }
    }

    /// Tells why and closes, but reads on for a moment: unread bytes would take the answer away with a reset.
    async fn refuse(&mut self, refusal: &AdminResponse) {
        if self.send(refusal, false, false).await.is_err() || self.stream.shutdown().await.is_err() {
            return;
        }
        let deadline = Instant::now() + self.service.limits.linger;
        let mut left = self.service.limits.body_size;
        while left > 0 {
            self.received.clear();
            if self.receive(deadline).await.is_err() {
                return;
            }
            left = left.saturating_sub(self.received.len());
        }
    }
}

/// Asks the handler, on a thread where it may block.
async fn answer(routes: &Routes, mut request: AdminRequest) -> AdminResponse {
    let handler = match routes.find(&mut request) {
        Ok(handler) => handler,
        Err(no_handler) => return no_handler,
    };
    let answered = tokio::task::spawn_blocking(move || handler(&request)).await;
    answered.unwrap_or_else(|_| AdminResponse::error(500, "the request could not be answered"))
}

fn encode(response: &AdminResponse, is_head: bool, keep_alive: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    let mut field = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    if !response.content_type.is_empty() {
        field("Content-Type", response.content_type);
    }
    if response.status != 204 {
        field("Content-Length", &response.body.len().to_string());
    }
    field("Cache-Control", "no-store");
    field("X-Content-Type-Options", "nosniff");
    response.headers.iter().for_each(|(name, value)| field(name, value));
    if !keep_alive {
        field("Connection", "close");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !is_head {
        bytes.extend_from_slice(&response.body);
    }
    bytes
}

/// Reasons of the statuses that are used here; others have none, which RFC 9112 allows.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "",
    }
}
