//! One commit, one write: the pages of a commit go to a journal at the front of the file, and to their places later.
//!
//! A commit of the engine changes some twenty pages all over the file, and a disk takes twenty scattered writes many times
//! slower than one long one. So what the engine writes between [`Journal::begin`] and [`Journal::end`] is gathered, and `end`
//! writes it as one record with a checksum, on disk when it returns: after a crash the record is there whole, and then so is
//! the commit, or it is not, and then nothing of it is. The order in which the engine asked for syncs inside is kept by that.
//! The journal has two halves. When one is full its pages are written to their places, in order, beside the commits that go
//! into the other one. Opening puts in place what the journal holds. A commit too large for a record is written to
//! the places at once with the syncs the engine asks for, after everything in the journal; so is all that is written outside
//! commits.

mod places;
mod record;

use super::backend::Disk;
use crate::store::locked;
use bytes::Bytes;
use places::{Held, Places};
use record::{HEAD_BYTES, Head, Record};
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

/// What is journalled and placed: the engine's smallest page.
pub(super) const BLOCK: usize = 4_096;

/// The engine's backend: a journal that somebody else also holds.
#[derive(Debug)]
pub(super) struct Journalled(pub(super) Arc<Journal>);

/// A disk with a journal in front of its pages.
#[derive(Debug)]
pub(super) struct Journal {
    places: Arc<Places>,
    /// How large a half of a new file's journal is; none when there must be a file already.
    new_half_bytes: Option<u64>,
    ready: OnceLock<u64>,
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    is_gathering: bool,
    is_direct: bool,
    has_failed: bool,
    /// Whether a record since the last one without blocks may be needed after a crash.
    is_needed: bool,
    half: u64,
    epoch: u64,
    index: u32,
    /// Where in the half the next record goes.
    at: u64,
    /// How long the pages are, in bytes.
    length: u64,
    /// A length that is only true once what was gathered is on disk.
    shorter: Option<u64>,
    /// Whether the file has been made longer and not synced since.
    has_grown: bool,
    /// How many records of the filling before may be needed after a crash, and what the last record says of that.
    before: u32,
    said_before: u32,
    placing: Option<JoinHandle<io::Result<()>>>,
}

fn broken() -> io::Error {
    io::Error::other("an earlier write failed")
}

impl Journal {
    pub(super) fn new(disk: Disk, new_half_bytes: Option<u64>) -> Journal {
        Journal {
            places: Arc::new(Places::on(disk)),
            new_half_bytes,
            ready: OnceLock::new(),
            writer: Mutex::new(Writer::default()),
        }
    }

    /// Gathers what is written from now on.
    pub(super) fn begin(&self) {
        let mut writer = locked(&self.writer);
        (writer.is_gathering, writer.is_direct) = (true, false);
    }

    /// Makes what was gathered durable.
    pub(super) fn end(&self) -> io::Result<()> {
        let mut writer = locked(&self.writer);
        let done = if writer.has_failed { Err(broken()) } else { self.harden(&mut writer) };
        (writer.is_gathering, writer.is_direct) = (false, false);
        writer.has_failed |= done.is_err();
        done
    }

    /// Lets nothing be written any more: what the engine holds in memory is not what is on disk.
    pub(super) fn give_up(&self) {
        locked(&self.writer).has_failed = true;
    }

