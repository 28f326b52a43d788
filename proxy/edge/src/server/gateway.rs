//! What all workers share, and how it is made and changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sluice_cache::KeyHasher;

use super::accounts::VOCABULARY;
use super::life::Life;
use super::listeners::{ListenerError, Listeners};
use super::notify;
use super::reload::AdminToken;
use super::upgrade::{Launcher, Predecessor, await_successor};
use crate::config::{Configuration, Finding, Node};
use crate::message::date::Epoch;
use crate::observe::access_log::{AccessLog, AccessLogError};
use crate::observe::admin::Token;
use crate::observe::explain::Explain;
use crate::observe::metrics::Metrics;
use crate::observe::process_log::ProcessLog;
use crate::plan::{CompileError, Plan, Registries, compile};
use crate::stage::Ledger;
use crate::storage::{Storage, StorageError};

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
    /// What lies below the caches' memory.
    pub storage: Arc<Storage>,
    /// Listening addresses.
    pub listeners: Listeners,
    /// The process log's settings.
    pub process_log: ProcessLog,
    /// From start to end.
    pub life: Life,
    /// Starts the next process.
    pub launcher: Launcher,
    /// The node's settings with which the process began.
    pub(super) node: Node,
    pub(super) reloading: Mutex<()>,
    pub(super) admin_token: Option<AdminToken>,
    /// Files that the configuration of the moment names.
    pub(super) named: Mutex<Vec<PathBuf>>,
    pub(super) handing: Mutex<()>,
    predecessor: Mutex<Option<Predecessor>>,
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
    /// The admin token.
    #[error("the admin token: {0}")]
    Token(std::io::Error),
    /// The caches' disk, or the keys for it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Gateway {
    /// A gateway for a checked configuration that was read from `file`.
    pub fn new(configuration: &Configuration, file: &Path, process_log: ProcessLog) -> Result<Self, StartError> {
        Self::after(None, configuration, file, process_log)
    }

    /// The same, which takes over from a process that runs once its workers are ready.
    pub fn after(
        predecessor: Option<Predecessor>,
        configuration: &Configuration,
        file: &Path,
        process_log: ProcessLog,
    ) -> Result<Self, StartError> {
        let epoch = Epoch::start();
        let metrics = Metrics::new(VOCABULARY);
        let cache = &configuration.node.cache;
        let storage = Arc::new(Storage::new(cache, epoch)?);
        let registries = Registries::over(Arc::clone(&storage));
        let plan = compile(configuration, &registries, &metrics, epoch.mono())?;
        let access_log = configuration.node.access_log.as_ref();
        let listeners = Listeners::new(configuration, &metrics)?;
        Ok(Self {
            listeners,
            process_log,
            node: configuration.node.clone(),
            life: Life::new(configuration.node.threads, predecessor.is_none()),
            launcher: Launcher::new(file),
            reloading: Mutex::new(()),
            admin_token: AdminToken::new(&configuration.node).map_err(StartError::Token)?,
            named: Mutex::new(configuration.files.clone()),
            handing: Mutex::new(()),
            predecessor: Mutex::new(predecessor),
            epoch,
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            hasher: KeyHasher::new(Storage::key_secret(cache, secret)?),
            metrics,
            explain: Explain::default(),
            access_log: access_log.map(|l| AccessLog::start(l, configuration.node.threads)).transpose()?,
            registries,
            storage,
            file: file.into(),
        })
    }

    /// The process is ending: connections close when they have answered.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.life.is_draining()
    }

    /// From now on connections close when they have answered.
    pub fn drain(&self) {
        self.life.drain(self.epoch.mono());
        self.storage.close_aside();
    }

    /// A connection was accepted.
    pub fn opened(&self) {
        self.life.opened();
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.life.closed();
    }

    /// Connections of all workers.
    pub fn open_connections(&self) -> usize {
        self.life.open_connections()
    }

    /// Every worker accepts and none is ending.
    pub fn is_ready(&self) -> bool {
        self.life.is_ready()
    }

    /// A worker has its sockets. With the last one the process serves, at an upgrade in the place of the one before.
    pub fn worker_ready(self: &Arc<Self>) {
        if !self.life.worker_ready() {
            return;
        }
        let Some(predecessor) = self.predecessor.lock().take() else {
            await_successor(self, false);
            return self.serves();
        };
        let gateway = self.clone();
        // The worker must not wait for another process.
        let take_over = move || gateway.take_over(predecessor);
        if let Err(error) = std::thread::Builder::new().name("take-over".into()).spawn(take_over) {
            tracing::error!(%error, "no thread to take over with");
            std::process::exit(1);
        }
    }

    fn take_over(self: &Arc<Self>, predecessor: Predecessor) {
        match predecessor.succeed(self) {
            Ok(heir) => {
                self.life.accept(true);
                await_successor(self, true);
                self.serves();
                heir.settle(self);
            }
            Err(error) => {
                tracing::error!(%error, "the process before hands nothing over and goes on serving; this one ends");
                std::process::exit(1);
            }
        }
    }

    /// Tells the log and the service manager.
    fn serves(&self) {
        let addresses: Vec<_> = self.listeners.all.iter().map(|l| l.address.to_string()).collect();
        let admin = self.node.admin.as_ref().map(|admin| admin.endpoint.to_string());
        let admin = admin.as_deref().unwrap_or("none");
        tracing::info!(pid = std::process::id(), addresses = addresses.join(", "), admin, "ready");
        notify::serving();
    }

    /// A worker's last connection has ended. With the last worker the process ends: all that would still happen is that
    /// Pingora waits for its grace period to pass.
    pub fn worker_done(&self) {
        if self.life.worker_done() {
            if let Some(log) = &self.access_log {
                log.flush(Duration::from_secs(2));
            }
            self.storage.close();
            self.life.end();
            tracing::info!("every connection has ended");
            std::process::exit(0);
        }
    }

    /// Where the next process finds this one.
    pub(super) fn upgrade_socket(&self) -> &Path {
        &self.node.upgrade_socket
    }

    /// What callers of the admin listener must show.
    pub fn admin_token(&self) -> Option<Token> {
        self.admin_token.as_ref().map(|held| held.token.clone())
    }

    /// The files that the gateway is configured by.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let named = self.named.lock();
        let own = self.admin_token.iter().map(|held| &held.file);
        let mut files: Vec<_> = [&self.file].into_iter().chain(named.iter()).chain(own).cloned().collect();
        files.sort();
        files.dedup();
        files
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
