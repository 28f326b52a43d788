//! The process log: what the node has to say about itself, on standard error, as text or JSON lines.
//!
//! Lines are written by a thread of their own, so a slow terminal or journal never holds a worker; at most
//! [`WAITING`] lines wait, and those beyond are dropped. The guard that [`init`] returns writes out what still waits.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::ProcessLog as Settings;

/// Lines that may wait for the writer.
pub const WAITING: usize = 1_024;

/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// Libraries whose warnings are about what a client has sent: whoever likes could fill the log with them. What comes of it is
/// counted, and has its line in the access log. A level that names them has its way.
const QUIET: &str = "h2=error,pingora_core::protocols=error";

/// Why there is no process log.
#[derive(Debug, thiserror::Error)]
pub enum ProcessLogError {
    /// The level is not a filter.
    #[error("the log level \"{level}\" is not a filter: {reason}")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The writer's thread cannot be started.
    #[error("the process log's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// Something else has taken the log.
    #[error("the process log is already set up: {0}")]
    Taken(#[from] TryInitError),
}

/// Keeps the process log going; what still waits is written when it is dropped.
#[derive(Debug)]
pub struct ProcessLog {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

impl ProcessLog {
    /// Takes over another level, on a reload. The form, text or JSON, stays.
    ///
    /// # Errors
    /// The level is not a filter; the old one stays.
    pub fn apply(&self, settings: &Settings) -> Result<(), ProcessLogError> {
        let filter = filter(&settings.level)?;
        self.filter.reload(filter).map_err(|error| level_error(&settings.level, &error))
    }
}

impl Drop for ProcessLog {
    fn drop(&mut self) {
        self.lines.flush(PATIENCE);
    }
}

/// Sets the process log up, once per process.
///
/// # Errors
/// A level that is not a filter, or a log that is already set up.
pub fn init(settings: &Settings) -> Result<ProcessLog, ProcessLogError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
    let lines = Lines::start(io::stderr())?;
    let log = ProcessLog { filter: handle, lines: lines.clone() };
    Registry::default().with(filter).with(form(settings.json, lines)).try_init()?;
    Ok(log)
}

fn filter(level: &str) -> Result<EnvFilter, ProcessLogError> {
    EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|error| level_error(level, &error))
}

fn level_error(level: &str, error: &dyn std::error::Error) -> ProcessLogError {
    ProcessLogError::Level { level: level.to_owned(), reason: error.to_string() }
}

fn form<S>(json: bool, lines: Lines) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    if json {
        Box::new(fmt::layer().json().flatten_event(true).with_writer(lines))
    } else {
        Box::new(fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(lines))
    }
}

/// The way to the writer's thread.
#[derive(Clone, Debug)]
struct Lines {
    orders: SyncSender<Order>,
}

#[derive(Debug)]
enum Order {
    Write(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Lines {
    fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (orders, taken) = sync_channel(WAITING);
        thread::Builder::new().name("process-log".into()).spawn(move || write_all(&taken, out))?;
        Ok(Self { orders })
    }

    fn flush(&self, patience: Duration) -> bool {
        let (done, finished) = sync_channel(1);
        self.orders.try_send(Order::Flush(done)).is_ok() && finished.recv_timeout(patience).is_ok()
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// One call per line: that is how `tracing_subscriber` writes.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        drop(self.orders.try_send(Order::Write(line.to_vec())));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(orders: &Receiver<Order>, mut out: impl Write) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(line) => drop(out.write_all(&line)),
            Order::Flush(done) => drop(done.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Hands each line to the test, which may keep it waiting.
    struct Slow {
        seen: Sender<String>,
        go: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.go.recv().ok();
            self.seen.send(String::from_utf8_lossy(line).into_owned()).ok();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Lines, Receiver<String>, Sender<()>) {
        let ((seen, see), (let_go, go)) = (channel(), channel());
        (Lines::start(Slow { seen, go }).unwrap(), see, let_go)
    }

    #[test]
    fn json_lines_are_json_with_their_fields() {
        let (lines, seen, go) = slow();
        drop(go);
        let subscriber = Registry::default().with(filter("info").unwrap()).with(form(true, lines.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(api = "pets\n", "loaded");
            tracing::debug!("too much");
        });
        assert!(lines.flush(PATIENCE));
        let written: Vec<_> = seen.try_iter().collect();
        assert_eq!(written.len(), 1);
        let value: serde_json::Value = serde_json::from_str(&written[0]).unwrap();
        assert_eq!(
            (&value["level"], &value["message"], &value["api"]),
            (&"INFO".into(), &"loaded".into(), &"pets\n".into())
        );
    }

    #[test]
    fn a_stuck_terminal_holds_nobody() {
        let (lines, seen, go) = slow();
        for n in 0..3 * WAITING {
            let mut writer = &lines;
            writer.write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        drop(go);
        let written = seen.recv().into_iter().count();
        assert_eq!(written, 1);
        drop(lines);
        let kept = written + seen.iter().count();
        assert!((WAITING..=WAITING + 1).contains(&kept), "{kept}");
    }

    #[test]
    fn a_level_that_is_no_filter_is_refused() {
        assert!(matches!(filter("sluice=loud"), Err(ProcessLogError::Level { .. })));
        assert!(filter("info,sluice=debug").is_ok());
    }
}
