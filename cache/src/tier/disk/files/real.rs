//! The calls as the system answers them.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::{DirectoryIo, FileIo, Open};

pub(in super::super) struct RealDirectory {
    path: PathBuf,
    direct: bool,
}

impl RealDirectory {
    /// With `direct`, segment files pass the page cache by, where the file system can do that.
    pub(in super::super) fn new(path: &Path, direct: bool) -> Self {
        Self { path: path.to_owned(), direct }
    }

    fn open_file(&self, name: &str, how: Open) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(matches!(how, Open::New | Open::NewBuffered));
        let path = self.path.join(name);
        let direct = match how {
            Open::Existing | Open::New => self.direct,
            Open::NewBuffered | Open::ExistingBuffered => false,
            Open::ExistingDirect => true,
        };
        if !direct {
            return options.open(path);
        }
        match options.clone().custom_flags(OFlags::DIRECT.bits().cast_signed()).open(&path) {
            // Not every file system can; some have made the file all the same.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                options.create_new(false).create(how == Open::New).truncate(false).open(path)
            }
            opened => opened,
        }
    }
}

impl DirectoryIo for RealDirectory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.path.read_dir()? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open(&self, name: &str, how: Open) -> io::Result<Arc<dyn FileIo>> {
        let file = self.open_file(name, how)?;
        let is_buffered_segment = !self.direct && matches!(how, Open::Existing | Open::New);
        let path = is_buffered_segment.then(|| self.path.join(name));
        Ok(Arc::new(RealFile { file, path, past_the_cache: Mutex::default() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn available(&self) -> io::Result<u64> {
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

/// A file, and for a segment with buffered reads the way past the page cache.
struct RealFile {
    file: File,
    /// Where long writes go past the page cache.
    path: Option<PathBuf>,
    past_the_cache: Mutex<PastTheCache>,
}

/// A second handle, there only while the segment is written.
#[derive(Default)]
enum PastTheCache {
    #[default]
    Closed,
    Open(File),
    /// The file system cannot do that.
    Impossible,
}

/// A write from this length on is not worth a place in the page cache, bytes: to copy it there costs as much as all else
/// that is done to it. Shorter ones come when little is written, and are gathered there.
const LONG_WRITE: usize = 512 * 1024;

impl RealFile {
    /// Whether it was written past the page cache.
    fn write_past(&self, path: &Path, bytes: &[u8], offset: u64) -> io::Result<bool> {
        let mut way = self.past_the_cache.lock();
        if let PastTheCache::Closed = *way {
            *way = open_past(path);
        }
        let PastTheCache::Open(file) = &*way else { return Ok(false) };
        match file.write_all_at(bytes, offset) {
            // Some file systems say so only here.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                *way = PastTheCache::Impossible;
                Ok(false)
            }
            written => written.map(|()| true),
        }
    }
}

fn open_past(path: &Path) -> PastTheCache {
    let opened = OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path);
    opened.map_or(PastTheCache::Impossible, PastTheCache::Open)
}

impl FileIo for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_parts(&self, head: &mut [u8], rest: &mut [u8], offset: u64, wait: bool) -> io::Result<bool> {
        let wanted = head.len() + rest.len();
        let flags = if wait { ReadWriteFlags::empty() } else { ReadWriteFlags::NOWAIT };
        let mut parts = [IoSliceMut::new(head), IoSliceMut::new(rest)];
        let whole = rustix::io::preadv2(&self.file, &mut parts, offset, flags).is_ok_and(|read| read == wanted);
        if whole || !wait {
            // Whatever is wrong here is found again, and counted, by the read that may wait.
            return Ok(whole);
        }
        self.file.read_exact_at(head, offset)?;
        self.file.read_exact_at(rest, offset + head.len() as u64)?;
        Ok(true)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Some(path) = &self.path
            && bytes.len() >= LONG_WRITE
            && self.write_past(path, bytes, offset)?
        {
            return Ok(());
        }
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.file.set_len(len),
            allocated => Ok(allocated?),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn finished(&self) {
        let mut way = self.past_the_cache.lock();
        if let PastTheCache::Open(_) = *way {
            *way = PastTheCache::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::buffer::PageBuffer;
    use super::*;

    #[test]
    fn what_goes_past_the_cache_is_what_a_buffered_read_finds() {
        let directory = tempfile::tempdir().unwrap();
        let real = RealDirectory::new(directory.path(), false);
        let file = real.open("segment-000001", Open::New).unwrap();
        file.allocate(4 * LONG_WRITE as u64).unwrap();
        let mut read = PageBuffer::zeroed(LONG_WRITE);
        for round in 1..4 {
            let mut long = PageBuffer::zeroed(LONG_WRITE);
            long.as_mut_slice().fill(round);
            // What the page cache holds of it is old by then.
            file.read_at(read.as_mut_slice(), LONG_WRITE as u64).unwrap();
            file.write_at(long.as_slice(), LONG_WRITE as u64).unwrap();
            file.read_at(read.as_mut_slice(), LONG_WRITE as u64).unwrap();
            assert!(read.as_slice().iter().all(|byte| *byte == round));
            file.finished();
        }
        file.sync().unwrap();
        file.write_at(&read.as_slice()[..4096], 0).unwrap();
        assert_eq!(file.len().unwrap(), 4 * LONG_WRITE as u64);
    }
}
