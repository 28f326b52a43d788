//! Reload: the whole new configuration or none of it. While it is read and compiled the old plan serves, and a
//! configuration with errors leaves it serving.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use notify::{RecursiveMode, Watcher};
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::gateway::Gateway;
use super::listeners::ListenerError;
use crate::config::{Configuration, Finding, Node};
use crate::plan::{CompileError, compile};

/// Editors and deployment tools write a file in several steps: the change is looked at when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(300);

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Every finding.
    #[error("the configuration has errors: {}", first(.0))]
    Configuration(Vec<Finding>),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Another process has taken over.
    #[error("this process is ending")]
    Ending,
    /// A certificate, or something that a reload cannot change.
    #[error(transparent)]
    Listener(#[from] ListenerError),
}

fn first(findings: &[Finding]) -> String {
    findings.iter().find(|f| f.is_error()).map(ToString::to_string).unwrap_or_default()
}

impl Gateway {
    /// Reads the configuration file again and takes it over.
    pub fn reload(&self) -> Result<(), ReloadError> {
        // Two at once would each be whole, but which of them stands would be chance.
        let _one = self.reloading.lock();
        let result = self.try_reload();
        self.metrics.reloaded(result.is_ok());
        match &result {
            Ok(()) => tracing::info!(file = %self.file().display(), version = self.plan.load().version, "reloaded"),
            Err(error) => tracing::error!(%error, "the reload changed nothing"),
        }
        result
    }

    fn try_reload(&self) -> Result<(), ReloadError> {
        if self.is_draining() {
            // Buckets that were handed over would fill again.
            return Err(ReloadError::Ending);
        }
        let (configuration, findings) = Configuration::load(self.file()).map_err(ReloadError::Configuration)?;
        for finding in &findings {
            tracing::warn!("{finding}");
        }
        for key in fixed_changes(&self.node, &configuration.node) {
            tracing::warn!(key, "changes with an upgrade or a restart only");
        }
        let prepared = self.listeners.prepare(&configuration)?;
        let plan = compile(&configuration, &self.registries, &self.metrics, self.epoch.mono())?;
        self.listeners.put(prepared);
        self.plan.store(Arc::new(plan));
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        if let Err(error) = self.process_log.apply(&configuration.node.log) {
            tracing::warn!(%error, "the process log stays as it was");
        }
        Ok(())
    }
}

/// Keys of the node that differ from those with which the process began, and that a reload leaves as they were.
fn fixed_changes(begun: &Node, new: &Node) -> impl Iterator<Item = &'static str> {
    let keys = [
        ("threads", begun.threads != new.threads),
        ("admin", begun.admin != new.admin),
        ("access_log", begun.access_log != new.access_log),
        ("demo", begun.demo != new.demo),
        ("upgrade_socket", begun.upgrade_socket != new.upgrade_socket),
        ("shutdown_grace", begun.shutdown_grace != new.shutdown_grace),
    ];
    keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key)
}

/// Reloads on SIGHUP and when the file changes.
pub struct Reloader {
    /// What is reloaded.
    pub gateway: Arc<Gateway>,
}

#[async_trait]
impl Service for Reloader {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = watch(self.gateway.file(), changed);
        while !*shutdown.borrow() {
            tokio::select! {
                _ = hangup.recv() => {}
                Some(()) = changes.recv() => quiet(&mut changes).await,
                _ = shutdown.changed() => break,
            }
            // Reading files and compiling may take a while; nothing else runs on this thread.
            let _ = self.gateway.reload();
        }
    }

    fn name(&self) -> &str {
        "reload"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

async fn quiet(changes: &mut mpsc::Receiver<()>) {
    while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
}

/// Watches the file's directory: a file that is replaced by another of its name is a new file.
fn watch(file: &Path, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let name = file.file_name()?.to_owned();
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => ".".into(),
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let ours = event.paths.iter().any(|p| p.file_name() == Some(&name));
        if ours && !event.kind.is_access() {
            // One that waits already will see this change too.
            let _ = changed.try_send(());
        }
    });
    let mut watcher = watcher.map_err(|error| tracing::warn!(%error, "the configuration file is not watched")).ok()?;
    match watcher.watch(&directory, RecursiveMode::NonRecursive) {
        Ok(()) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the configuration file is not watched");
            None
        }
    }
}
