//! What all workers share, and how it is made and changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use sluice_cache::KeyHasher;

use super::accounts::VOCABULARY;
use super::listeners::{ListenerError, Listeners};
use crate::config::{Configuration, Finding, Node};
use crate::message::date::Epoch;
use crate::observe::access_log::{AccessLog, AccessLogError};
use crate::observe::explain::Explain;
use crate::observe::metrics::Metrics;
use crate::observe::process_log::ProcessLog;
use crate::plan::{CompileError, Plan, Registries, compile};
use crate::stage::Ledger;

/// What all workers share.
pub struct Gateway {
    /// The start of the process.
    pub epoch: Epoch,
    /// The plan of the moment.
    pub plan: Arc<ArcSwap<Plan>>,
    /// Fingerprints cache keys.
    pub hasher: KeyHasher,
    /// Counters.
    pub metrics: Metrics,
    /// The last requests of every worker.
    pub explain: Explain<Ledger>,
    /// The access log.
    pub access_log: Option<AccessLog>,
    /// What outlives plans.
    pub registries: Registries,
    /// Listening addresses.
    pub listeners: Listeners,
    /// The process log's settings.
    pub process_log: ProcessLog,
    /// The node's settings with which the process began.
    pub(super) node: Node,
    pub(super) reloading: parking_lot::Mutex<()>,
    draining: AtomicBool,
    stopping: AtomicBool,
    open: AtomicUsize,
    workers: AtomicUsize,
    ready: AtomicUsize,
    file: PathBuf,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has errors.
    #[error("the configuration has errors")]
    Configuration(Vec<Finding>),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The access log cannot be opened.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// A listener's TLS.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// No randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(std::io::Error),
}

impl Gateway {
    /// A gateway for a checked configuration that was read from `file`.
    pub fn new(configuration: &Configuration, file: &Path, process_log: ProcessLog) -> Result<Self, StartError> {
        let epoch = Epoch::start();
        let metrics = Metrics::new(VOCABULARY);
        let registries = Registries::default();
        let plan = compile(configuration, &registries, &metrics, epoch.mono())?;
        let access_log = configuration.node.access_log.as_ref();
        let listeners = Listeners::new(configuration, &metrics)?;
        Ok(Self {
            listeners,
            process_log,
            node: configuration.node.clone(),
            reloading: parking_lot::Mutex::new(()),
            open: AtomicUsize::new(0),
            workers: AtomicUsize::new(configuration.node.threads),
            ready: AtomicUsize::new(0),
            epoch,
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            hasher: KeyHasher::new(secret().map_err(StartError::Random)?),
            metrics,
            explain: Explain::default(),
            access_log: access_log.map(|l| AccessLog::start(l, configuration.node.threads)).transpose()?,
            registries,
            draining: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            file: file.into(),
        })
    }

    /// The process is ending: connections close when they have answered.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// From now on connections close when they have answered.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The process is ending, and nobody takes its sockets over.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// As [`Gateway::drain`], where nobody takes the sockets over.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.drain();
    }

    /// A connection was accepted.
    pub fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Connections of all workers.
    pub fn open_connections(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// A worker listens; the last one tells the service manager.
    pub fn worker_ready(&self) {
        if self.ready.fetch_add(1, Relaxed) + 1 == self.workers.load(Relaxed) {
            tracing::info!("ready");
            let pid = sd_notify::NotifyState::MainPid(std::process::id());
            // Without a service manager there is nobody to tell.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, pid]);
        }
    }

    /// Every worker listens and none is ending.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed) >= self.workers.load(Relaxed) && !self.is_draining()
    }

    /// A worker's last connection has ended. With the last worker the process ends: all that would still happen is that
    /// Pingora waits for its grace period to pass.
    pub fn worker_done(&self) {
        if self.ready.fetch_sub(1, Relaxed) == 1 {
            if let Some(log) = &self.access_log {
                log.flush(Duration::from_secs(2));
            }
            tracing::info!("every connection has ended");
            std::process::exit(0);
        }
    }

    /// The configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// Nobody outside may know into which shard of a cache a key falls.
fn secret() -> std::io::Result<[u8; sluice_cache::key::SECRET_LEN]> {
    use std::io::Read;
    let mut secret = [0; sluice_cache::key::SECRET_LEN];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
    Ok(secret)
}
