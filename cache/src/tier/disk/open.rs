//! Opening a store: its directory is claimed, its journal read, its threads started. The index comes later.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Store;
use super::buffer::{PAGE, PageBuffer};
use super::config::{Config, OpenError, Reads};
use super::encoder::{BUFFERS, Encoder};
use super::events::Event;
use super::files::{DirectoryIo, RealDirectory};
use super::found::found_in;
use super::health::Watch;
use super::journal::{self, Facts, Identity, Journal, JournalFile, Read};
use super::log::Log;
use super::pool;
use super::recover::is_file_name;
use super::shared::{Parts, Shared};
use super::space::SpaceCore;
use super::writer::Writer;

/// The file whose lock is the directory's.
pub(super) const LOCK: &str = "lock";
/// Descriptors for everything but segments.
const OTHER_FILES: u64 = 512;
/// The largest segment, bytes: what a slot of the index can tell.
const SEGMENT_LARGEST: u32 = 64 << 20;
const SEGMENT_SMALLEST: u32 = 64 << 10;

/// Claims a directory of the system and opens the store in it.
pub(super) fn open(config: &Config) -> Result<Store, OpenError> {
    let directory = &config.directory;
    let failed = |what| move |error| OpenError::Io { what, path: directory.clone(), error };
    std::fs::create_dir_all(directory).map_err(failed("making"))?;
    let lock = claim(directory)?;
    let found = found_in(directory).map_or(config.segment_bytes, |found| found.segment_bytes);
    allow_open_files(config.capacity, found)?;
    let files = Arc::new(RealDirectory::new(directory, config.reads == Reads::Direct));
    let mut store = open_in(files, config)?;
    store.lock = Some(lock);
    Ok(store)
}

/// Opens the store in a directory that is claimed.
pub(super) fn open_in(directory: Arc<dyn DirectoryIo>, config: &Config) -> Result<Store, OpenError> {
    let watch = Arc::new(Watch::new(Arc::clone(&config.events)));
    let (file, facts) = journal(directory.as_ref(), config, &watch)?;
    let identity = file.identity;
    check_room(directory.as_ref(), config, identity.segment_bytes)?;
    let (journal, journal_writer) = Journal::new(facts, file, Arc::clone(&directory), Arc::clone(&watch), config.retry);
    let shared = Arc::new(Shared::new(Parts {
        directory,
        lineage: identity.lineage,
        segment_bytes: identity.segment_bytes as usize,
        batch_bytes: batch_bytes(config, identity.segment_bytes),
        direct: config.reads == Reads::Direct,
        capacity: config.capacity,
        queue_bytes: config.queue_bytes,
        read_queue: config.read_queue,
        journal: Arc::clone(&journal),
        watch,
    }));
    for (&id, space) in &journal.facts().spaces {
        shared.spaces.add(Arc::new(SpaceCore::new(id, space.name.clone(), space.epoch)));
    }
    let mut store = Store { shared, threads: Vec::new(), readers: Vec::new(), lock: None };
    match start(&mut store, config, journal_writer) {
        Ok(()) => Ok(store),
        Err(error) => Err(OpenError::Io { what: "starting threads for", path: config.directory.clone(), error }),
    }
}

/// Every segment is open all the time. The process may have as many files as the system lets it ask for.
pub(super) fn allow_open_files(capacity: u64, segment_bytes: u32) -> Result<(), OpenError> {
    let needed = capacity / u64::from(segment_bytes.max(1)) + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    match maximum {
        Some(limit) if limit < needed => Err(OpenError::OpenFiles { needed, limit }),
        _ if raised.is_err() => Err(OpenError::OpenFiles { needed, limit: current.unwrap_or_default() }),
        _ => Ok(()),
    }
}

pub(super) fn claim(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK);
    let failed = |error| OpenError::Io { what: "locking", path: path.clone(), error };
    let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The journal that is there, or a new one.
