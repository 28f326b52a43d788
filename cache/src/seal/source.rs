//! Where a key is read from: a file, an environment variable, or the output of a command, such as a client of a key
//! management service.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

use super::command;
use super::secret::{Secret, SecretError};

/// The most that is read from any source, bytes: more than any form of a key has.
pub(super) const OUTPUT_LIMIT: usize = 1024;

/// Where a key is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A regular file.
    File(PathBuf),
    /// An environment variable of this process.
    Variable(String),
    /// What a program writes to its standard output. No shell takes part; what it writes to its standard error goes to
    /// ours.
    Command {
        /// The program.
        program: PathBuf,
        /// What it is called with.
        arguments: Vec<String>,
        /// It is killed when it takes longer.
        timeout: Duration,
    },
}

/// Why no key comes from a source.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A directory, a pipe, a device: reading it could wait for ever.
    #[error("{} is no regular file", .0.display())]
    NoFile(PathBuf),
    /// It is not set, or not text.
    #[error("the environment variable {0} is not set, or is no text")]
    Variable(String),
    /// The program cannot be started, or its output cannot be read.
    #[error("cannot run {}: {error}", program.display())]
    Command {
        /// Which.
        program: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It ended, and says that it failed.
    #[error("{} failed ({status})", program.display())]
    Failed {
        /// Which.
        program: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// It took too long and was killed.
    #[error("{} did not end within {timeout:?}", program.display())]
    Slow {
        /// Which.
        program: PathBuf,
        /// Its time.
        timeout: Duration,
    },
    /// More than any key has.
    #[error("there are more than {OUTPUT_LIMIT} bytes, and a key has 32")]
    TooLong,
    /// What was read is no key.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Source {
    /// Reads the key.
    ///
    /// # Errors
    /// Why there is none.
    pub fn load(&self) -> Result<Secret, SourceError> {
        let bytes = match self {
            Self::File(path) => file(path)?,
            Self::Variable(name) => variable(name)?,
            Self::Command { program, arguments, timeout } => command::output(program, arguments, *timeout)?,
        };
        Ok(Secret::parse(&bytes)?)
    }
}

fn file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::File { path: path.to_owned(), error };
    // Opening a pipe would wait for its writer.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(SourceError::NoFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    bounded(file).map_err(failed)?.ok_or(SourceError::TooLong)
}

fn variable(name: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let value = std::env::var(name).map_err(|_| SourceError::Variable(name.to_owned()))?;
    Ok(Zeroizing::new(value.into_bytes()))
}

/// All that there is to read, in memory that is wiped; nothing if it is too much. Never grows, so no copy is left
/// behind.
pub(super) fn bounded(source: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(OUTPUT_LIMIT + 64));
    source.take(OUTPUT_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= OUTPUT_LIMIT).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn shell(script: &str, timeout: Duration) -> Result<Secret, SourceError> {
        let arguments = vec!["-c".into(), script.into()];
        Source::Command { program: "/bin/sh".into(), arguments, timeout }.load()
    }

    fn soon(script: &str) -> Result<Secret, SourceError> {
        shell(script, Duration::from_secs(60))
    }

    fn is_the_key(secret: &Secret) -> bool {
        secret.is(&Secret::from_bytes(std::array::from_fn(|i| i as u8)))
    }

    #[test]
    fn a_file_gives_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        assert!(is_the_key(&Source::File(path.clone()).load().unwrap()));
        std::fs::write(&path, "x".repeat(OUTPUT_LIMIT + 1)).unwrap();
        assert!(matches!(Source::File(path).load(), Err(SourceError::TooLong)));
    }

    #[test]
    fn no_file_says_which_and_why() {
        let error = Source::File("/no/such/key".into()).load().unwrap_err();
        assert_eq!(error.to_string(), "cannot read /no/such/key: No such file or directory (os error 2)");
        let error = Source::File("/dev".into()).load().unwrap_err();
        assert_eq!(error.to_string(), "/dev is no regular file");
    }

    /// Asks itself in another process: changing the variables of a process with threads is not sound.
    #[test]
    fn a_variable_gives_a_key() {
        let ask = |key: &str| {
            let mut call = std::process::Command::new(std::env::current_exe().unwrap());
            call.args(["--exact", "seal::source::tests::in_another_process", "--ignored"]);
            call.env("SLUICE_TEST_KEY", key).output().unwrap().status.success()
        };
        assert!(ask(KEY));
        assert!(!ask(&KEY.replace('1', "2")));
    }

    #[test]
    #[ignore = "for the test above"]
    fn in_another_process() {
        assert!(is_the_key(&Source::Variable("SLUICE_TEST_KEY".into()).load().unwrap()));
    }

    #[test]
    fn a_command_gives_a_key() {
        assert!(is_the_key(&soon(&format!("echo {KEY}")).unwrap()));
    }

    #[test]
    fn a_command_that_fails_is_told_even_if_it_gave_a_key() {
        let error = soon(&format!("echo {KEY}; exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh failed (exit status: 3)");
        let absent = Source::Command { program: "/no/such".into(), arguments: vec![], timeout: Duration::ZERO };
        assert_eq!(
            absent.load().unwrap_err().to_string(),
            "cannot run /no/such: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_command_without_an_end_is_killed_at_its_deadline() {
        let begun = Instant::now();
        for script in ["exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let error = shell(script, Duration::from_millis(100)).unwrap_err();
            assert!(matches!(error, SourceError::Slow { .. }), "{script}: {error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_command_that_never_stops_writing_is_killed() {
        assert!(matches!(soon("exec cat /dev/zero"), Err(SourceError::TooLong)));
    }
}
