//! `sluice cache flush`.

use serde_json::json;

use super::print;
use super::reach::{CacheError, Reach, Scope};

/// Forget everything, or everything of an API or a stage.
#[derive(Debug, clap::Args)]
pub struct Flush {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    scope: Scope,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Flush {
    pub(super) fn run(&self) -> Result<(), CacheError> {
        let mut wish = json!({ "everything": true });
        self.scope.write(&mut wish);
        let done = self.reach.client()?.post("/sluice/cache/purge", &wish)?;
        match self.json {
            true => println!("{done:#}"),
            false => print!("{}", print::purged(&done, "flushed")),
        }
        Ok(())
    }
}
