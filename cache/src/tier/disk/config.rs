//! What a store is opened with, and why one is not opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::events::{Events, Silent};

const MIB: u64 = 1024 * 1024;

/// The fewest segments that a store works with: one is written, one may be in flight, one is evicted.
pub const SEGMENTS_LEAST: u64 = 4;

/// A larger record is not kept, bytes; half a segment if that is less.
pub const RECORD_LIMIT: usize = 32 * MIB as usize;

/// How records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reads {
    /// Past the page cache; the device is asked for every hit.
    Direct,
    /// Through the page cache; what is in there is answered at once.
    #[default]
    Buffered,
}

/// What a store is opened with. [`Config::new`] has sensible values for all but the first two.
#[derive(Clone)]
pub struct Config {
    /// The store's own directory; made if it is not there.
    pub directory: PathBuf,
    /// Bytes of disk that the segments may take in all; a whole number of segments is used.
    pub capacity: u64,
    /// Bytes of each segment of a new store; one that is there keeps its size. A multiple of 4 KiB, at most 64 MiB.
    pub segment_bytes: u32,
    /// How records are read.
    pub reads: Reads,
    /// Bytes of entries that may wait to be written; more are refused. It is memory only while they wait: enough for a
    /// tenth of a second in which a fast disk does nothing.
    pub queue_bytes: usize,
    /// Bytes written at once; there are two buffers of this size.
    pub batch_bytes: usize,
    /// Threads for reads that block.
    pub read_threads: usize,
    /// Reads that may wait for those threads; more are misses.
    pub read_queue: usize,
    /// How often a failing disk is tried again.
    pub retry: Duration,
    /// Who hears what an operator should know.
    pub events: Arc<dyn Events>,
}

impl Config {
    /// A store of `capacity` bytes in `directory`, with buffered reads.
    #[must_use]
    pub fn new(directory: &Path, capacity: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            capacity,
            segment_bytes: Self::segment_bytes_for(capacity),
            reads: Reads::Buffered,
            queue_bytes: 128 * MIB as usize,
            batch_bytes: 8 * MIB as usize,
            read_threads: 4,
            read_queue: 1024,
            retry: Duration::from_secs(1),
            events: Arc::new(Silent),
        }
    }

    /// The same with reads past the page cache, which need more threads.
    #[must_use]
    pub fn direct(self) -> Self {
        Self { reads: Reads::Direct, read_threads: 32, ..self }
    }

    /// The segments that suit a store: 64 MiB; 16 MiB below 4 GB, where 64 would be much of it.
    #[must_use]
    pub const fn segment_bytes_for(capacity: u64) -> u32 {
        let mib = if capacity < 4_000_000_000 { 16 } else { 64 };
        (mib * MIB) as u32
    }

    /// The least capacity with these segments, bytes.
    #[must_use]
    pub const fn capacity_least(segment_bytes: u32) -> u64 {
        SEGMENTS_LEAST * segment_bytes as u64
    }
}

/// Why a store was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Too few segments would fit.
    #[error("a disk cache of {capacity} bytes is too small: {least} bytes are the least, four segments")]
    TooSmall {
        /// What was asked for.
        capacity: u64,
        /// What would do.
        least: u64,
    },
    /// The file system has no room for it.
    #[error("{directory} has room for {available} bytes of cache, and {least} are the least")]
    DiskTooSmall {
        /// The store's directory.
        directory: PathBuf,
        /// Free, and taken by this store already.
        available: u64,
        /// What would do.
        least: u64,
    },
    /// A file descriptor is needed for each segment.
    #[error(
        "{needed} open files are needed, and this process may have {limit}: raise its limit (LimitNOFILE, ulimit -n)"
    )]
    OpenFiles {
        /// For all segments, and some for everything else.
        needed: u64,
        /// What the system allows.
        limit: u64,
    },
    /// Segments of an impossible size.
    #[error("segments of {0} bytes: a multiple of 4096 between 65536 and 67108864 is needed")]
    SegmentSize(u32),
    /// Another process, or another store of this one, has the directory.
    #[error("{0} is in use by another cache")]
    InUse(PathBuf),
    /// There is a file in the store's place that is not its own.
    #[error("{0} is not a file of this cache; it is left alone, so another directory is needed")]
    Foreign(PathBuf),
    /// A later version of Sluice wrote it.
    #[error("{path} has format {version}, which a later version of Sluice wrote; it is left alone")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u8,
    },
    /// The system refused something.
    #[error("{what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}
