//! The writes accepted lately: what a snapshot adds to the base, and the window in which conflicts are judged.
//!
//! It is on the path of every read, so the common answer - "not written lately" - takes no lock: a table of sequence numbers
//! by key hash says when a key with that hash was last written, and a sequence at or below the base means the base has it.
//! Only keys that may really be recent reach the ordered map of their table. Inserting is the sequencer's alone.

use super::contract::{KeyRange, Row};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// One row a transaction writes; `value` is `None` for a delete.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) table: u8,
    pub(super) key: Bytes,
    pub(super) value: Option<Bytes>,
    pub(super) key_hash: u64,
    pub(super) payload_hash: u64,
}

/// An accepted transaction.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) seq: u64,
    /// The instant it happened, in microseconds; never before that of an earlier sequence.
    pub(super) at: i64,
    pub(super) writes: Vec<Write>,
    pub(super) bytes: usize,
    /// Whether it leaves a history record even when it replaces nothing.
    pub(super) logged: bool,
}

#[derive(Debug, Clone)]
struct Version {
    seq: u64,
    value: Option<Bytes>,
}

/// The versions of one key, the newest inline: most keys are written once in a window.
#[derive(Debug)]
struct Slot {
    newest: Version,
    older: Vec<Version>,
}

impl Slot {
    fn at(&self, seq: u64) -> Option<&Version> {
        if self.newest.seq <= seq {
            return Some(&self.newest);
        }
        self.older.iter().rev().find(|version| version.seq <= seq)
    }
}

#[derive(Debug, Default)]
struct TableRows {
    /// The sequence of the last write to the table.
    last: AtomicU64,
    rows: RwLock<BTreeMap<Bytes, Slot>>,
}

#[derive(Debug)]
pub(super) struct Recent {
    written: Box<[AtomicU64]>,
    tables: Box<[TableRows]>,
    floor: AtomicU64,
    generation: AtomicU64,
    keys: AtomicUsize,
}

impl Recent {
    /// `buckets` must be a power of two.
    pub(super) fn new(buckets: usize) -> Recent {
        Recent {
            written: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            tables: (0..256).map(|_| TableRows::default()).collect(),
            floor: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            keys: AtomicUsize::new(0),
        }
    }

    fn bucket(&self, key_hash: u64) -> &AtomicU64 {
        // The length is a power of two, so the mask keeps the index inside and fits a usize.
        &self.written[(key_hash as usize) & (self.written.len() - 1)]
    }

    fn table(&self, code: u8) -> &TableRows {
        &self.tables[usize::from(code)]
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether everything after `seq` is still here; ask after reading, not before.
    pub(super) fn reaches(&self, seq: u64, generation: u64) -> bool {
        self.floor.load(Ordering::Acquire) <= seq && self.generation() == generation
    }

    /// The recent version of a key as of `seq`: `None` means the base decides, `Some(None)` that it is deleted.
    pub(super) fn get(&self, code: u8, key: &[u8], key_hash: u64, base: u64, seq: u64) -> Option<Option<Row>> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= base {
            return None;
        }
        let rows = self.table(code).rows.read().unwrap_or_else(PoisonError::into_inner);
        let version = rows.get(key)?.at(seq)?;
        Some(version.value.clone().map(|bytes| Row { seq: version.seq, bytes }))
    }

    /// The recent versions in a range as of `seq`, in the order asked for, stopping after `live_max` that are not deletes.
    pub(super) fn range(
        &self,
        code: u8,
        range: &KeyRange,
        reverse: bool,
        live_max: usize,
        base: u64,
        seq: u64,
    ) -> Vec<(Bytes, Option<Row>)> {
        let table = self.table(code);
        if table.last.load(Ordering::Acquire) <= base || range.is_empty() {
            return Vec::new();
        }
        let rows = table.rows.read().unwrap_or_else(PoisonError::into_inner);
        let mut entries = rows.range::<[u8], _>(range.bounds());
        let mut found = Vec::new();
        let mut live = 0;
        while live < live_max {
            let Some((key, slot)) = (if reverse { entries.next_back() } else { entries.next() }) else { break };
            let Some(version) = slot.at(seq) else { continue };
            live += usize::from(version.value.is_some());
            let row = version.value.clone().map(|bytes| Row { seq: version.seq, bytes });
            found.push((key.clone(), row));
        }
        found
    }

