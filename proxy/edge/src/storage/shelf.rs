//! Which stores there are to be, and which stage has which part of one.
//!
//! A stage stays where it lies when its size changes, also to one with which another would begin elsewhere: moving would
//! lose what it has, or read and write all of it again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_cache::invalidate::Bans;
use sluice_cache::tier::disk::{Config, Found, found_in};

use super::stage_disk::StageDisk;
use crate::config::OWN_STORE;

const POOL: &str = "pool";
/// More segments a stage is not to have: each is an open file.
const SEGMENTS_MOST: u64 = 16_384;
/// A shared store below this may not work with the segments that it has.
const POOL_LEAST: u64 = 256 << 20;

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

/// Large stages have stores of their own, the others share one; but what lies under `directory` already stays there.
pub(super) fn shelves(stages: Vec<Shelved>, directory: &Path) -> Shelves {
    let lying = Lying::under(directory);
    let (own, pooled): (Vec<_>, Vec<_>) = stages.into_iter().partition(|stage| lying.is_own(stage));
    let (own, pooled) = with_room_for_all(own, pooled);
    let own =
        own.into_iter().map(|stage| Shelf { name: own_name(&stage.name), capacity: stage.share, stages: vec![stage] });
    let capacity = sum(&pooled);
    let pool = (!pooled.is_empty()).then(|| Shelf { name: POOL.into(), capacity, stages: pooled });
    own.chain(pool).collect()
}

/// Small stages that would stay in stores of their own share one after all, if the others' would be too small to work.
fn with_room_for_all(own: Vec<Shelved>, mut pooled: Vec<Shelved>) -> (Vec<Shelved>, Vec<Shelved>) {
    if pooled.is_empty() || sum(&pooled) >= POOL_LEAST {
        return (own, pooled);
    }
    let (own, small) = own.into_iter().partition(|stage| stage.share >= OWN_STORE);
    pooled.extend(small);
    (own, pooled)
}

fn sum(stages: &[Shelved]) -> u64 {
    stages.iter().map(|stage| stage.share).sum()
}

/// What there is on disk.
struct Lying {
    directory: PathBuf,
    pool: Option<Found>,
}

impl Lying {
    fn under(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), pool: found_in(&directory.join(POOL)) }
    }

    fn is_own(&self, stage: &Shelved) -> bool {
        let is_large = stage.share >= OWN_STORE;
        let pool = self.pool.as_ref().filter(|pool| pool.spaces.contains(&stage.name));
        let own = found_in(&self.directory.join(own_name(&stage.name)));
        match (pool, own.filter(|own| own.spaces.contains(&stage.name))) {
            (Some(pool), None) => is_large && stage.share / u64::from(pool.segment_bytes.max(1)) > SEGMENTS_MOST,
            (None, Some(own)) => is_large || stage.share >= Config::capacity_least(own.segment_bytes),
            _ => is_large,
        }
    }
}

/// The name of a stage's own store. Neither an API's id nor a stage's name has a dot or a slash at its edges.
pub(super) fn own_name(stage: &str) -> String {
    stage.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use sluice_cache::record::Codec;
    use sluice_cache::tier::disk::Store;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn stage(name: &str, share: u64) -> Shelved {
        Shelved { name: name.into(), share, disk: Arc::default(), bans: Arc::default() }
    }

    /// Which store each stage is in, and how large each is in MB.
    fn placed(stages: &[(&str, u64)], directory: &Path) -> Vec<(String, u64, usize)> {
        let stages = stages.iter().map(|(name, share)| stage(name, *share)).collect();
        let shelves = shelves(stages, directory).into_iter();
        shelves.map(|shelf| (shelf.name, shelf.capacity / 1_000_000, shelf.stages.len())).collect()
    }

    /// A store that has something of these stages.
    fn lay(directory: &Path, store: &str, capacity: u64, stages: &[&str]) {
        let store = Store::open(&Config::new(&directory.join(store), capacity)).unwrap();
        stages.iter().for_each(|stage| drop(store.space(stage, |_| Codec::plain()).unwrap()));
    }

    #[test]
    fn who_begins_has_a_store_by_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let placed = placed(&[("a/x", 7 * GB), ("b/x", GB), ("c/x", GB / 2)], directory.path());
        assert_eq!(placed, [("a.x".into(), 7000, 1), ("pool".into(), 1500, 2)]);
    }

    #[test]
    fn who_has_something_stays_there_whatever_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        lay(at, "pool", GB / 2, &["a/x", "c/x"]);
        lay(at, "b.x", 7 * GB, &["b/x"]);
        let pool = || "pool".to_owned();
        assert_eq!(placed(&[("a/x", 7 * GB)], at), [(pool(), 7000, 1)]);
        assert_eq!(placed(&[("b/x", GB)], at), [("b.x".into(), 1000, 1)]);
        assert_eq!(placed(&[("b/x", GB), ("c/x", GB)], at), [("b.x".into(), 1000, 1), (pool(), 1000, 1)]);
        // As far as it works there.
        assert_eq!(placed(&[("a/x", 600 * GB)], at), [("a.x".into(), 600_000, 1)]);
        assert_eq!(placed(&[("b/x", GB / 5)], at), [(pool(), 200, 1)]);
        assert_eq!(placed(&[("b/x", GB), ("c/x", GB / 100)], at), [(pool(), 1010, 2)]);
    }

    #[test]
    fn who_has_something_in_both_goes_by_its_size() {
        let directory = tempfile::tempdir().unwrap();
        lay(directory.path(), "pool", GB, &["a/x"]);
        lay(directory.path(), "a.x", 7 * GB, &["a/x"]);
        assert_eq!(placed(&[("a/x", 7 * GB)], directory.path()), [("a.x".into(), 7000, 1)]);
        assert_eq!(placed(&[("a/x", GB)], directory.path()), [("pool".into(), 1000, 1)]);
    }
}
