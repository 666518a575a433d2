//! The bytes of a journal: a head block of the file, and records of whole blocks with a checksum around them. Pure.

use super::BLOCK;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

const FILE_MAGIC: &[u8; 16] = b"bursar store 1\r\n";
const RECORD_MAGIC: u64 = 0x6c6e_726a_7273_7562;
/// magic, checksum, epoch, length, index, blocks, records before, whether all is in place.
const FIXED_BYTES: usize = 8 + 8 + 8 + 8 + 4 + 4 + 4 + 4;
/// Bytes before the blocks of a record: what it is, and where its blocks belong.
pub(super) const HEAD_BYTES: usize = BLOCK;
/// As many blocks as the head of a record can place; where more belong is told behind them.
const PLACED_BY_HEAD: usize = (HEAD_BYTES - FIXED_BYTES) / 8;

/// The bytes of a record of so many blocks.
pub(super) fn bytes_with(blocks: usize) -> usize {
    let behind = blocks.saturating_sub(PLACED_BY_HEAD) * 8;
    HEAD_BYTES + blocks * BLOCK + behind.next_multiple_of(BLOCK)
}

/// The first block of a file: how many bytes each half of its journal has.
pub(super) fn file_head(half_bytes: u64) -> Vec<u8> {
    let mut head = vec![0; BLOCK];
    head[..16].copy_from_slice(FILE_MAGIC);
    head[16..24].copy_from_slice(&half_bytes.to_le_bytes());
    let sum = xxh3_64(&head[..24]);
    head[24..32].copy_from_slice(&sum.to_le_bytes());
    head
}

/// The bytes of a half, when this is the first block of a store's file.
pub(super) fn half_bytes_of(head: &[u8]) -> Option<u64> {
    let is_sound = head.get(..16)? == FILE_MAGIC && number(head, 24)? == xxh3_64(head.get(..24)?);
    let half_bytes = number(head, 16).filter(|half_bytes| is_sound && half_bytes.is_multiple_of(BLOCK as u64));
    half_bytes.filter(|half_bytes| *half_bytes >= 2 * BLOCK as u64 && *half_bytes < 1 << 40)
}

/// What a record says beside its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Which filling of a half it belongs to; each is one higher than the one before, in the other half.
    pub(super) epoch: u64,
    /// Its place in the filling.
    pub(super) index: u32,
    /// How many records of the filling before are needed with this one.
    pub(super) before: u32,
    /// Whether everything before it is in place.
    pub(super) is_all: bool,
    /// How long the pages are after it, in bytes.
    pub(super) length: u64,
}

/// A record read back.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) head: Head,
    pub(super) blocks: Vec<(u64, Bytes)>,
}

impl Record {
    pub(super) fn bytes(&self) -> usize {
        bytes_with(self.blocks.len())
    }
}

/// Finishes a record whose blocks stand behind room for its head already.
pub(super) fn seal(record: &mut Vec<u8>, head: Head, places: &[u64]) {
    record.resize(bytes_with(places.len()), 0);
    record[..8].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
    record[16..24].copy_from_slice(&head.epoch.to_le_bytes());
    record[24..32].copy_from_slice(&head.length.to_le_bytes());
    record[32..36].copy_from_slice(&head.index.to_le_bytes());
    // A record is smaller than half of a journal, which is smaller than 2^40 bytes.
    record[36..40].copy_from_slice(&(places.len() as u32).to_le_bytes());
    record[40..44].copy_from_slice(&head.before.to_le_bytes());
    record[44] = u8::from(head.is_all);
    for (index, place) in places.iter().enumerate() {
        let at = place_of(index, places.len());
        record[at..at + 8].copy_from_slice(&place.to_le_bytes());
    }
    let sum = xxh3_64(&record[16..]);
    record[8..16].copy_from_slice(&sum.to_le_bytes());
}

