//! The process that runs: what it does for the one that takes over.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::channel::{BATCH, Channel, ChannelError};
use super::message::{Message, VERSION};
use super::reserve::Reserve;
use crate::server::gateway::Gateway;
use crate::unix_socket;

/// Callers at once; one more is turned away.
const CALLERS: usize = 4;
/// For a caller to say what it wants.
const GREETING: Duration = Duration::from_secs(2);
/// For the next process to make itself ready.
const MAKE_READY: Duration = Duration::from_secs(60);
/// For it to say that it serves. Nobody accepts connections meanwhile.
const SERVING: Duration = Duration::from_secs(5);
/// How often what was admitted is told.
const SETTLE: Duration = Duration::from_millis(5);
/// For an answer to that.
const GRANT: Duration = Duration::from_secs(1);

/// Listens for whoever wants to take over, or wants an upgrade, on a thread of its own.
pub fn await_successor(gateway: &Arc<Gateway>, shared: bool) {
    let path = gateway.upgrade_socket();
    let listener = match make_directory(path).and_then(|()| unix_socket::listen(path, shared)) {
        Ok((listener, file)) => {
            gateway.life.keep_upgrade_socket(file);
            listener
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "no upgrade will be possible");
            return;
        }
    };
    let gateway = gateway.clone();
    let run = move || {
        for stream in listener.incoming().flatten() {
            welcome(stream, &gateway);
        }
    };
    start("upgrade", run);
}

fn make_directory(socket: &Path) -> io::Result<()> {
    match socket.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.exists()) {
        Some(directory) => fs::create_dir_all(directory),
        None => Ok(()),
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.into()).spawn(run) {
        tracing::error!(%error, "no thread for upgrades: none is possible until a restart");
    }
}

fn welcome(stream: UnixStream, gateway: &Arc<Gateway>) {
    if !gateway.life.begin_talk(CALLERS) {
        return;
    }
    let gateway = gateway.clone();
    start("upgrade-caller", move || {
        if let Err(error) = serve(stream, &gateway) {
            tracing::error!(%error, "a talk over the upgrade socket broke off");
        }
        gateway.life.end_talk();
    });
}

fn serve(stream: UnixStream, gateway: &Arc<Gateway>) -> Result<(), ChannelError> {
    let mut channel = Channel::new(stream)?;
    match channel.receive(GREETING) {
        Ok(Message::TakeOver { version }) => hand_over(&mut channel, version, gateway),
        Ok(Message::Upgrade) => channel.send(&match gateway.launcher.launch(gateway) {
            Ok(pid) => Message::Upgraded { pid },
            Err(error) => Message::Refused { why: error.to_string() },
        }),
        // Somebody who only looks whether anybody listens.
        Err(ChannelError::Closed) => Ok(()),
        Ok(other) => Err(ChannelError::Unexpected(format!("{other:?}"))),
        Err(error) => Err(error),
    }
}

/// Hands everything over. Up to the other's word that it serves, this process can go on as if nothing had been.
fn hand_over(channel: &mut Channel, version: u32, gateway: &Arc<Gateway>) -> Result<(), ChannelError> {
    let one = gateway.handing.try_lock();
    if let Some(why) = refusal(version, one.is_some(), gateway) {
        return channel.send(&Message::Refused { why: why.into() });
    }
    send_sockets(channel, version.min(VERSION), gateway)?;
    ready(channel)?;
    // A reload would set the buckets' limits, and let them earn again.
    let no_reload = gateway.reloading.lock();
    gateway.life.accept(false);
    let open = gateway.open_connections();
    let (reserve, buckets) = Reserve::divide(gateway.registries.buckets.alive_by_key(), open, gateway.epoch.mono());
    let levels = Message::Levels { buckets, tickets: Some(gateway.listeners.sessions.ticket_keys()) };
    let sockets = match channel.send(&levels).and_then(|()| serving(channel)) {
        Ok(sockets) => sockets,
        Err(error) => {
            reserve.undo(gateway.epoch.mono());
            gateway.life.accept(true);
            return Err(error);
        }
    };
    gateway.life.leave(sockets, gateway.epoch.mono());
    gateway.storage.close_aside();
    drop(no_reload);
    tracing::info!(open, "another process serves; this one ends with its last connection");
    settle(channel, &reserve, gateway)
}

fn refusal(version: u32, first: bool, gateway: &Gateway) -> Option<&'static str> {
    match () {
        () if version == 0 => Some("there is no version 0"),
        () if gateway.is_draining() => Some("it is ending already"),
        () if !first => Some("another process is taking over already"),
        () if !gateway.is_ready() => Some("it is not ready itself"),
        () => None,
    }
}

fn send_sockets(channel: &mut Channel, version: u32, gateway: &Gateway) -> Result<(), ChannelError> {
    gateway.life.with_sockets(|sockets| {
        let batches = sockets.chunks(BATCH).count();
        for (number, batch) in sockets.chunks(BATCH).enumerate() {
            let names = batch.iter().map(|(name, _)| name.clone()).collect();
            let descriptors: Vec<_> = batch.iter().map(|(_, socket)| socket.as_fd()).collect();
            let more = number + 1 < batches;
            channel.send_with(&Message::Sockets { version, names, more }, &descriptors)?;
        }
        Ok(())
    })
}

fn ready(channel: &mut Channel) -> Result<(), ChannelError> {
    match channel.receive(MAKE_READY)? {
        Message::Ready => Ok(()),
        other => Err(ChannelError::Unexpected(format!("{other:?}"))),
    }
}

/// Names of the sockets with which the other process goes on.
fn serving(channel: &mut Channel) -> Result<Vec<String>, ChannelError> {
    match channel.receive(SERVING)? {
        Message::Serving { sockets } => Ok(sockets),
        other => Err(ChannelError::Unexpected(format!("{other:?}"))),
    }
}

/// Tells what was admitted here, and gets as much from the buckets there, until this process ends.
fn settle(channel: &mut Channel, reserve: &Reserve, gateway: &Gateway) -> Result<(), ChannelError> {
    loop {
        let ends = gateway.life.ends_within(SETTLE);
        let open = if ends { 0 } else { gateway.open_connections() };
        let changes = reserve.changes(open, gateway.epoch.mono());
        if !changes.is_empty() {
            channel.send(&Message::Settle { changes })?;
            match channel.receive(GRANT)? {
                Message::Granted { tokens } => reserve.grant(&tokens),
                other => return Err(ChannelError::Unexpected(format!("{other:?}"))),
            }
        }
        if ends {
            return channel.send(&Message::Gone);
        }
    }
}
