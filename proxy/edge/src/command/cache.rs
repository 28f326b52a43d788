//! `sluice cache`: what concerns the response cache, one file each.
//!
//! All but `plan` speak to a running gateway. They exit with 0, with 1 if something was refused or failed, and with 2 if
//! nothing could be asked at all.

mod client;
mod fetch;
mod flush;
pub mod plan;
mod print;
mod purge;
mod reach;
mod shred;
mod status;
mod warm;

use std::process::ExitCode;

use clap::Subcommand;

/// Work with the response cache.
#[derive(Debug, Subcommand)]
pub enum Cache {
    /// Show what the caches hold, and what they were good for.
    Status(Box<status::Status>),
    /// Remove or expire answers: by URL, method, path prefix or tag.
    Purge(Box<purge::Purge>),
    /// Forget everything.
    Flush(Box<flush::Flush>),
    /// Destroy what a stage has on disk, so that nobody can read it any more.
    Shred(Box<shred::Shred>),
    /// Request a list of URLs, so that their answers are stored.
    Warm(Box<warm::Warm>),
    /// Replay an access log against caches of other sizes.
    Plan(plan::CachePlan),
}

impl Cache {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Status(status) => reach::exit(status.run()),
            Self::Purge(purge) => reach::exit(purge.run()),
            Self::Flush(flush) => reach::exit(flush.run()),
            Self::Shred(shred) => reach::exit(shred.run()),
            Self::Warm(warm) => reach::exit(warm.run()),
            Self::Plan(plan) => plan.run(),
        }
    }
}
