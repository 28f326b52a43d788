//! Starting the next process: the binary that lies where this one was started from, with the same configuration file.

use std::env;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;

use super::channel::{Channel, ChannelError};
use super::message::Message;
use crate::server::gateway::Gateway;

/// For the new process to take over.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why there is no new process. This one goes on.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// One has been started already.
    #[error("an upgrade is under way already")]
    Busy,
    /// The binary cannot be run.
    #[error("{} cannot be run: {source}", binary.display())]
    Spawn {
        /// The binary.
        binary: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It ended before it took over.
    #[error("the new process ended ({0}) before it took over; the process log says why; the old one goes on")]
    Ended(ExitStatus),
    /// It is too slow, and was ended.
    #[error("the new process did not take over within {} s; the old one goes on", PATIENCE.as_secs())]
    Slow,
    /// Nothing is known of it.
    #[error("the new process cannot be watched: {0}")]
    Lost(io::Error),
}

/// Starts the next process.
#[derive(Debug)]
pub struct Launcher {
    binary: PathBuf,
    file: PathBuf,
    one: Mutex<()>,
}

impl Launcher {
    /// For a process that runs with this configuration file.
    pub fn new(file: &Path) -> Self {
        Self { binary: binary(), file: file.into(), one: Mutex::new(()) }
    }

    /// Starts it and waits until it serves; its id.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn launch(&self, gateway: &Gateway) -> Result<u32, LaunchError> {
        let _one = self.one.try_lock().ok_or(LaunchError::Busy)?;
        let mut command = Command::new(&self.binary);
        command.args(["run", "--upgrade"]).arg(&self.file).stdin(Stdio::null());
        tracing::info!(binary = %self.binary.display(), "starting the next process");
        let child = command.spawn();
        let mut child = child.map_err(|source| LaunchError::Spawn { binary: self.binary.clone(), source })?;
        watch(&mut child, gateway)
    }
}

fn watch(child: &mut Child, gateway: &Gateway) -> Result<u32, LaunchError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().map_err(LaunchError::Lost)? {
            return Err(LaunchError::Ended(status));
        }
        if gateway.is_draining() {
            return Ok(child.id());
        }
        thread::park_timeout(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(LaunchError::Slow)
}

/// The path that this process was started by, so that a link that points elsewhere now leads to the new binary.
fn binary() -> PathBuf {
    let named = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match named.components().count() {
        0 => env::current_exe().unwrap_or_else(|_| "sluice".into()),
        // Found through PATH, again.
        1 if !named.is_absolute() => named,
        _ => std::path::absolute(&named).unwrap_or(named),
    }
}

/// Asks the process that listens on `path` for an upgrade; the id of the one that serves then.
///
/// # Errors
/// There is none, or it says why nothing came of it.
pub fn request(path: &Path) -> anyhow::Result<u32> {
    use anyhow::{Context, bail};
    let stream = UnixStream::connect(path);
    let stream = stream.with_context(|| format!("no running process listens on {}", path.display()))?;
    let mut channel = Channel::new(stream)?;
    channel.send(&Message::Upgrade)?;
    match channel.receive(PATIENCE + PATIENCE / 6) {
        Ok(Message::Upgraded { pid }) => Ok(pid),
        Ok(Message::Refused { why }) => bail!(why),
        Ok(other) => bail!(ChannelError::Unexpected(format!("{other:?}"))),
        Err(error) => bail!(error),
    }
}
