//! The process that takes over: what it does with the one that runs.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sluice_policy::{Bucket, Level};
use socket2::Socket;
use thiserror::Error;

use super::channel::{Channel, ChannelError};
use super::message::{Held, Message, VERSION};
use crate::server::gateway::Gateway;
use crate::server::socket::socket_address;

/// For the running process to hand something over.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two reports of what it still admits; there is one whenever it admits something.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// Tokens that are granted in one go.
const GRANT: i64 = 1 << 20;

/// Why this process does not take over. The other one goes on.
#[derive(Debug, Error)]
pub enum TakeOverError {
    /// Nobody listens.
    #[error("no running process listens on {}: {source}", path.display())]
    Nobody {
        /// The upgrade socket.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It will not hand over.
    #[error("the running process refuses to hand over: {0}")]
    Refused(String),
    /// Both speak, but not the same.
    #[error("the running process speaks version {0} of the hand-over, and this one {VERSION}")]
    Version(u32),
    /// The talk broke off.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// The process that runs, with the sockets that it handed over.
#[derive(Debug)]
pub struct Predecessor {
    channel: Channel,
    sockets: HashMap<String, Socket>,
    /// Names of those with which this process goes on.
    taken: Vec<String>,
}

impl Predecessor {
    /// Gets the listening sockets of the process that listens on `path`. It goes on as before.
    ///
    /// # Errors
    /// There is none, or it refuses, or the talk breaks off.
    pub fn meet(path: &Path) -> Result<Self, TakeOverError> {
        let nobody = |source| TakeOverError::Nobody { path: path.into(), source };
        let mut channel = Channel::new(UnixStream::connect(path).map_err(nobody)?).map_err(ChannelError::from)?;
        channel.send(&Message::TakeOver { version: VERSION })?;
        let mut sockets = HashMap::new();
        while receive_sockets(&mut channel, &mut sockets)? {}
        Ok(Self { channel, sockets, taken: Vec::new() })
    }

    /// It has a socket of this port to hand over.
    pub fn listens_on(&self, port: u16) -> bool {
        let port_of = |name: &String| socket_address(name).map(|address| address.port());
        self.sockets.keys().any(|name| port_of(name) == Some(port))
    }

    /// The socket of this name, once.
    pub fn socket(&mut self, name: &str) -> Option<TcpListener> {
        let socket = self.sockets.remove(name)?;
        socket.set_nonblocking(true).ok()?;
        self.taken.push(name.into());
        Some(socket.into())
    }

    /// Takes over: the other accepts no more, its buckets' tokens are in this process's. What is still told is taken
    /// up by [`Heir::settle`].
    ///
    /// # Errors
    /// Something is wrong: then this process must not serve, for the other one does.
    pub fn succeed(mut self, gateway: &Gateway) -> Result<Heir, TakeOverError> {
        self.channel.send(&Message::Ready)?;
        let buckets = match self.channel.receive(PATIENCE)? {
            Message::Levels { buckets, tickets } => {
                tickets.into_iter().for_each(|keys| gateway.listeners.sessions.adopt(keys));
                take(&buckets, gateway)
            }
            other => return Err(unexpected(&other).into()),
        };
        self.channel.send(&Message::Serving { sockets: self.taken })?;
        Ok(Heir { channel: self.channel, buckets })
    }
}

/// True if another batch follows.
fn receive_sockets(channel: &mut Channel, sockets: &mut HashMap<String, Socket>) -> Result<bool, TakeOverError> {
    let (version, names, more) = match channel.receive(PATIENCE)? {
        Message::Sockets { version, names, more } => (version, names, more),
        Message::Refused { why } => return Err(TakeOverError::Refused(why)),
        other => return Err(unexpected(&other).into()),
    };
    if version != VERSION {
        return Err(TakeOverError::Version(version));
    }
    for name in names {
        let descriptor = channel.descriptor().ok_or_else(|| ChannelError::Unexpected("too few sockets".into()))?;
        sockets.insert(name, descriptor.into());
    }
    Ok(more)
}

fn unexpected(message: &Message) -> ChannelError {
    ChannelError::Unexpected(format!("{message:?}"))
}

/// Sets the buckets' levels; those that the other process did not know stay full. In its order.
fn take(held: &[Held], gateway: &Gateway) -> Vec<Option<Arc<Bucket>>> {
    let now = gateway.epoch.mono();
    let mut known: HashMap<_, _> = gateway.registries.buckets.alive_by_key().into_iter().collect();
    let set = |held: &Held| {
        let bucket = known.remove(&held.id)?;
        bucket.take_all_but(0, now);
        bucket.add(Level::from_bits(held.level));
        Some(bucket)
    };
    held.iter().map(set).collect()
}

/// What still comes from the process before, while it drains.
pub struct Heir {
    channel: Channel,
    buckets: Vec<Option<Arc<Bucket>>>,
}

impl Heir {
    /// Takes what the other one still admits out of the buckets here, until it has gone.
    pub fn settle(mut self, gateway: &Gateway) {
        loop {
            let granted = match self.channel.receive(SILENCE) {
                Ok(Message::Settle { changes }) => self.grant(&changes, gateway.epoch.mono()),
                Ok(Message::Gone) => return tracing::info!("the process before has gone"),
                Err(ChannelError::Closed) => return tracing::warn!("the process before has gone without a word"),
                Ok(other) => return tracing::error!(?other, "the process before says what is not expected"),
                Err(error) => return tracing::error!(%error, "what the process before still admits is not known"),
            };
            // Should it be gone by now, the next word shows that.
            let _ = self.channel.send(&Message::Granted { tokens: granted });
        }
    }

    fn grant(&self, changes: &[(u32, i64)], now: u64) -> Vec<(u32, u32)> {
        let grant = |&(place, change): &(u32, i64)| {
            let tokens = change.clamp(-i64::from(u32::MAX), GRANT);
            let bucket = self.buckets.get(place as usize)?.as_deref();
            match (u32::try_from(tokens), bucket) {
                (Ok(wanted), Some(bucket)) => Some((place, bucket.take_up_to(wanted, now))),
                // Nothing limits here what the other one still limits.
                (Ok(wanted), None) => Some((place, wanted)),
                (Err(_), Some(bucket)) => {
                    bucket.add(Level::of_tokens(tokens.unsigned_abs() as u32));
                    None
                }
                (Err(_), None) => None,
            }
        };
        changes.iter().filter_map(grant).collect()
    }
}
