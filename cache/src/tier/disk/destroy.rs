//! Taking a store that nobody wants any more off the disk.
//!
//! The journal goes first: overwritten on the device, as far as the device overwrites, for it has the salts without which
//! no sealed record opens. Only what a store makes is removed; a directory that has more in it stays.

use std::io;
use std::path::Path;

use super::OpenError;
use super::files::{DirectoryIo, RealDirectory};
use super::journal;
use super::open::{LOCK, claim};
use super::recover::is_file_name;

/// Whether a store lies in this directory.
#[must_use]
pub fn lies_in(directory: &Path) -> bool {
    directory.join(journal::NAME).is_file()
}

/// The length of a store's segments, bytes; 0 where nothing can be read.
#[must_use]
pub fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = directory.read_dir() else { return 0 };
    let segments = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_file_name));
    segments.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Destroys the store in a directory, and frees its room. What it held cannot be read any more by anybody, if it was
/// sealed, once this returns.
///
/// # Errors
/// It is open, here or in another process; or the system refuses something: then a part of it may be left.
pub fn destroy(directory: &Path) -> Result<(), OpenError> {
    let lock = claim(directory)?;
    let failed = |error| OpenError::Io { what: "removing", path: directory.to_owned(), error };
    remove_all(&RealDirectory::new(directory, false)).map_err(failed)?;
    // While it is locked; whoever comes now begins anew.
    std::fs::remove_file(directory.join(LOCK)).map_err(failed)?;
    drop(lock);
    match std::fs::remove_dir(directory) {
        // What else is there is somebody else's.
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(failed(error)),
        _ => Ok(()),
    }
}

fn remove_all(directory: &dyn DirectoryIo) -> io::Result<()> {
    journal::shred(directory)?;
    for name in directory.names()?.iter().filter(|name| is_file_name(name)) {
        directory.remove(name)?;
    }
    directory.sync()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Store};
    use super::*;
    use crate::record::Codec;

    #[test]
    fn a_store_goes_with_all_that_it_has_made_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("store");
        let config = Config { segment_bytes: 64 << 10, ..Config::new(&directory, 4 << 20) };
        let store = Store::open(&config).unwrap();
        store.space("pets/prod", |_| Codec::plain()).unwrap();
        store.commit().wait().unwrap();
        assert!(lies_in(&directory));
        assert!(matches!(destroy(&directory), Err(OpenError::InUse(_))), "it is open");
        store.close();
        std::fs::write(directory.join("segment-000099"), b"12345").unwrap();
        assert_eq!(bytes_in(&directory), (64 << 10) + 5);
        std::fs::write(directory.join("notes.txt"), b"mine").unwrap();
        destroy(&directory).unwrap();
        let left: Vec<_> = directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
        std::fs::remove_file(directory.join("notes.txt")).unwrap();
        Store::open(&config).unwrap().close();
        destroy(&directory).unwrap();
        assert!(!directory.exists());
    }
}
