//! The secret of the keys' fingerprints, kept beside what is found by them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sluice_cache::key::SECRET_LEN;
use thiserror::Error;

const NAME: &str = "key-secret";

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file or its directory cannot be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It has not the length of a secret.
    #[error("{} is not a cache's secret; without it the gateway starts, and the cache in this directory is empty", .0.display())]
    Length(PathBuf),
}

/// The secret in `directory`, or the one that `new` makes, which is kept there from now on.
///
/// # Errors
/// See [`SecretError`]. A file that is not a secret is left alone.
pub(super) fn key_secret(
    directory: &Path,
    new: impl FnOnce() -> io::Result<[u8; SECRET_LEN]>,
) -> Result<[u8; SECRET_LEN], SecretError> {
    let path = directory.join(NAME);
    let failed = |error| SecretError::Io { path: path.clone(), error };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    match read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| SecretError::Length(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = new().map_err(failed)?;
            keep(directory, &path, &secret).map_err(failed)?;
            // Another process may have been first; what is in the file counts.
            read(&path).map_err(failed)?.try_into().map_err(|_| SecretError::Length(path))
        }
        Err(error) => Err(failed(error)),
    }
}

/// At most one byte more than a secret has. A pipe there would have the start wait for ever for somebody who writes.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(
            "it is no regular file; without it the gateway starts, and the cache in this directory is empty",
        ));
    }
    let mut bytes = Vec::with_capacity(SECRET_LEN);
    file.take(SECRET_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Written aside and linked into place, so that nobody reads a part of it and nobody's is replaced.
fn keep(directory: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    let aside = directory.join(format!("{NAME}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(secret)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&aside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&aside)?;
    linked?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("deep/cache");
        let first = key_secret(&place, || Ok([7; SECRET_LEN])).unwrap();
        let second = key_secret(&place, || Ok([8; SECRET_LEN])).unwrap();
        assert_eq!((first, second), ([7; SECRET_LEN], [7; SECRET_LEN]));
        let names: Vec<_> = fs::read_dir(&place).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
        let mode = fs::metadata(place.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_secret_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NAME), "short").unwrap();
        assert!(matches!(key_secret(directory.path(), || Ok([0; SECRET_LEN])), Err(SecretError::Length(_))));
        assert_eq!(fs::read(directory.path().join(NAME)).unwrap(), b"short");
    }

    #[test]
    fn a_pipe_or_a_device_in_its_place_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(NAME);
        let refused = || match key_secret(directory.path(), || Ok([0; SECRET_LEN])) {
            Err(SecretError::Io { error, .. }) => error.to_string().contains("no regular file"),
            _ => false,
        };
        std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
        assert!(refused());
        fs::remove_file(&place).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
        assert!(refused());
    }
}