    /// Reads what an earlier process left, once. The engine asks for locks before anything else, so nobody else has the file.
    fn ready(&self) -> io::Result<u64> {
        if let Some(half_bytes) = self.ready.get() {
            return Ok(*half_bytes);
        }
        let mut writer = locked(&self.writer);
        if let Some(half_bytes) = self.ready.get() {
            return Ok(*half_bytes);
        }
        let half_bytes = self.head()?;
        self.places.begin_at(BLOCK as u64 + 2 * half_bytes);
        self.recover(&mut writer, half_bytes)?;
        if writer.length == 0 && self.new_half_bytes.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a store without pages"));
        }
        Ok(*self.ready.get_or_init(|| half_bytes))
    }

    /// A commit of more blocks than this is written to its places at once.
    fn blocks_max(&self) -> usize {
        let half_blocks = self.ready.get().copied().unwrap_or_default() / BLOCK as u64;
        // The head of the record, that of one without blocks behind it, and what tells the places of the blocks it has no room for.
        let told_in = 3 + half_blocks * 8 / BLOCK as u64;
        usize::try_from(half_blocks.saturating_sub(told_in)).unwrap_or_default()
    }

    fn head(&self) -> io::Result<u64> {
        let disk = &self.places.disk;
        let length = disk.len()?;
        match self.new_half_bytes.filter(|_| length == 0) {
            Some(half_bytes) => {
                disk.set_len(BLOCK as u64 + 2 * half_bytes)?;
                disk.fill(BLOCK as u64, 2 * half_bytes)?;
                disk.write(0, &record::file_head(half_bytes))?;
                disk.sync()?;
                Ok(half_bytes)
            }
            None => {
                let mut head = vec![0; BLOCK];
                disk.read(0, &mut head).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
                let half_bytes = record::half_bytes_of(&head);
                let half_bytes = half_bytes.filter(|half_bytes| length >= BLOCK as u64 + 2 * half_bytes);
                half_bytes.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not the head of a store"))
            }
        }
    }

    /// Puts in place what the journal holds.
    fn recover(&self, writer: &mut Writer, half_bytes: u64) -> io::Result<()> {
        let start = self.places.start();
        writer.length = self.places.disk.len()?.saturating_sub(start);
        let mut halves = [self.filling(0, half_bytes)?, self.filling(1, half_bytes)?];
        let epoch = |records: &[Record]| records.first().map(|record| record.head.epoch);
        let newest = u64::from(epoch(&halves[1]) > epoch(&halves[0]));
        if newest == 0 {
            halves.swap(0, 1);
        }
        let [older, newer] = halves;
        let Some(last) = newer.last().map(|record| record.head) else {
            writer.epoch = 1;
            return Ok(());
        };
        (writer.half, writer.epoch, writer.index) = (newest, last.epoch, last.index + 1);
        (writer.before, writer.said_before) = (last.before, last.before);
        writer.at = newer.iter().map(|record| record.bytes() as u64).sum();
        let is_there = epoch(&older) == Some(last.epoch - 1) && older.len() >= last.before as usize;
        if last.before > 0 && !is_there {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a part of the journal is missing"));
        }
        let wanted = |records: Vec<Record>| {
            let in_place = records.iter().rposition(|record| record.head.is_all).unwrap_or(0);
            records.into_iter().skip(in_place).flat_map(|record| record.blocks)
        };
        let older = if last.before > 0 { older } else { Vec::new() };
        let is_inside = |(block, _): &(u64, Bytes)| block * (BLOCK as u64) < last.length;
        let held: Held = wanted(older).chain(wanted(newer)).filter(is_inside).collect();
        if held.is_empty() {
            return Ok(());
        }
        if writer.length != last.length {
            self.places.disk.set_len(start + last.length)?;
            writer.length = last.length;
        }
        self.places.put(&held)?;
        self.clear(writer, half_bytes)
    }

    /// The records of a half, from its start to the first that is not one.
    fn filling(&self, half: u64, half_bytes: u64) -> io::Result<Vec<Record>> {
        let disk = &self.places.disk;
        let mut records: Vec<Record> = Vec::new();
        let mut at = 0;
        let mut head = vec![0; HEAD_BYTES];
        while at + HEAD_BYTES as u64 <= half_bytes {
            let offset = BLOCK as u64 + half * half_bytes + at;
            disk.read(offset, &mut head)?;
            let epoch = records.first().map(|record| record.head.epoch);
            let Some(bytes) = record::bytes_of(&head, epoch, records.len() as u32) else { break };
            if at + bytes as u64 > half_bytes {
                break;
            }
            let mut whole = vec![0; bytes];
            disk.read(offset, &mut whole)?;
            let Some(record) = record::open(&Bytes::from(whole)) else { break };
            at += bytes as u64;
            records.push(record);
        }
        Ok(records)
    }

    /// Everything is in place: makes that durable, and then says so.
    fn clear(&self, writer: &mut Writer, half_bytes: u64) -> io::Result<()> {
        self.places.disk.sync()?;
        (writer.has_grown, writer.before) = (false, 0);
        if writer.at + HEAD_BYTES as u64 > half_bytes {
            self.turn_over(writer);
            writer.before = 0;
        }
        self.append(writer, half_bytes, vec![0; HEAD_BYTES], &[], true)?;
        writer.is_needed = false;
        Ok(())
    }

    fn turn_over(&self, writer: &mut Writer) {
        writer.before = writer.index;
        writer.half = 1 - writer.half;
        writer.epoch += 1;
        (writer.index, writer.at) = (0, 0);
    }

    /// The half is full: its blocks go to their places, and records go to the other half, whose blocks are there.
    fn go_over(&self, writer: &mut Writer, half_bytes: u64) -> io::Result<()> {
        settle(writer)?;
        if writer.said_before > 0 {
            // The other half is about to be written over: nobody may look for it any more.
            self.append(writer, half_bytes, vec![0; HEAD_BYTES], &[], false)?;
        }
        self.turn_over(writer);
        let full = self.places.retire();
        let places = Arc::clone(&self.places);
        let placing = std::thread::Builder::new().name("store-placer".to_owned());
        writer.placing = Some(placing.spawn(move || places.place(&full))?);
        Ok(())
    }

    fn append(
        &self,
        writer: &mut Writer,
        half_bytes: u64,
        mut record: Vec<u8>,
        blocks: &[u64],
        is_all: bool,
    ) -> io::Result<Bytes> {
        let Writer { epoch, index, before, length, .. } = *writer;
        record::seal(&mut record, Head { epoch, index, before, is_all, length }, blocks);
        let offset = BLOCK as u64 + writer.half * half_bytes + writer.at;
        self.places.disk.write_through(offset, &record)?;
        writer.at += record.len() as u64;
        writer.index += 1;
        writer.said_before = before;
        writer.is_needed = true;
        Ok(Bytes::from(record))
    }

    fn harden(&self, writer: &mut Writer) -> io::Result<()> {
        let half_bytes = self.ready.get().copied().unwrap_or_default();
        writer.length = writer.shorter.unwrap_or(writer.length);
        let Some((record, blocks)) = self.places.gathered() else { return self.shorten(writer) };
        // Room is left for one more record without blocks.
        if writer.at + (record::bytes_with(blocks.len()) + HEAD_BYTES) as u64 > half_bytes {
            self.go_over(writer, half_bytes)?;
        } else if writer.placing.as_ref().is_some_and(JoinHandle::is_finished) {
            settle(writer)?;
        }
        let record = self.append(writer, half_bytes, record, &blocks, false)?;
        self.places.hold(&record, blocks);
        self.shorten(writer)
    }

    fn shorten(&self, writer: &mut Writer) -> io::Result<()> {
        let Some(length) = writer.shorter.take() else { return Ok(()) };
        settle(writer)?;
        self.places.cut(length);
        self.places.disk.set_len(self.places.start() + length)
    }

    /// Puts everything in place, what was gathered last, and writes there from now on.
    fn go_direct(&self, writer: &mut Writer) -> io::Result<()> {
        writer.is_direct = true;
        settle(writer)?;
        if writer.is_needed {
            self.places.put_active()?;
            self.clear(writer, self.ready.get().copied().unwrap_or_default())?;
        } else if writer.has_grown {
            // The engine writes a length into its head only when the file has it for good.
            self.places.disk.sync()?;
        }
        self.places.put_gathered()?;
        self.shorten(writer)
    }

    /// The writer, for a change that is not gathered; what the journal holds is in place by then.
    fn directly(&self, writer: &mut Writer) -> io::Result<()> {
        if writer.is_needed && !writer.is_direct {
            self.go_direct(writer)?;
            writer.is_direct = writer.is_gathering;
        }
        Ok(())
    }

    fn changing(&self, change: impl FnOnce(&mut Writer) -> io::Result<()>) -> io::Result<()> {
        self.ready()?;
        let mut writer = locked(&self.writer);
        if writer.has_failed {
            return Err(broken());
        }
        let changed = change(&mut writer);
        writer.has_failed |= changed.is_err();
        changed
    }
}

