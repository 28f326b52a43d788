//! A listening UNIX socket that only its owner may use, in a place where another process may want to listen next.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Listens on a UNIX socket of mode 0600. A socket that nobody listens on is replaced; one that is in use only if
/// `shared`, and then at once, so that no caller finds none.
///
/// # Errors
/// The place is taken by a file or by another process, or the operating system's reason.
pub(crate) fn listen(path: &Path, shared: bool) -> io::Result<(UnixListener, SocketFile)> {
    check_place(path, shared)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    remove_if_there(&new)?;
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, path)?;
    Ok((listener, SocketFile::at(path)?))
}

/// A socket's file, removed with it unless another process has put its own there.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Leaves the file where it is, for a process that puts its own there at this moment: between a look whose it is and its
    /// removal it could become that one's. Should none come, whoever listens there next replaces it.
    pub(crate) fn leave(mut self) {
        self.identity = (0, 0);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        remove_own(&self.path, self.identity, || ());
    }
}

/// Removes a file if it is this one. Another process may put its own there at any moment, one of which is `meanwhile`: so the
/// file is looked at once more where nobody else has a file, and goes back if it is another's.
fn remove_own(path: &Path, own: (u64, u64), meanwhile: impl FnOnce()) {
    let is_own = |path: &Path| identity(path).is_ok_and(|found| found == own);
    if !is_own(path) {
        return;
    }
    meanwhile();
    let aside = path.with_extension(format!("{}.old", std::process::id()));
    if fs::rename(path, &aside).is_err() {
        return;
    }
    if !is_own(&aside) {
        // Where there is a third one by now, that is the one to be there.
        let _ = fs::hard_link(&aside, path);
    }
    // Nobody would look for it there.
    let _ = fs::remove_file(&aside);
}

fn check_place(path: &Path, shared: bool) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is not a socket"));
    }
    if !shared && UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_goes_with_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("up.sock");
        let (_listener, file) = listen(&path, false).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(file);
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn another_process_s_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("up.sock");
        let (_old, file) = listen(&path, false).unwrap();
        let (new, _kept) = listen(&path, true).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok() && new.accept().is_ok());
    }

    /// Between the look whose file it is and its removal the next process came: nobody could reach that one.
    #[test]
    fn a_file_that_comes_at_the_last_moment_stays_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("up.sock");
        let (_old, file) = listen(&path, false).unwrap();
        let mut next = None;
        remove_own(&path, file.identity, || next = Some(listen(&path, true).unwrap()));
        let (new, _kept) = next.unwrap();
        assert!(UnixStream::connect(&path).is_ok() && new.accept().is_ok());
        assert_eq!(names(directory.path()), ["up.sock"]);
    }
}
