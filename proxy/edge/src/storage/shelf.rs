//! Which stores there are to be, and which stage has which part of one.

use std::sync::Arc;

use sluice_cache::invalidate::Bans;

use super::stage_disk::StageDisk;
use crate::config::OWN_STORE;

const POOL: &str = "pool";

/// A store as it should be.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Its name, and that of its directory.
    pub name: String,
    /// Bytes.
    pub capacity: u64,
    /// The stages in it.
    pub stages: Vec<Shelved>,
}

/// A stage's part of a store.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// `API/STAGE`.
    pub name: String,
    /// Bytes.
    pub share: u64,
    /// Where it is served from.
    pub disk: Arc<StageDisk>,
    /// What is forbidden.
    pub bans: Arc<Bans>,
}

/// All stores as they should be.
pub type Shelves = Vec<Shelf>;

/// Large stages have stores of their own, the others share one.
pub fn shelves(stages: impl Iterator<Item = Shelved>) -> Shelves {
    let (large, small): (Vec<Shelved>, Vec<Shelved>) = stages.partition(|stage| stage.share >= OWN_STORE);
    let own = large.into_iter().map(|stage| Shelf {
        name: own_name(&stage.name),
        capacity: stage.share,
        stages: vec![stage],
    });
    let capacity = small.iter().map(|stage| stage.share).sum();
    let pool = (!small.is_empty()).then(|| Shelf { name: POOL.into(), capacity, stages: small });
    own.chain(pool).collect()
}

/// The name of a stage's own store. Neither an API's id nor a stage's name has a dot or a slash at its edges.
pub(super) fn own_name(stage: &str) -> String {
    stage.replace('/', ".")
}
