//! The calls as the system answers them.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        Ok(Arc::new(self.open_file(name, how)?))
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

impl FileIo for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn read_parts(&self, head: &mut [u8], rest: &mut [u8], offset: u64, wait: bool) -> io::Result<bool> {
        if wait {
            self.read_exact_at(head, offset)?;
            self.read_exact_at(rest, offset + head.len() as u64)?;
            return Ok(true);
        }
        let wanted = head.len() + rest.len();
        let mut parts = [IoSliceMut::new(head), IoSliceMut::new(rest)];
        // Whatever is wrong here is found again, and counted, by the read that may wait.
        Ok(rustix::io::preadv2(self, &mut parts, offset, ReadWriteFlags::NOWAIT).is_ok_and(|read| read == wanted))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, len) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.set_len(len),
            allocated => Ok(allocated?),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
