//! The access log: one line per request, formatted on its core, written by one thread, never waited for.
//!
//! Lines go into pages; there are as many pages as the configured buffer holds, and no more are ever made. A full page,
//! or one whose first line is of an earlier second, goes to the writer. Without a free page a line is dropped and
//! counted. What clients send is escaped, so that a line is always one line (see [`ContextFormat::compile`]).

mod format;
mod line;
mod record;
#[cfg(test)]
mod tests;
mod time;
mod variable;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

pub use self::format::{ContextFormat, UnknownVariable};
pub use self::record::AccessRecord;
pub use self::writer::Sink;
use self::writer::{FileSink, Order, StdoutSink, Writer};
use crate::config::{AccessLog as Settings, LogDestination, LogFormat};

/// A page's size in bytes, as the buffer allows; a longer line is dropped.
const PAGE: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// Orders that are not pages: a few flushes and wake-ups.
const SPARE_ORDERS: usize = 8;

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The format names a variable that does not exist.
    #[error(transparent)]
    Format(#[from] UnknownVariable),
    /// The file cannot be opened.
    #[error("the access log {path} cannot be opened: {error}")]
    Open {
        /// Its name.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The writer's thread cannot be started.
    #[error("the access log's thread cannot be started: {0}")]
    Thread(io::Error),
}

/// The node's access log. Its thread ends after the last line when this and all [`CoreLog`]s are gone.
#[derive(Debug)]
pub struct AccessLog {
    format: Arc<ContextFormat>,
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
}

impl AccessLog {
    /// Opens the destination and starts the writer, for that many workers.
    ///
    /// # Errors
    /// A format, a file or a thread that cannot be had.
    pub fn start(settings: &Settings, workers: usize) -> Result<Self, AccessLogError> {
        let format = match &settings.format {
            LogFormat::Json => ContextFormat::json(),
            LogFormat::Clf => ContextFormat::clf(),
            LogFormat::Context(text) => ContextFormat::compile(text)?,
        };
        match &settings.destination {
            LogDestination::Stdout => Self::start_with(format, StdoutSink, settings.buffer, workers),
            LogDestination::File(path) => {
                let open = |error| AccessLogError::Open { path: path.display().to_string(), error };
                Self::start_with(format, FileSink::open(path).map_err(open)?, settings.buffer, workers)
            }
        }
    }

    /// Starts the writer on a sink; at most `buffer` bytes wait for it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start_with(
        format: ContextFormat,
        sink: impl Sink,
        buffer: usize,
        workers: usize,
    ) -> Result<Self, AccessLogError> {
        let shared = Arc::new(Shared::new(buffer, workers));
        let (orders, taken) = sync_channel(shared.pages + SPARE_ORDERS);
        let writer = Writer::new(sink, Arc::clone(&shared));
        let named = thread::Builder::new().name("access-log".into());
        named.spawn(move || writer.run(&taken)).map_err(AccessLogError::Thread)?;
        Ok(Self { format: Arc::new(format), shared, orders })
    }

    /// One more worker's log.
    pub fn core(&self) -> CoreLog {
        let (format, shared) = (Arc::clone(&self.format), Arc::clone(&self.shared));
        CoreLog { format, shared, orders: self.orders.clone(), page: None, second: 0 }
    }

    /// Lets go of the file and opens it by its name again, before the next line is written.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
        // A full queue wakes the writer by itself.
        drop(self.orders.try_send(Order::Wake));
    }

    /// Waits until what the cores have handed over is written; `false` if that takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, finished) = sync_channel(1);
        self.orders.try_send(Order::Flush(done)).is_ok() && finished.recv_timeout(patience).is_ok()
    }

    /// What was lost so far. It can be kept for the metrics, and outlives the log.
    pub fn losses(&self) -> Losses {
        Losses(Arc::clone(&self.shared))
    }
}

/// One worker's side of the access log.
#[derive(Debug)]
pub struct CoreLog {
    format: Arc<ContextFormat>,
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
    page: Option<Page>,
    /// Of the page's first line.
    second: u64,
}

impl CoreLog {
    /// Writes a line for a finished request, or drops and counts it.
    pub fn write(&mut self, record: &AccessRecord<'_>) {
        let second = record.time_us / 1_000_000;
        if second != self.second {
            self.hand_over();
            self.second = second;
        }
        if !self.append(record) {
            self.hand_over();
            if !self.append(record) {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Gives the lines so far to the writer: once a second while idle, and at the end.
    pub fn hand_over(&mut self) {
        let Some(page) = self.page.take_if(|page| page.lines > 0) else { return };
        // There are no more pages than places in the queue: only a dead writer refuses one.
        if let Err(refused) = self.orders.try_send(Order::Write(page)) {
            self.shared.lose(refused);
        }
    }

    /// `false` if there is no page, or no room in it.
    fn append(&mut self, record: &AccessRecord<'_>) -> bool {
        if self.page.is_none() {
            self.page = self.shared.free.lock().pop();
        }
        let Some(page) = &mut self.page else { return false };
        let fits = self.format.append(record, &mut page.bytes, self.shared.page_size);
        page.lines += u64::from(fits);
        fits
    }
}

impl Drop for CoreLog {
    fn drop(&mut self) {
        self.hand_over();
        if let Some(page) = self.page.take() {
            self.shared.recycle(page);
        }
    }
}

/// Lines that never reached the log.
#[derive(Clone, Debug)]
pub struct Losses(Arc<Shared>);

impl Losses {
    /// Lines dropped because everything that may wait was waiting, or because they were longer than a page.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Lines that the disk did not take.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }
}

/// Lines on their way.
#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    lines: u64,
}

/// What the cores and the writer share.
#[derive(Debug)]
struct Shared {
    page_size: usize,
    pages: usize,
    /// At most `pages`, the one used last on top. Locked once per page, for a push or a pop.
    free: Mutex<Vec<Page>>,
    reopen: AtomicBool,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Shared {
    /// Two pages per worker and two for the writer, if the buffer is large enough for that.
    fn new(buffer: usize, workers: usize) -> Self {
        let page_size = (buffer / (2 * workers + 2)).clamp(*PAGE.start(), *PAGE.end()).min(buffer);
        let pages = buffer.checked_div(page_size).unwrap_or(0);
        let page = |_| Page { bytes: Vec::with_capacity(page_size), lines: 0 };
        Self {
            page_size,
            pages,
            free: Mutex::new((0..pages).map(page).collect()),
            reopen: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    fn recycle(&self, mut page: Page) {
        page.bytes.clear();
        page.lines = 0;
        self.free.lock().push(page);
    }

    #[cold]
    fn lose(&self, refused: std::sync::mpsc::TrySendError<Order>) {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        let (Full(order) | Disconnected(order)) = refused;
        if let Order::Write(page) = order {
            self.dropped.fetch_add(page.lines, Ordering::Relaxed);
            self.recycle(page);
        }
    }
}
