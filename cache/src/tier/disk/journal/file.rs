//! The journal's bytes: a header that says whose it is, then records.
//!
//! Every record has a header with a checksum of its own, so a record that ends behind the end of the file (a write that
//! did not finish, and was acknowledged to nobody) is told from a damaged length.

use std::io;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::super::bytes::{put, u32_at, u64_at};
use super::super::files::{DirectoryIo, FileIo, Open};
use super::facts::{Fact, Facts};

/// The journal's name.
pub(in super::super) const NAME: &str = "journal";
const NEW_NAME: &str = "journal.new";

const MAGIC: &[u8; 7] = b"SLUICEJ";
const VERSION: u8 = 1;
const HEADER: usize = 64;
const RECORD_HEADER: usize = 16;
/// A longer journal is not read: nothing writes one.
const LENGTH_LIMIT: u64 = 1 << 30;
/// A journal below this is not worth writing anew, bytes.
const SMALL: u64 = 1 << 20;

/// Whose journal it is, and what the segments beside it are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Identity {
    /// Random; the segments have it too.
    pub(in super::super) lineage: u64,
    pub(in super::super) segment_bytes: u32,
}

/// What was found in a journal's place.
pub(in super::super) enum Read {
    /// A journal.
    Whole(JournalFile, Facts),
    /// A journal that lost something.
    Damaged(&'static str),
    /// Nothing, or an empty file.
    Missing,
    /// A later version's.
    Version(u8),
    /// Something else.
    Foreign,
}

/// An open journal.
pub(in super::super) struct JournalFile {
    pub(in super::super) identity: Identity,
    file: Arc<dyn FileIo>,
    /// Where the next record goes.
    end: u64,
    /// Its length when it was last written anew.
    fresh: u64,
}

/// Reads the journal in a directory.
pub(in super::super) fn read(directory: &dyn DirectoryIo) -> io::Result<Read> {
    let file = match directory.open(NAME, Open::ExistingBuffered) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Read::Missing),
        opened => opened?,
    };
    let length = file.len()?;
    if length == 0 {
        return Ok(Read::Missing);
    }
    if length > LENGTH_LIMIT {
        return Ok(Read::Foreign);
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(&mut bytes, 0)?;
    Ok(parse(file, &bytes))
}

fn parse(file: Arc<dyn FileIo>, bytes: &[u8]) -> Read {
    if !bytes.starts_with(MAGIC) {
        return Read::Foreign;
    }
    match bytes.get(MAGIC.len()) {
        Some(&VERSION) => {}
        Some(&version) => return Read::Version(version),
        None => return Read::Foreign,
    }
    let identity = Identity { lineage: u64_at(bytes, 8), segment_bytes: u32_at(bytes, 16) };
    if !bytes.starts_with(&identity.to_bytes()) {
        return Read::Damaged("its journal is damaged");
    }
    let mut facts = Facts::default();
    match parse_records(bytes, identity, &mut facts) {
        Some(end) => Read::Whole(JournalFile { identity, file, end: end as u64, fresh: end as u64 }, facts),
        None => Read::Damaged("its journal is damaged, and a flush may be lost"),
    }
}

/// The end of the records; nothing if one is damaged.
fn parse_records(bytes: &[u8], identity: Identity, facts: &mut Facts) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.len() < RECORD_HEADER || rest.iter().all(|byte| *byte == 0) {
            return Some(at);
        }
        let (length, sum) = (u32_at(rest, 0) as usize, u64_at(rest, 8));
        if !rest.starts_with(&record_header(length, sum, at, identity)) {
            return None;
        }
        let Some(payload) = rest.get(RECORD_HEADER..RECORD_HEADER + length) else { return Some(at) };
        if xxh3_64(payload) != sum {
            return None;
        }
        facts.apply(Fact::read(payload).ok()?);
        at += RECORD_HEADER + length;
    }
}

fn record_header(length: usize, sum: u64, at: usize, identity: Identity) -> [u8; RECORD_HEADER] {
    let mut bytes = [0; RECORD_HEADER];
    put(&mut bytes, 0, &(length as u32).to_le_bytes());
    put(&mut bytes, 8, &sum.to_le_bytes());
    let own = xxh3_64_with_seed(&bytes, identity.lineage ^ at as u64) as u32;
    put(&mut bytes, 4, &own.max(1).to_le_bytes());
    bytes
}

impl Identity {
    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, MAGIC.len(), &[VERSION]);
        put(&mut bytes, 8, &self.lineage.to_le_bytes());
        put(&mut bytes, 16, &self.segment_bytes.to_le_bytes());
        let sum = xxh3_64(&bytes);
        put(&mut bytes, HEADER - 8, &sum.to_le_bytes());
        bytes
    }
}

impl JournalFile {
    /// Begins a journal in the place of any other.
    pub(in super::super) fn create(directory: &dyn DirectoryIo, identity: Identity, facts: &Facts) -> io::Result<Self> {
        let (file, end) = write_new(directory, identity, &facts.records())?;
        Ok(Self { identity, file, end, fresh: end })
    }

    pub(super) const fn is_mostly_old(&self) -> bool {
        self.end > 2 * self.fresh + SMALL
    }

    /// Appends facts, durably.
    pub(super) fn append<'a>(&mut self, facts: impl Iterator<Item = &'a Fact>) -> io::Result<()> {
        let mut bytes = Vec::new();
        facts.for_each(|fact| push_record(&mut bytes, fact, self.end, self.identity));
        self.file.write_at(&bytes, self.end)?;
        self.file.sync()?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes all anew. What the old file held is overwritten, for it has salts of spaces that may be forgotten later.
    pub(super) fn rewrite(&mut self, directory: &dyn DirectoryIo, facts: &[Fact]) -> io::Result<()> {
        let (file, end) = write_new(directory, self.identity, facts)?;
        let old = std::mem::replace(&mut self.file, file);
        (self.end, self.fresh) = (end, end);
        overwrite(old.as_ref())
    }
}

fn push_record(bytes: &mut Vec<u8>, fact: &Fact, start: u64, identity: Identity) {
    let payload = fact.to_bytes();
    let at = start as usize + bytes.len();
    bytes.extend_from_slice(&record_header(payload.len(), xxh3_64(&payload), at, identity));
    bytes.extend_from_slice(&payload);
}

/// A whole journal under another name, synced, put in the place of the old one, the name synced.
fn write_new(directory: &dyn DirectoryIo, identity: Identity, facts: &[Fact]) -> io::Result<(Arc<dyn FileIo>, u64)> {
    match directory.remove(NEW_NAME) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = directory.open(NEW_NAME, Open::NewBuffered)?;
    let mut bytes = identity.to_bytes().to_vec();
    facts.iter().for_each(|fact| push_record(&mut bytes, fact, 0, identity));
    file.write_at(&bytes, 0)?;
    file.sync()?;
    directory.rename(NEW_NAME, NAME)?;
    directory.sync()?;
    Ok((file, bytes.len() as u64))
}

/// Overwrites the journal and what may be left of another, and takes their names away, durably.
pub(in super::super) fn shred(directory: &dyn DirectoryIo) -> io::Result<()> {
    for name in [NEW_NAME, NAME] {
        match directory.open(name, Open::ExistingBuffered) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => overwrite(opened?.as_ref())?,
        }
        directory.remove(name)?;
    }
    directory.sync()
}

fn overwrite(old: &dyn FileIo) -> io::Result<()> {
    let length = old.len()?;
    old.write_at(&vec![0; usize::try_from(length).unwrap_or_default()], 0)?;
    old.sync()
}
