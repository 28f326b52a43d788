//! Runs a program for its output, with a bound on time and length.

use std::io;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::source::{SourceError, bounded};

/// Between two looks whether a program that has closed its output has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What was read; nothing if it is too much.
type Output = io::Result<Option<Zeroizing<Vec<u8>>>>;

/// What a program writes to its standard output. It does not outlive the call, but what it starts may.
pub(super) fn output(
    program: &Path,
    arguments: &[String],
    timeout: Duration,
) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::Command { program: program.to_owned(), error };
    let slow = || SourceError::Slow { program: program.to_owned(), timeout };
    let deadline = Instant::now() + timeout;
    let (mut running, stdout) = Running::start(program, arguments).map_err(failed)?;
    let output = read(stdout).map_err(failed)?;
    let bytes = output.recv_timeout(timeout).map_err(|_| slow())?.map_err(failed)?.ok_or(SourceError::TooLong)?;
    let status = running.ended_by(deadline).map_err(failed)?.ok_or_else(slow)?;
    if status.success() { Ok(bytes) } else { Err(SourceError::Failed { program: program.to_owned(), status }) }
}

/// A program that is killed, if it still runs, when nobody waits for it any more.
struct Running(Child);

impl Running {
    fn start(program: &Path, arguments: &[String]) -> io::Result<(Self, ChildStdout)> {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        let running = Self(child);
        Ok((running, stdout.ok_or(io::ErrorKind::BrokenPipe)?))
    }

    /// How it ended; nothing if it runs for longer.
    fn ended_by(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.0.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both do nothing where it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads in a thread, which ends with the last writer of the pipe: that may be a program that ours has started.
fn read(stdout: ChildStdout) -> io::Result<Receiver<Output>> {
    // One message is ever sent.
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("key".into()).spawn(move || {
        let _ = sender.send(bounded(stdout));
    })?;
    Ok(receiver)
}
