//! `sluice cache`: what concerns the response cache, one file each.

pub mod plan;

use std::process::ExitCode;

use clap::Subcommand;

/// Work with the response cache.
#[derive(Debug, Subcommand)]
pub enum Cache {
    /// Replay an access log against caches of other sizes.
    Plan(plan::CachePlan),
}

impl Cache {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Plan(plan) => plan.run(),
        }
    }
}
