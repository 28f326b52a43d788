//! The store against simulated disks, and on real ones.

mod basics;
mod carrying;
mod closing;
mod failing;
mod objects;
mod order;
mod power;
mod rig;
mod survey;

use segment_page as rig_segment;

/// A sealed, nearly empty segment with that number.
fn segment_page(lineage: u64, number: u64) -> Vec<u8> {
    use super::files::simulated::Disk;
    use super::files::{DirectoryIo as _, Open};
    use super::footer::{Row, footer};
    use super::frame::Kind;
    use super::index::Slot;
    use super::segment::StartPage;

    let disk = Disk::default();
    let file = disk.open("segment", Open::New).unwrap();
    file.allocate(u64::from(rig::SEGMENT)).unwrap();
    StartPage { lineage, number, segment_bytes: rig::SEGMENT }.write(file.as_ref()).unwrap();
    let (kind, slot) = (Kind::Tombstone, Slot(1));
    let row = Row { slot, kind, space: 0, epoch: 0, offset: 64, length: 1, expires: u32::MAX };
    let footer = footer(lineage, number, &[row]);
    file.write_at(footer.as_slice(), u64::from(rig::SEGMENT) - footer.len() as u64).unwrap();
    disk.bytes("segment")
}
