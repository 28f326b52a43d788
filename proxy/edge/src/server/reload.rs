//! Reload: the whole new configuration or none of it. While it is read and compiled the old plan serves, and a
//! configuration with errors leaves it serving.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::signal::unix::Signal;

use super::gateway::Gateway;
use super::listeners::ListenerError;
use super::notify;
use super::watch::Watch;
use crate::config::{Configuration, Finding, Node};
use crate::observe::admin::Token;
use crate::plan::{CompileError, compile};
use crate::storage::StorageError;

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
    /// The keys of encryption at rest.
    #[error(transparent)]
    Keys(#[from] StorageError),
    /// What is on disk, or in memory, would be readable where the new configuration says that it is not.
    #[error("[cache.encryption] comes, goes, and changes its 'encrypt' with an upgrade or a restart only")]
    Encryption,
    /// The admin token.
    #[error("the admin token: {0}")]
    Token(#[from] std::io::Error),
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
        // One that is not ready yet, or ends, must not seem to be ready afterwards.
        let serves = self.is_ready();
        if serves {
            notify::reloading();
        }
        let result = self.try_reload();
        self.metrics.reloaded(result.is_ok());
        let outcome = self.report(&result);
        if serves {
            notify::reloaded(&outcome);
        }
        result
    }

    /// Tells the log; and what the service manager may show.
    fn report(&self, result: &Result<(), ReloadError>) -> String {
        match result {
            Ok(()) => {
                let version = self.plan.load().version;
                tracing::info!(file = %self.file().display(), version, "reloaded");
                format!("serving version {version} of the configuration")
            }
            Err(error) => {
                tracing::error!(%error, "the reload changed nothing");
                format!("the last reload changed nothing: {error}")
            }
        }
    }

    /// Opens the access log's file by its name again, after a rotation.
    pub fn reopen_logs(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
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
        if is_other_encryption(&self.node, &configuration.node) {
            return Err(ReloadError::Encryption);
        }
        for key in fixed_changes(&self.node, &configuration.node) {
            tracing::warn!(key, "changes with an upgrade or a restart only");
        }
        let prepared = self.listeners.prepare(&configuration)?;
        let token = self.admin_token.as_ref().map(AdminToken::read).transpose()?;
        let rotation = self.storage.rotate(&configuration.node.cache)?;
        let plan = compile(&configuration, &self.registries, &self.metrics, self.epoch.mono())?;
        rotation.keep();
        self.listeners.put(prepared);
        self.plan.store(Arc::new(plan));
        if let (Some(held), Some(token)) = (&self.admin_token, token) {
            held.token.become_same(&token);
        }
        *self.named.lock() = configuration.files;
        self.reopen_logs();
        if let Err(error) = self.process_log.apply(&configuration.node.log) {
            tracing::warn!(%error, "the process log stays as it was");
        }
        Ok(())
    }
}

/// The admin listener's token, and the file that it is read from: that of the start.
pub(super) struct AdminToken {
    pub(super) file: PathBuf,
    pub(super) token: Token,
}

impl AdminToken {
    /// For a process that starts.
    pub(super) fn new(node: &Node) -> std::io::Result<Option<Self>> {
        let file = node.admin.as_ref().and_then(|admin| admin.token_file.clone());
        file.map(|file| Ok(Self { token: Token::from_file(&file)?, file })).transpose()
    }

    fn read(&self) -> std::io::Result<Token> {
        Token::from_file(&self.file)
    }
}

/// Keys of the node that differ from those with which the process began, and that a reload leaves as they were.
fn fixed_changes(begun: &Node, new: &Node) -> impl Iterator<Item = &'static str> {
    let keys = [
        ("threads", begun.threads != new.threads),
        ("admin", begun.admin != new.admin),
        ("access_log", begun.access_log != new.access_log),
        ("demo", begun.demo != new.demo),
        ("cache.disk", is_another_disk(begun, new)),
        ("upgrade_socket", begun.upgrade_socket != new.upgrade_socket),
        ("shutdown_grace", begun.shutdown_grace != new.shutdown_grace),
    ];
    keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key)
}

/// Its size may change while the process runs.
fn is_another_disk(begun: &Node, new: &Node) -> bool {
    let place = |node: &Node| node.cache.disk.as_ref().map(|disk| (disk.directory.clone(), disk.reads));
    place(begun) != place(new)
}

/// Keys may come and go while the process runs. What they protect may not: a warning alone would leave the operator with
/// plain text on disk after a reload that succeeded.
fn is_other_encryption(begun: &Node, new: &Node) -> bool {
    let what = |node: &Node| node.cache.encryption.as_ref().map(|encryption| encryption.everywhere);
    what(begun) != what(new)
}

/// Reloads on SIGHUP and when a file changes.
pub struct Reloader {
    /// What is reloaded.
    pub gateway: Arc<Gateway>,
    /// SIGHUP: heard from before the process is ready, for it would end it.
    pub hangup: Signal,
}

#[async_trait]
impl Service for Reloader {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let mut watch = Watch::new(self.gateway.files());
        while !*shutdown.borrow() {
            tokio::select! {
                _ = self.hangup.recv() => { watch.look(); }
                () = watch.changed() => {}
                _ = shutdown.changed() => break,
            }
            // Reading files and compiling may take a while; nothing else runs on this thread.
            let _ = self.gateway.reload();
            watch.follow(self.gateway.files());
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
