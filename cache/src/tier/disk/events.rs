//! What an operator should hear of: one line each, handed to whoever keeps a log.

use std::fmt;
use std::io;

/// Takes the lines. Called from the store's threads; must not block for long.
pub trait Events: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// Something that an operator should know; `Display` is the line.
#[derive(Debug)]
pub enum Event<'a> {
    /// The index is there: entries can be found.
    Recovered {
        /// Entries found.
        entries: u64,
        /// Segments they are in.
        segments: u64,
    },
    /// A file in the directory is not used, and left alone.
    Ignored {
        /// Its name.
        file: &'a str,
        /// Why.
        why: &'a str,
    },
    /// Segments could not be believed and were dropped.
    Dropped {
        /// How many.
        segments: u64,
        /// Why.
        why: &'a str,
    },
    /// The journal was not whole; the cache starts empty.
    ColdStart {
        /// Why.
        why: &'a str,
    },
    /// The file system is smaller than the capacity; the cache keeps to what there is.
    NoSpace {
        /// Segments that there are.
        segments: u64,
    },
    /// A write failed; the cache keeps nothing new until one succeeds.
    WritesFail {
        /// What the system said.
        error: &'a io::Error,
    },
    /// Writes succeed again.
    WritesResume,
    /// A read failed; such reads are misses.
    ReadsFail {
        /// What the system said.
        error: &'a io::Error,
    },
    /// Reads succeed again.
    ReadsResume,
    /// What was to be remembered could not be written down yet.
    JournalFails {
        /// What the system said.
        error: &'a io::Error,
    },
    /// Everything of one space was dropped, for more of it was in doubt than can be kept track of.
    Doubted {
        /// The space's name.
        space: &'a str,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered { entries, segments } => {
                write!(f, "disk cache ready: {entries} entries in {segments} segments")
            }
            Self::Ignored { file, why } => write!(f, "disk cache: {file} is left alone: {why}"),
            Self::Dropped { segments, why } => write!(f, "disk cache: {segments} segments dropped: {why}"),
            Self::ColdStart { why } => write!(f, "disk cache starts empty: {why}"),
            Self::NoSpace { segments } => {
                write!(f, "disk cache: the file system is full; keeping to {segments} segments")
            }
            Self::WritesFail { error } => write!(f, "disk cache cannot write, and keeps nothing new: {error}"),
            Self::WritesResume => f.write_str("disk cache writes again"),
            Self::ReadsFail { error } => write!(f, "disk cache cannot read: {error}"),
            Self::ReadsResume => f.write_str("disk cache reads again"),
            Self::JournalFails { error } => write!(f, "disk cache cannot write its journal: {error}"),
            Self::Doubted { space } => write!(f, "disk cache: all of {space} dropped, too much of it was in doubt"),
        }
    }
}