/// Waits for the half that is being put in place.
fn settle(writer: &mut Writer) -> io::Result<()> {
    let Some(placing) = writer.placing.take() else { return Ok(()) };
    placing.join().unwrap_or_else(|_| Err(broken()))?;
    writer.before = 0;
    Ok(())
}

impl StorageBackend for Journalled {
    fn len(&self) -> io::Result<u64> {
        self.0.ready()?;
        let writer = locked(&self.0.writer);
        Ok(writer.shorter.unwrap_or(writer.length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.ready()?;
        self.0.places.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let journal = &self.0;
        journal.changing(|writer| {
            let is_gathered = writer.is_gathering && !writer.is_direct;
            if is_gathered && length < writer.length {
                writer.shorter = Some(length);
                return Ok(());
            }
            if !is_gathered {
                journal.directly(writer)?;
            }
            writer.has_grown |= length > writer.length;
            (writer.shorter, writer.length) = (None, length);
            journal.places.disk.set_len(journal.places.start() + length)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let journal = &self.0;
        journal.changing(|writer| match writer.is_gathering && !writer.is_direct {
            true => Ok(()),
            false => {
                writer.has_grown = false;
                journal.places.disk.sync()
            }
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let journal = &self.0;
        journal.changing(|writer| {
            if writer.is_gathering && !writer.is_direct {
                if journal.places.gather(offset, data, journal.blocks_max())? {
                    return Ok(());
                }
                journal.go_direct(writer)?;
            }
            journal.directly(writer)?;
            journal.places.disk.write(journal.places.start() + offset, data)
        })
    }

    fn close(&self) -> io::Result<()> {
        let settled = settle(&mut locked(&self.0.writer));
        self.0.places.disk.close().and(settled)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.places.disk.locks().try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.places.disk.locks().try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.places.disk.locks().lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.places.disk.locks().lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.places.disk.locks().unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.places.disk.locks().query_lock_range(start, end)
    }
}
