//! `sluice cache status`.

use super::print;
use super::reach::{CacheError, Reach, Scope};

/// Show what the caches hold, and what they were good for.
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    scope: Scope,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(&self) -> Result<(), CacheError> {
        let status = self.reach.client()?.get(&format!("/sluice/cache{}", self.scope.query()))?;
        match self.json {
            true => println!("{status:#}"),
            false => print!("{}", print::status(&status)),
        }
        Ok(())
    }
}
