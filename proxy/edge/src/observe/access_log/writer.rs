//! The thread that writes pages of lines, so that no worker ever waits for a disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::{Page, Shared};

/// A failing disk is reported once in this time.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// How long a pipe may stay full.
const FULL: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// Where pages are written.
pub trait Sink: Send + 'static {
    /// Writes some of `bytes` and says how many.
    ///
    /// # Errors
    /// What the device says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Lets go of the file and opens it by its name again, after a rotation.
    ///
    /// # Errors
    /// It cannot be opened; the old one stays in use.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A file that is appended to; made with mode 0640.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
}

impl FileSink {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)? })
    }
}

impl Sink for FileSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let deadline = Instant::now() + FULL;
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                    thread::park_timeout(LOOK);
                }
                written => return written,
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        Ok(())
    }
}

/// Standard output.
#[derive(Debug)]
pub(super) struct StdoutSink;

impl Sink for StdoutSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(bytes.len())
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    Write(Page),
    /// Look whether the file is to be opened anew.
    Wake,
    /// Answer once everything before is written.
    Flush(SyncSender<()>),
}

/// The writer's thread.
pub(super) struct Writer<S> {
    sink: S,
    shared: Arc<Shared>,
    /// The last write stopped within a line.
    torn: bool,
    reports: Reports,
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(sink: S, shared: Arc<Shared>) -> Self {
        Self { sink, shared, torn: false, reports: Reports::default() }
    }

    /// Works until the last sender is gone.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            self.reopen_if_asked();
            match order {
                Order::Write(page) => self.write(page),
                Order::Flush(done) => drop(done.try_send(())),
                Order::Wake => {}
            }
        }
    }

    fn reopen_if_asked(&mut self) {
        if !self.shared.reopen.swap(false, Ordering::Relaxed) {
            return;
        }
        match self.sink.reopen() {
            Ok(()) => self.torn = false,
            Err(error) => tracing::warn!(%error, "the access log cannot be opened anew; the old file stays in use"),
        }
    }

    fn write(&mut self, page: Page) {
        if let Err(error) = self.append_all(&page.bytes) {
            self.shared.failed.fetch_add(page.lines, Ordering::Relaxed);
            if self.reports.due(Instant::now()) {
                tracing::warn!(%error, "the access log cannot be written; lines are lost");
            }
        }
        self.shared.recycle(page);
    }

    /// Writes a page, after ending the line that a failure has torn.
    fn append_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.append(b"\n")?;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.append(rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.sink.append(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = bytes.get(written.wrapping_sub(1)) != Some(&b'\n');
                    return Ok(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Lets one report through per [`REPORT_EVERY`].
#[derive(Debug, Default)]
struct Reports {
    last: Option<Instant>,
}

impl Reports {
    fn due(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// To open a pipe that nobody reads, or to write to one that is full, would wait for ever. With an end for reading of our
/// own it is there at once, and who comes later finds what it holds.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    if fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_disk_is_reported_once_a_minute() {
        let start = Instant::now();
        let mut reports = Reports::default();
        assert!(reports.due(start));
        assert!(!reports.due(start + Duration::from_secs(59)));
        assert!(reports.due(start + Duration::from_secs(60)));
        assert!(!reports.due(start + Duration::from_secs(61)));
    }
}