fn journal(directory: &dyn DirectoryIo, config: &Config, watch: &Watch) -> Result<(JournalFile, Facts), OpenError> {
    check_segments(config)?;
    let path = config.directory.join(journal::NAME);
    let failed = |what| move |error| OpenError::Io { what, path: config.directory.join(journal::NAME), error };
    let why = match journal::read(directory).map_err(failed("reading"))? {
        Read::Whole(file, _) if !is_segment_size(file.identity.segment_bytes) => Some("its segments have no size"),
        Read::Whole(file, facts) if fits(config, file.identity.segment_bytes) => return Ok((file, facts)),
        Read::Whole(..) => Some("its segments are too large for its capacity now"),
        Read::Damaged(why) => Some(why),
        Read::Missing => had_segments(directory).then_some("its journal is missing"),
        Read::Version(version) => return Err(OpenError::Newer { path, version }),
        Read::Foreign => return Err(OpenError::Foreign(path)),
    };
    if let Some(why) = why {
        watch.say(&Event::ColdStart { why });
    }
    let created = begin(directory, config.segment_bytes).map_err(failed("making"))?;
    Ok((created, Facts::default()))
}

fn check_segments(config: &Config) -> Result<(), OpenError> {
    let size = config.segment_bytes;
    if !is_segment_size(size) {
        return Err(OpenError::SegmentSize(size));
    }
    let (capacity, least) = (config.capacity, Config::capacity_least(size));
    if capacity < least { Err(OpenError::TooSmall { capacity, least }) } else { Ok(()) }
}

fn is_segment_size(size: u32) -> bool {
    (SEGMENT_SMALLEST..=SEGMENT_LARGEST).contains(&size) && (size as usize).is_multiple_of(PAGE)
}

const fn fits(config: &Config, segment_bytes: u32) -> bool {
    Config::capacity_least(segment_bytes) <= config.capacity
}

fn had_segments(directory: &dyn DirectoryIo) -> bool {
    directory.names().is_ok_and(|names| names.iter().any(|name| is_file_name(name)))
}

/// A new store: whatever segments lie there are of another one, and their files are used again.
fn begin(directory: &dyn DirectoryIo, segment_bytes: u32) -> io::Result<JournalFile> {
    let mut lineage = [0; 8];
    random(&mut lineage)?;
    let identity = Identity { lineage: u64::from_le_bytes(lineage), segment_bytes };
    JournalFile::create(directory, identity, &Facts::default())
}

/// Fills bytes from the system's source of randomness.
pub(super) fn random(bytes: &mut [u8]) -> io::Result<()> {
    use std::io::Read as _;
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// Room for the least that a store works with; what its files take already counts.
fn check_room(directory: &dyn DirectoryIo, config: &Config, segment_bytes: u32) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io { what: "looking at", path: config.directory.clone(), error };
    let files = directory.names().map_err(failed)?.iter().filter(|name| is_file_name(name)).count();
    let free = directory.available().map_err(failed)?;
    let available = free.saturating_add(files as u64 * u64::from(segment_bytes));
    let least = Config::capacity_least(segment_bytes);
    if available < least {
        return Err(OpenError::DiskTooSmall { directory: config.directory.clone(), available, least });
    }
    Ok(())
}

/// A batch lies in one segment.
fn batch_bytes(config: &Config, segment_bytes: u32) -> usize {
    let quarter = segment_bytes as usize / 4;
    config.batch_bytes.min(quarter).max(4 * PAGE).next_multiple_of(PAGE)
}

fn start(store: &mut Store, config: &Config, journal: journal::JournalWriter) -> io::Result<()> {
    let shared = Arc::clone(&store.shared);
    let (batches_in, batches) = sync_channel(1);
    let (free, buffers) = channel();
    for _ in 0..BUFFERS {
        // The receiver is just here.
        let _there = free.send(PageBuffer::with_capacity(shared.batch_bytes));
    }
    let writer = Writer { shared: Arc::clone(&shared), batches, free: free.clone() };
    let encoder = Encoder {
        log: Log::new(Arc::clone(&shared)),
        shared: Arc::clone(&shared),
        batches: batches_in,
        buffers,
        free,
        retry: config.retry,
        open: None,
        carried: None,
        retry_at: None,
    };
    let threads = &mut store.threads;
    threads.push(thread("cache-journal", move || journal.run())?);
    threads.push(thread("cache-write", move || writer.run())?);
    threads.push(thread("cache-encode", move || encoder.run())?);
    for _ in 0..config.read_threads.max(1) {
        let shared = Arc::clone(&shared);
        store.readers.push(thread("cache-read", move || pool::run(&shared))?);
    }
    Ok(())
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
