//! What all workers share, and how it is made and changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;
use sluice_cache::KeyHasher;

use super::accounts::VOCABULARY;
use crate::config::{Configuration, Finding};
use crate::message::date::Epoch;
use crate::observe::access_log::{AccessLog, AccessLogError};
use crate::observe::explain::Explain;
use crate::observe::metrics::Metrics;
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
    draining: AtomicBool,
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
    /// No randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(std::io::Error),
}

impl Gateway {
    /// A gateway for a checked configuration that was read from `file`.
    pub fn new(configuration: &Configuration, file: &Path) -> Result<Self, StartError> {
        let epoch = Epoch::start();
        let metrics = Metrics::new(VOCABULARY);
        let registries = Registries::default();
        let plan = compile(configuration, &registries, &metrics, epoch.mono())?;
        let access_log = configuration.node.access_log.as_ref();
        Ok(Self {
            epoch,
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            hasher: KeyHasher::new(secret().map_err(StartError::Random)?),
            metrics,
            explain: Explain::default(),
            access_log: access_log.map(|l| AccessLog::start(l, configuration.node.threads)).transpose()?,
            registries,
            draining: AtomicBool::new(false),
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
