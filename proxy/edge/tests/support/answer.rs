//! What the recording origin answers, step by step.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

/// What large bodies are made of.
pub static PATTERN: [u8; 64 * 1024] = {
    let mut pattern = [0; 64 * 1024];
    let mut i = 0;
    while i < pattern.len() {
        pattern[i] = (i % 251) as u8;
        i += 1;
    }
    pattern
};

/// Holds answers back until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody through, now and later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        let _ = self.0.1.wait_timeout_while(closed, PATIENCE, |open| !*open).unwrap();
    }
}

/// One thing to do.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    /// So many bytes of the pattern, again and again.
    Pattern(u64),
    Wait(Gate),
    /// Nothing, until the gateway closes the connection.
    Hang,
    /// The same, and then this.
    UntilClosed(Arc<dyn Fn() + Send + Sync>),
    Close,
    Reset,
}

/// An answer by script.
#[derive(Clone, Default)]
pub struct Answer(Vec<Step>);

/// What a connection does after an answer.
#[derive(PartialEq, Eq)]
pub enum After {
    NextRequest,
    Over,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, "", body)
    }

    /// This status, these header lines (each with its line end) and this body, its length stated.
    pub fn status(status: u16, lines: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status} Said\r\n{lines}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// 200 in these chunks.
    pub fn chunked(lines: &str, pieces: &[&str]) -> Self {
        let mut text = format!("HTTP/1.1 200 OK\r\n{lines}Transfer-Encoding: chunked\r\n\r\n");
        for piece in pieces.iter().chain([&""]) {
            text.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        Self::raw(text)
    }

    /// Then all of that.
    pub fn then_all(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// These bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().then(bytes)
    }

    /// Nothing yet: the gateway waits.
    pub fn none() -> Self {
        Self::default()
    }

    /// Then these bytes.
    pub fn then(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// Then so many bytes of the pattern.
    pub fn then_pattern(self, count: u64) -> Self {
        self.step(Step::Pattern(count))
    }

    /// Then waits for the gate.
    pub fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Then nothing any more, until the gateway has had enough.
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// The same; `closed` is told when that has happened.
    pub fn until_closed(self, closed: impl Fn() + Send + Sync + 'static) -> Self {
        self.step(Step::UntilClosed(Arc::new(closed)))
    }

    /// Then the connection ends in order.
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Then the connection is reset.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Does all of it.
    pub fn play(&self, stream: &mut TcpStream) -> io::Result<After> {
        for step in &self.0 {
            match step {
                Step::Send(bytes) => stream.write_all(bytes)?,
                Step::Pattern(count) => pattern(stream, *count)?,
                Step::Wait(gate) => gate.pass(),
                Step::Hang => {
                    while io::Read::read(stream, &mut [0; 1024])? > 0 {}
                    return Ok(After::Over);
                }
                Step::UntilClosed(closed) => {
                    // However it ends.
                    while io::Read::read(stream, &mut [0; 1024]).is_ok_and(|count| count > 0) {}
                    closed();
                    return Ok(After::Over);
                }
                Step::Close => return Ok(After::Over),
                Step::Reset => {
                    socket2::SockRef::from(&*stream).set_linger(Some(std::time::Duration::ZERO))?;
                    return Ok(After::Over);
                }
            }
        }
        Ok(After::NextRequest)
    }
}

fn pattern(stream: &mut TcpStream, count: u64) -> io::Result<()> {
    let mut rest = count;
    while rest > 0 {
        let now = rest.min(PATTERN.len() as u64);
        stream.write_all(&PATTERN[..now as usize])?;
        rest -= now;
    }
    Ok(())
}
