//! How a running gateway is reached, whose caches are meant, and how a command ends.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::usual_file::usual_file;
use super::client::Client;
use crate::config::Configuration;
use crate::observe::admin::percent_encode;

/// How the gateway is reached.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// The configuration file, for the address of the admin listener and its token.
    #[arg(long, value_name = "FILE", default_value_os_t = usual_file())]
    config: PathBuf,
    /// The admin listener, instead of what the configuration says: IP:PORT or unix:PATH.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// A file with the admin listener's token, instead of what the configuration says.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Whose caches are meant; all where nothing is said.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Scope {
    /// The API's id.
    #[arg(long)]
    api: Option<String>,
    /// The stage's name.
    #[arg(long, requires = "api")]
    stage: Option<String>,
}

/// Why a command has not done what it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    /// Nobody could be asked.
    #[error("{0:#}")]
    Unreachable(anyhow::Error),
    /// The gateway said no.
    #[error("{message} (status {status})")]
    Refused { status: u16, message: String },
    /// Some of it failed; each was told of.
    #[error("{0}")]
    Failed(String),
}

impl From<anyhow::Error> for CacheError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unreachable(error)
    }
}

impl From<std::io::Error> for CacheError {
    fn from(error: std::io::Error) -> Self {
        Self::Unreachable(error.into())
    }
}

/// Tells what went wrong, and how bad it is.
pub(super) fn exit(done: Result<(), CacheError>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    eprintln!("sluice: {error}");
    ExitCode::from(if matches!(error, CacheError::Unreachable(_)) { 2 } else { 1 })
}

impl Reach {
    /// A caller of the admin listener.
    pub(super) fn client(&self) -> Result<Client, CacheError> {
        let configured = match &self.admin {
            Some(_) => None,
            None => configuration(&self.config)?.node.admin,
        };
        Ok(Client::new(self.admin.as_deref(), self.token_file.as_deref(), configured)?)
    }
}

/// What is configured; warnings are `check`'s to tell.
pub(super) fn configuration(file: &std::path::Path) -> Result<Configuration, CacheError> {
    let read = Configuration::load(file).map(|(configuration, _)| configuration);
    read.map_err(|findings| {
        let first = findings.iter().find(|finding| finding.is_error());
        anyhow::anyhow!("{}", first.map_or_else(String::new, ToString::to_string)).into()
    })
}

impl Scope {
    /// Says so in a wish.
    pub(super) fn write(&self, wish: &mut Value) {
        for (name, value) in [("api", &self.api), ("stage", &self.stage)] {
            if let (Some(value), Some(map)) = (value, wish.as_object_mut()) {
                map.insert(name.into(), json!(value));
            }
        }
    }

    /// The same as a query.
    pub(super) fn query(&self) -> String {
        let pair = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name}={}", percent_encode(v)));
        let pairs: Vec<_> = [pair("api", &self.api), pair("stage", &self.stage)].into_iter().flatten().collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}
