//! `sluice cache shred`.

use serde_json::{Value, json};

use super::reach::{CacheError, Reach};

/// Destroy what a stage has on disk, and the salt without which none of it that was sealed can be read by anybody. The
/// stage may be gone from the configuration; if it is there its cache begins anew.
#[derive(Debug, clap::Args)]
pub struct Shred {
    #[command(flatten)]
    reach: Reach,
    /// The API's id.
    #[arg(long)]
    api: String,
    /// The stage's name.
    #[arg(long)]
    stage: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Shred {
    pub(super) fn run(&self) -> Result<(), CacheError> {
        let wish = json!({ "api": self.api, "stage": self.stage });
        let done = self.reach.client()?.post("/sluice/cache/shred", &wish)?;
        let sealed = done.get("sealed").and_then(Value::as_bool).unwrap_or_default();
        match (self.json, sealed) {
            (true, _) => println!("{done:#}"),
            (false, true) => println!("{}/{}: destroyed", self.api, self.stage),
            (false, false) => println!(
                "{}/{}: forgotten; there are no keys, so it lies in the clear until it is overwritten",
                self.api, self.stage
            ),
        }
        Ok(())
    }
}
