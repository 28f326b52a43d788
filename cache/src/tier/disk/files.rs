//! The calls that a store makes to its directory and files: the seam at which tests inject faults.
//!
//! All reads and writes of segment files are whole 4 KiB pages at page boundaries from page-aligned memory, as direct
//! I/O asks, save for [`FileIo::read_parts`], which only buffered stores call. Long writes of buffered stores go past the
//! page cache too; the kernel sees to it that a later read finds what was written.

mod real;
#[cfg(test)]
pub(super) mod simulated;

use std::io;
use std::sync::Arc;

pub(super) use real::RealDirectory;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// It must be there.
    Existing,
    /// It must not be there yet.
    New,
    /// It must not be there yet; the page cache is always used.
    NewBuffered,
    /// It must be there; the page cache is always used.
    ExistingBuffered,
    /// It must be there; the page cache is left as it is, where the file system can do that.
    ExistingDirect,
}

/// One directory.
pub(super) trait DirectoryIo: Send + Sync + 'static {
    /// The names in it, in no order; names that are no UTF-8 are left out.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str, how: Open) -> io::Result<Arc<dyn FileIo>>;
    /// Puts `from` in the place of `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes a file's name away.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable: `fsync` of the directory.
    fn sync(&self) -> io::Result<()>;
    /// Bytes that can still be taken on this file system.
    fn available(&self) -> io::Result<u64>;
}

/// One open file.
pub(super) trait FileIo: Send + Sync {
    /// Fills `buffer` from `offset`; an error if the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Fills both parts from `offset`. With `wait` unset only from the page cache: false if that has not all of it.
    fn read_parts(&self, head: &mut [u8], rest: &mut [u8], offset: u64, wait: bool) -> io::Result<bool>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the contents durable: `fdatasync`.
    fn sync(&self) -> io::Result<()>;
    /// Takes `len` bytes on the device for this file.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// The file's length, bytes.
    fn len(&self) -> io::Result<u64>;
    /// Nothing is written for now: what is held for that can go.
    fn finished(&self) {}
}
