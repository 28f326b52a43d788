//! Messages, and descriptors beside them, over a UNIX socket: a length, then JSON. Every wait has an end.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use thiserror::Error;

use super::message::Message;

/// Bytes of the largest message: the levels of some hundred thousand buckets.
const LARGEST: usize = 16 * 1024 * 1024;
/// Descriptors beside one message; the system allows 253.
pub(super) const BATCH: usize = 64;
/// How long a peer may take to take a message.
const WRITE: Duration = Duration::from_secs(2);

/// Why nothing more can be said or heard.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The connection broke, or its time was up.
    #[error("the connection to the other process broke: {0}")]
    Io(#[from] io::Error),
    /// The other process has ended or has nothing more to say.
    #[error("the other process closed the connection")]
    Closed,
    /// No JSON that means something here.
    #[error("the other process sent what is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// A length above all messages.
    #[error("the other process sent a message of {0} bytes")]
    TooLarge(usize),
    /// A message out of turn, or a refusal.
    #[error("the other process said {0}")]
    Unexpected(String),
}

/// One connection between two processes.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    /// Descriptors that came and were not asked for yet; at most [`BATCH`].
    descriptors: VecDeque<OwnedFd>,
}

impl Channel {
    /// Over a connection that is there.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE))?;
        Ok(Self { stream, descriptors: VecDeque::new() })
    }

    /// Says something.
    ///
    /// # Errors
    /// The peer has gone or does not listen.
    pub fn send(&mut self, message: &Message) -> Result<(), ChannelError> {
        self.send_with(message, &[])
    }

    /// The same with at most [`BATCH`] descriptors.
    pub(super) fn send_with(&mut self, message: &Message, descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let body = serde_json::to_vec(message)?;
        if body.len() > LARGEST {
            return Err(ChannelError::TooLarge(body.len()));
        }
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        let sent = match descriptors.is_empty() {
            true => 0,
            false => self.send_first(&frame, descriptors)?,
        };
        Ok(self.stream.write_all(frame.get(sent..).unwrap_or_default())?)
    }

    fn send_first(&self, frame: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        Ok(rustix::net::sendmsg(&self.stream, &[IoSlice::new(frame)], &mut beside, SendFlags::NOSIGNAL)?)
    }

    /// The next message, once it is whole.
    ///
    /// # Errors
    /// It does not come within `patience`, is too large, or is none.
    pub fn receive(&mut self, patience: Duration) -> Result<Message, ChannelError> {
        let deadline = Instant::now() + patience;
        let mut length = [0; 4];
        self.fill(&mut length, deadline)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LARGEST {
            return Err(ChannelError::TooLarge(length));
        }
        let mut body = vec![0; length];
        self.fill(&mut body, deadline)?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// A descriptor that came beside a message, in order.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    fn fill(&mut self, mut to: &mut [u8], deadline: Instant) -> Result<(), ChannelError> {
        while !to.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let count = match self.read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(ChannelError::Closed),
                read => read?,
            };
            if count == 0 {
                return Err(ChannelError::Closed);
            }
            to = to.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let read = rustix::net::recvmsg(&self.stream, &mut [IoSliceMut::new(to)], &mut beside, flags)?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                let room = BATCH.saturating_sub(self.descriptors.len());
                self.descriptors.extend(descriptors.take(room));
            }
        }
        Ok(read.bytes)
    }
}