/// Where the place of a block is told.
fn place_of(index: usize, blocks: usize) -> usize {
    match index.checked_sub(PLACED_BY_HEAD) {
        None => FIXED_BYTES + index * 8,
        Some(behind) => HEAD_BYTES + blocks * BLOCK + behind * 8,
    }
}

/// The bytes of the record that begins with this head, if it may be one of this filling and place.
pub(super) fn bytes_of(head: &[u8], epoch: Option<u64>, index: u32) -> Option<usize> {
    let is_next = number(head, 0)? == RECORD_MAGIC
        && epoch.is_none_or(|epoch| number(head, 16) == Some(epoch))
        && small(head, 32)? == index;
    Some(bytes_with(small(head, 36)? as usize)).filter(|_| is_next)
}

/// Reads a whole record; none when anything about it is wrong.
pub(super) fn open(bytes: &Bytes) -> Option<Record> {
    if number(bytes, 8)? != xxh3_64(bytes.get(16..)?) {
        return None;
    }
    let head = Head {
        epoch: number(bytes, 16)?,
        length: number(bytes, 24)?,
        index: small(bytes, 32)?,
        before: small(bytes, 40)?,
        is_all: *bytes.get(44)? != 0,
    };
    let count = small(bytes, 36)? as usize;
    if bytes.len() != bytes_with(count) {
        return None;
    }
    let blocks = (0..count).map(|index| {
        let start = HEAD_BYTES + index * BLOCK;
        Some((number(bytes, place_of(index, count))?, bytes.slice(start..start + BLOCK)))
    });
    Some(Record { head, blocks: blocks.collect::<Option<_>>()? })
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
}

fn small(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_every_wrong_byte_of_it_is_seen() {
        let mut record = vec![7; HEAD_BYTES + 2 * BLOCK];
        record[..HEAD_BYTES].fill(0);
        record[HEAD_BYTES + BLOCK..].fill(9);
        let head = Head { epoch: 3, index: 1, before: 4, is_all: true, length: 1 << 20 };
        seal(&mut record, head, &[5, 1_000]);
        assert_eq!(bytes_of(&record, Some(3), 1), Some(record.len()));
        assert!(bytes_of(&record, Some(2), 1).is_none() && bytes_of(&record, None, 0).is_none());
        let read = open(&Bytes::from(record.clone())).unwrap();
        assert_eq!((read.head, read.bytes()), (head, record.len()));
        assert_eq!(read.blocks, [(5, Bytes::from(vec![7; BLOCK])), (1_000, Bytes::from(vec![9; BLOCK]))]);
        for at in (8..record.len()).step_by(61) {
            let mut wrong = record.clone();
            wrong[at] ^= 1;
            assert!(open(&Bytes::from(wrong)).is_none(), "byte {at}");
        }
    }

    #[test]
    fn the_places_of_many_blocks_are_told_too() {
        let places: Vec<u64> = (0..PLACED_BY_HEAD as u64 + 600).map(|place| place * 3).collect();
        let mut record = vec![0; HEAD_BYTES];
        places.iter().for_each(|place| record.extend([*place as u8; BLOCK]));
        seal(&mut record, Head { epoch: 1, index: 0, before: 0, is_all: false, length: 9 }, &places);
        assert_eq!(bytes_of(&record, None, 0), Some(record.len()));
        let blocks = open(&Bytes::from(record)).unwrap().blocks;
        assert_eq!(blocks.iter().map(|(place, _)| *place).collect::<Vec<_>>(), places);
        assert!(blocks.iter().all(|(place, bytes)| bytes.as_ref() == [*place as u8; BLOCK]));
    }

    #[test]
    fn the_head_of_a_file_is_told_from_anything_else() {
        let head = file_head(1 << 20);
        assert_eq!(half_bytes_of(&head), Some(1 << 20));
        for wrong in [&head[..31], &[0; BLOCK], b"redb", b""] {
            assert_eq!(half_bytes_of(wrong), None);
        }
        let mut wrong = head;
        wrong[17] ^= 1;
        assert_eq!(half_bytes_of(&wrong), None);
    }
}
