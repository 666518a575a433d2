//! Durable before it is in its tables: accepted transactions go to a journal at the front of the file, one write for
//! whatever waits, and into the tables later, many at once.
//!
//! A commit of the engine changes some twenty pages all over the file, whether it holds one transaction or a thousand; a
//! record here is one write of what the transactions say, on disk when it returns. After a crash it is there whole, and then
//! so are its transactions, or it is not, and then nothing of them is. The journal has two halves. When one is full the next
//! record goes into the other one, once everything that stands there is in the tables. Opening puts into the tables what the
//! journal says and they do not hold. Each record names the sequence it came after, so a record that is missing is noticed.

mod record;

use super::backend::Disk;
use crate::store::locked;
use crate::store::recent::Commit;
use bytes::Bytes;
use record::Record;
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

/// What a record is rounded up to, so that writing one never touches the bytes of another: a page of the disk.
const BLOCK: usize = 4_096;

/// The pages of a file, behind its head and its journal: what the engine writes to.
#[derive(Debug)]
pub(super) struct Pages {
    disk: Arc<Disk>,
    start: u64,
}

/// What became of transactions that were to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Written {
    /// They are on disk.
    Done,
    /// The other half is needed, and holds what must be in the tables first: everything up to this sequence.
    Full { up_to: u64 },
    /// They are more than a half can hold.
    TooLarge,
}

#[derive(Debug)]
pub(super) struct Journal {
    disk: Arc<Disk>,
    half_bytes: u64,
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    half: usize,
    /// Where in the half the next record goes.
    at: u64,
    /// The last sequence that stands in each half.
    last: [u64; 2],
    /// The sequence that the next record comes after.
    reached: u64,
    has_failed: bool,
    record: Vec<u8>,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The journal and the pages of a disk; where there is nothing and halves of so many bytes are wanted, they are made.
pub(super) fn parts(disk: Disk, new_half_bytes: Option<u64>) -> io::Result<(Journal, Pages)> {
    let length = disk.len()?;
    let half_bytes = match new_half_bytes.filter(|_| length == 0) {
        Some(half_bytes) => {
            disk.set_len(BLOCK as u64 + 2 * half_bytes)?;
            disk.fill(BLOCK as u64, 2 * half_bytes)?;
            disk.write(0, &record::file_head(half_bytes))?;
            disk.sync()?;
            half_bytes
        }
        None => {
            let mut head = vec![0; BLOCK];
            disk.read(0, &mut head).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let half_bytes = record::half_bytes_of(&head).ok_or_else(|| invalid("not the head of a store"))?;
            if length < BLOCK as u64 + 2 * half_bytes
                || (new_half_bytes.is_none() && length == BLOCK as u64 + 2 * half_bytes)
            {
                return Err(invalid("a store without pages"));
            }
            half_bytes
        }
    };
    let (disk, start) = (Arc::new(disk), BLOCK as u64 + 2 * half_bytes);
    let journal = Journal { disk: Arc::clone(&disk), half_bytes, writer: Mutex::new(Writer::default()) };
    Ok((journal, Pages { disk, start }))
}

impl Journal {
    /// The transactions that are on disk and not in the tables, which hold everything up to `placed`.
    pub(super) fn unplaced(&self, placed: u64) -> io::Result<Vec<Arc<Commit>>> {
        let mut records = self.records(0, placed)?;
        records.extend(self.records(1, placed)?);
        record::unplaced(records, placed).ok_or_else(|| invalid("a part of the journal is missing"))
    }

    /// The sound records of a half that go on after `placed`. What is not one is passed over: it may be the remains of an
    /// earlier filling, or of a write that was cut off.
    fn records(&self, half: u64, placed: u64) -> io::Result<Vec<Record>> {
        let start = BLOCK as u64 + half * self.half_bytes;
        let (mut found, mut at, mut head) = (Vec::new(), 0, [0; record::HEAD_BYTES]);
        while at < self.half_bytes {
            self.disk.read(start + at, &mut head)?;
            let told = record::read_head(&head).filter(|told| told.bytes <= self.half_bytes - at);
            let is_needed = told.is_some_and(|told| told.last > placed);
            let bytes = told.map_or(BLOCK as u64, |told| told.bytes);
            if !is_needed {
                at += bytes;
                continue;
            }
            let mut whole = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
            self.disk.read(start + at, &mut whole)?;
            let opened = record::open(&Bytes::from(whole));
            at += if opened.is_some() { bytes } else { BLOCK as u64 };
            found.extend(opened);
        }
        Ok(found)
    }

    /// Everything up to a sequence is in the tables, and nothing that stands in the journal is needed any more.
    pub(super) fn begin_after(&self, placed: u64) {
        let mut writer = locked(&self.writer);
        (writer.half, writer.at, writer.last, writer.reached) = (0, 0, [0; 2], placed);
    }

    /// Writes transactions as one record, which is on disk when this returns; the tables hold everything up to `placed`.
    pub(super) fn write(&self, batch: &[Arc<Commit>], placed: u64) -> io::Result<Written> {
        let mut writer = locked(&self.writer);
        let bytes = record::bytes_of(batch) as u64;
        if writer.has_failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        if bytes > self.half_bytes {
            return Ok(Written::TooLarge);
        }
        if writer.at + bytes > self.half_bytes {
            let other = 1 - writer.half;
            if writer.last[other] > placed {
                return Ok(Written::Full { up_to: writer.last[other] });
            }
            (writer.half, writer.at) = (other, 0);
        }
        let Writer { half, at, reached, .. } = *writer;
        record::seal(&mut writer.record, reached, batch);
        let offset = BLOCK as u64 + half as u64 * self.half_bytes + at;
        if let Err(error) = self.disk.write_through(offset, &writer.record) {
            // What is on disk is not known: whoever reads it at the next opening will see.
            writer.has_failed = true;
            return Err(error);
        }
        let last = batch.last().map_or(reached, |commit| commit.seq);
        writer.at += bytes;
        writer.last[half] = last;
        writer.reached = last;
        Ok(Written::Done)
    }
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.len()?.saturating_sub(self.start))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(self.start + offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.set_len(self.start + length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(self.start + offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.locks().try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.locks().try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.locks().lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.locks().lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.locks().unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.locks().query_lock_range(start, end)
    }
}