    /// The sequence after `seq` that wrote the key, if any.
    pub(super) fn key_changed(&self, code: u8, key: &[u8], key_hash: u64, seq: u64) -> Option<u64> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= seq {
            return None;
        }
        let rows = self.table(code).rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(key).map(|slot| slot.newest.seq).filter(|newest| *newest > seq)
    }

    /// The sequence that made the key live, if the window knows it to be so now.
    pub(super) fn key_live(&self, code: u8, key: &[u8], key_hash: u64, floor: u64) -> Option<u64> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= floor {
            return None;
        }
        let rows = self.table(code).rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(key).filter(|slot| slot.newest.value.is_some()).map(|slot| slot.newest.seq)
    }

    /// The last sequence after `seq` that wrote into the range, if any.
    pub(super) fn range_changed(&self, code: u8, range: &KeyRange, seq: u64) -> Option<u64> {
        let table = self.table(code);
        if table.last.load(Ordering::Acquire) <= seq || range.is_empty() {
            return None;
        }
        let rows = table.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.range::<[u8], _>(range.bounds()).map(|(_, slot)| slot.newest.seq).filter(|newest| *newest > seq).max()
    }

    /// Adds an accepted transaction. Only the holder of the sequencer's lock calls this, in sequence order.
    pub(super) fn insert(&self, seq: u64, writes: &[Write]) {
        let mut rest = writes;
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|write| write.table == first.table).count();
            let (now, later) = rest.split_at(same);
            let table = self.table(first.table);
            let mut rows = table.rows.write().unwrap_or_else(PoisonError::into_inner);
            for write in now {
                self.bucket(write.key_hash).store(seq, Ordering::Release);
                let version = Version { seq, value: write.value.clone() };
                match rows.entry(write.key.clone()) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(Slot { newest: version, older: Vec::new() });
                        self.keys.fetch_add(1, Ordering::Relaxed);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) => {
                        let slot = entry.get_mut();
                        let older = std::mem::replace(&mut slot.newest, version);
                        slot.older.push(older);
                    }
                }
            }
            table.last.store(seq, Ordering::Release);
            rest = later;
        }
    }

    /// Snapshots that begin before `seq` can no longer be read or judged.
    pub(super) fn raise_floor(&self, seq: u64) {
        self.floor.fetch_max(seq, Ordering::AcqRel);
    }

    /// Forgets versions up to `seq` of the keys these transactions wrote.
    pub(super) fn forget(&self, commits: &[std::sync::Arc<Commit>], seq: u64) {
        let mut writes: Vec<&Write> = commits.iter().flat_map(|commit| &commit.writes).collect();
        writes.sort_unstable_by_key(|write| write.table);
        for slice in writes.chunk_by(|left, right| left.table == right.table).flat_map(|same| same.chunks(64)) {
            let mut freed = Vec::with_capacity(slice.len());
            let mut rows = self.table(slice[0].table).rows.write().unwrap_or_else(PoisonError::into_inner);
            for write in slice {
                let Some(slot) = rows.get_mut(&write.key) else { continue };
                if slot.newest.seq <= seq {
                    freed.extend(rows.remove(&write.key));
                } else {
                    slot.older.retain(|version| version.seq > seq);
                }
            }
            drop(rows);
            self.keys.fetch_sub(freed.len(), Ordering::Relaxed);
        }
    }

    /// Forgets everything: what was accepted and not durable is void. Readers of before see it by the generation.
    pub(super) fn void(&self, seq: u64) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.raise_floor(seq);
        for table in &self.tables {
            let mut rows = table.rows.write().unwrap_or_else(PoisonError::into_inner);
            self.keys.fetch_sub(rows.len(), Ordering::Relaxed);
            rows.clear();
        }
    }
}
