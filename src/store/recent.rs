//! The writes accepted lately: what a snapshot adds to the base, and the window in which conflicts are judged.
//!
//! It is on the path of every read, so the common answer - "not written lately" - takes no lock: a table of sequence numbers
//! by key hash says when a key with that hash was last written, and a sequence at or below the base means the base has it.
//! Only keys that may really be recent reach the ordered maps of their table, a few of them, each a run of consecutive
//! transactions. Inserting is the sequencer's alone, and what is old is forgotten a run at a time.

use super::chain::Appended;
use super::contract::{KeyRange, Row};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::collections::btree_map::{self, BTreeMap, Entry};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

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
    /// The rows it appends, for the chain.
    pub(super) appended: Vec<Appended>,
}

#[derive(Debug, Clone)]
struct Version {
    seq: u64,
    value: Option<Bytes>,
}

impl Version {
    fn row(self) -> Option<Row> {
        self.value.map(|bytes| Row { seq: self.seq, bytes })
    }
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

/// A run of consecutive transactions. It is forgotten whole, so that forgetting takes no lock of a reader or a writer.
#[derive(Debug)]
struct Segment {
    first: AtomicU64,
    last: AtomicU64,
    writes: AtomicUsize,
    keys: AtomicUsize,
    tables: Box<[TableRows]>,
}

impl Segment {
    fn new() -> Segment {
        Segment {
            first: AtomicU64::new(u64::MAX),
            last: AtomicU64::new(0),
            writes: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
            tables: (0..256).map(|_| TableRows::default()).collect(),
        }
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    fn rows(&self, code: u8) -> RwLockReadGuard<'_, BTreeMap<Bytes, Slot>> {
        self.tables[usize::from(code)].rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_last(&self, code: u8) -> u64 {
        self.tables[usize::from(code)].last.load(Ordering::Acquire)
    }
}

/// Segments that have been let go; dropping them frees their rows, which is best done without a lock.
pub(super) struct Forgotten {
    _segments: Vec<Arc<Segment>>,
}

type Segments = Vec<Arc<Segment>>;

#[derive(Debug)]
pub(super) struct Recent {
    written: Box<[AtomicU64]>,
    /// Newest first; only the first is written to. Replaced whole, by the holder of the sequencer's lock.
    segments: ArcSwap<Segments>,
    segment_writes_max: usize,
    floor: AtomicU64,
    generation: AtomicU64,
}

impl Recent {
    /// `buckets` must be a power of two.
    pub(super) fn new(buckets: usize, segment_writes_max: usize) -> Recent {
        Recent {
            written: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            segments: ArcSwap::from_pointee(vec![Arc::new(Segment::new())]),
            segment_writes_max,
            floor: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        }
    }

    fn bucket(&self, key_hash: u64) -> &AtomicU64 {
        // The length is a power of two, so the mask keeps the index inside and fits a usize.
        &self.written[(key_hash as usize) & (self.written.len() - 1)]
    }

