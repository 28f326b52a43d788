//! What a directory holds, for whoever has to know before it is opened.

use std::path::Path;

use super::files::RealDirectory;
use super::journal::{self, Read};

/// A store that somebody else may have open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Bytes of each of its segments.
    pub segment_bytes: u32,
    /// The names of its spaces.
    pub spaces: Vec<String>,
}

/// The store in a directory; nothing if there is none that can be read.
#[must_use]
pub fn found_in(directory: &Path) -> Option<Found> {
    (0..TRIES).find_map(|_| match journal::read(&RealDirectory::new(directory, false)) {
        Ok(Read::Whole(file, facts)) => {
            let spaces = facts.spaces.values().map(|space| space.name.clone()).collect();
            Some(Found { segment_bytes: file.identity.segment_bytes, spaces })
        }
        // Or it was being written.
        _ => None,
    })
}

/// Looks at a journal that its owner may be writing.
const TRIES: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::{Config, Store};
    use super::*;
    use crate::record::Codec;

    #[test]
    fn an_open_store_can_be_looked_at() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("store");
        assert_eq!(found_in(&directory), None);
        let store = Store::open(&Config { segment_bytes: 64 << 10, ..Config::new(&directory, 4 << 20) }).unwrap();
        let space = store.space("pets/prod", |_| Codec::plain()).unwrap();
        let spaces = vec!["pets/prod".to_owned()];
        assert_eq!(found_in(&directory), Some(Found { segment_bytes: 64 << 10, spaces }));
        space.forget().wait().unwrap();
        assert_eq!(found_in(&directory).map(|found| found.spaces), Some(vec![]));
        store.close();
        std::fs::write(directory.join(journal::NAME), b"something else").unwrap();
        assert_eq!(found_in(&directory), None);
    }
}