    pub(super) fn keys(&self) -> usize {
        self.segments.load().iter().map(|segment| segment.keys.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn writes(&self) -> usize {
        self.segments.load().iter().map(|segment| segment.writes.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether everything after `seq` is still here; ask after reading, not before.
    pub(super) fn reaches(&self, seq: u64, generation: u64) -> bool {
        self.floor.load(Ordering::Acquire) <= seq && self.generation() == generation
    }

    /// Shows the newest slot of a key to `each`, then older ones, while they may hold something after `after`.
    fn find<T>(&self, code: u8, key: &[u8], after: u64, mut each: impl FnMut(&Slot) -> Option<T>) -> Option<T> {
        let segments = self.segments.load();
        let newer = segments.iter().filter(|segment| segment.table_last(code) > after);
        newer.into_iter().find_map(|segment| segment.rows(code).get(key).and_then(&mut each))
    }

    /// The recent version of a key as of `seq`: `None` means the base decides, `Some(None)` that it is deleted.
    pub(super) fn get(&self, code: u8, key: &[u8], key_hash: u64, base: u64, seq: u64) -> Option<Option<Row>> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= base {
            return None;
        }
        self.find(code, key, base, |slot| slot.at(seq).cloned()).map(Version::row)
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
        let segments = self.segments.load();
        let is_wanted = |segment: &&Arc<Segment>| {
            segment.table_last(code) > base && segment.first.load(Ordering::Acquire) <= seq && !range.is_empty()
        };
        let guards: Vec<_> = segments.iter().filter(is_wanted).map(|segment| segment.rows(code)).collect();
        let mut cursors: Vec<Cursor<'_>> =
            guards.iter().map(|rows| Cursor::new(rows.range::<[u8], _>(range.bounds()), reverse)).collect();
        let (mut found, mut live) = (Vec::new(), 0);
        while live < live_max {
            let heads = cursors.iter().filter_map(|cursor| cursor.head.map(|(key, _)| key));
            let Some(key) = (if reverse { heads.max() } else { heads.min() }) else { break };
            let mut version = None;
            // Newest segment first: the first that has a version as of the sequence has the right one.
            for cursor in cursors.iter_mut().filter(|cursor| cursor.head.is_some_and(|(head, _)| head == key)) {
                version = version.or_else(|| cursor.head.and_then(|(_, slot)| slot.at(seq)));
                cursor.advance();
            }
            if let Some(version) = version {
                live += usize::from(version.value.is_some());
                found.push((key.clone(), version.clone().row()));
            }
        }
        found
    }

    /// The sequence after `seq` that wrote the key, if any.
    pub(super) fn key_changed(&self, code: u8, key: &[u8], key_hash: u64, seq: u64) -> Option<u64> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= seq {
            return None;
        }
        self.find(code, key, seq, |slot| Some(slot.newest.seq)).filter(|newest| *newest > seq)
    }

    /// The sequence that made the key live, if the window knows it to be so now.
    pub(super) fn key_live(&self, code: u8, key: &[u8], key_hash: u64, base: u64) -> Option<u64> {
        if self.bucket(key_hash).load(Ordering::Acquire) <= base {
            return None;
        }
        let newest = self.find(code, key, base, |slot| Some((slot.newest.seq, slot.newest.value.is_some())));
        newest.filter(|(_, is_live)| *is_live).map(|(seq, _)| seq)
    }

    /// The last sequence after `seq` that wrote into the range, if any.
    pub(super) fn range_changed(&self, code: u8, range: &KeyRange, seq: u64) -> Option<u64> {
        if range.is_empty() {
            return None;
        }
        let segments = self.segments.load();
        let newer = segments.iter().filter(|segment| segment.table_last(code) > seq);
        newer
            .filter_map(|segment| {
                let rows = segment.rows(code);
                rows.range::<[u8], _>(range.bounds()).map(|(_, slot)| slot.newest.seq).max()
            })
            .max()
            .filter(|newest| *newest > seq)
    }

    /// Adds an accepted transaction. Only the holder of the sequencer's lock calls this, in sequence order.
    pub(super) fn insert(&self, seq: u64, writes: &[Write]) {
        let segments = self.segments.load();
        let mut newest = segments[0].clone();
        if newest.writes.load(Ordering::Relaxed) >= self.segment_writes_max {
            newest = Arc::new(Segment::new());
            let with_it = std::iter::once(newest.clone()).chain(segments.iter().cloned()).collect();
            self.segments.store(Arc::new(with_it));
        }
        newest.writes.fetch_add(writes.len(), Ordering::Relaxed);
        newest.first.fetch_min(seq, Ordering::AcqRel);
        newest.last.store(seq, Ordering::Release);
        for same in writes.chunk_by(|left, right| left.table == right.table) {
            let table = &newest.tables[usize::from(same[0].table)];
            let mut rows = table.rows.write().unwrap_or_else(PoisonError::into_inner);
            for write in same {
                self.bucket(write.key_hash).store(seq, Ordering::Release);
                let version = Version { seq, value: write.value.clone() };
                match rows.entry(write.key.clone()) {
                    Entry::Vacant(entry) => {
                        entry.insert(Slot { newest: version, older: Vec::new() });
                        newest.keys.fetch_add(1, Ordering::Relaxed);
                    }
                    Entry::Occupied(mut entry) => {
                        let slot = entry.get_mut();
                        let older = std::mem::replace(&mut slot.newest, version);
                        slot.older.push(older);
                    }
                }
            }
            table.last.store(seq, Ordering::Release);
        }
    }

    /// Snapshots that begin before `seq` can no longer be read or judged.
    pub(super) fn raise_floor(&self, seq: u64) {
        self.floor.fetch_max(seq, Ordering::AcqRel);
    }

    /// Lets go of segments that end at `seq` or before. Only the holder of the sequencer's lock calls this; the floor must
    /// have been raised before.
    pub(super) fn forget(&self, seq: u64) -> Forgotten {
        let segments = self.segments.load();
        let is_old = |segment: &&Arc<Segment>| segment.last() != 0 && segment.last() <= seq;
        let old: Segments = segments.iter().filter(is_old).cloned().collect();
        if !old.is_empty() {
            let mut kept: Segments = segments.iter().filter(|segment| !is_old(segment)).cloned().collect();
            if kept.is_empty() {
                kept.push(Arc::new(Segment::new()));
            }
            self.segments.store(Arc::new(kept));
        }
        Forgotten { _segments: old }
    }

    /// Forgets everything: what was accepted and not durable is void. Readers of before see it by the generation. Only the
    /// holder of the sequencer's lock calls this.
    pub(super) fn void(&self, seq: u64) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.raise_floor(seq);
        self.segments.store(Arc::new(vec![Arc::new(Segment::new())]));
    }
}

/// A walk through one segment's share of a range.
struct Cursor<'a> {
    entries: btree_map::Range<'a, Bytes, Slot>,
    reverse: bool,
    head: Option<(&'a Bytes, &'a Slot)>,
}

impl<'a> Cursor<'a> {
    fn new(entries: btree_map::Range<'a, Bytes, Slot>, reverse: bool) -> Cursor<'a> {
        let mut cursor = Cursor { entries, reverse, head: None };
        cursor.advance();
        cursor
    }

    fn advance(&mut self) {
        self.head = if self.reverse { self.entries.next_back() } else { self.entries.next() };
    }
}
