//! A transaction: a snapshot to read, an overlay to write, and what was read, to be judged at commit.
//!
//! One type serves the store, the durable view, the place in line and forks, so code above never asks which it has. It holds
//! no lock. Dropping it undoes everything.

mod reading;

use super::chain::{self, Appended};
use super::committer::{Hurry, Place, Shared};
use super::contract::{
    Error, KEY_BYTES_MAX, KeyRange, PAYLOAD_BYTES_MAX, READS_MAX, Result, TRANSACTION_BYTES_MAX, Table,
};
use super::envelope;
use super::fork::Forked;
use super::prepared::{Prepared, ReadKey};
use super::recent::Write;
use super::redb::Snapshot;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most rows one transaction may append to one table: the key has one byte to tell them apart.
pub(super) const APPENDS_MAX: usize = 256;

/// The unit of work. It commits whole or leaves nothing.
pub struct Tx {
    view: View,
    overlay: BTreeMap<u8, BTreeMap<Bytes, Pending>>,
    appends: Vec<(u8, Bytes)>,
    reads: Vec<ReadKey>,
    ranges: Vec<(u8, KeyRange)>,
    at: Option<i64>,
    bytes: usize,
    judges_always: bool,
    /// What writes replaced in the overlay, kept from the first savepoint on.
    journal: Option<Vec<Replaced>>,
}

enum View {
    Live { shared: Arc<Shared>, base: Arc<Snapshot>, generation: u64, seq: u64, place: Option<Place> },
    Durable { shared: Arc<Shared>, base: Arc<Snapshot>, generation: u64, seq: u64 },
    Fork { fork: Arc<Forked>, seq: u64 },
    Closed,
}

#[derive(Debug, Clone)]
struct Pending {
    value: Option<Bytes>,
    is_fresh: bool,
}

struct Replaced {
    table: u8,
    key: Bytes,
    pending: Option<Pending>,
}

/// A mark that writes can be rolled back to. What was read stays read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint {
    writes: usize,
    appends: usize,
    at: Option<i64>,
    bytes: usize,
}

/// The answer to a commit: accepted now, durable when `wait` returns.
#[derive(Clone)]
pub struct Ticket {
    /// The sequence the transaction is serialised at.
    pub seq: u64,
    shared: Option<Arc<Shared>>,
}

impl Ticket {
    /// Waits until the transaction, and everything it could have seen, is on disk. Tickets of forks are at once.
    ///
    /// # Errors
    /// `Unavailable` when storage failed meanwhile: the outcome is unknown. `Closed` when the store ended first.
    pub fn wait(&self) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        shared.hurry(self.seq);
        shared.watermark.wait(self.seq)
    }

    /// Calls `callback` once, as `wait` would return; on the calling thread when that is now, else on the applier's, where
    /// it must not block.
    pub fn on_durable(&self, callback: impl FnOnce(Result<()>) + Send + 'static) {
        match &self.shared {
            Some(shared) => shared.watermark.call_when(self.seq, Box::new(callback)),
            None => callback(Ok(())),
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ticket").field("seq", &self.seq).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tx").field("seq", &self.seq()).field("writes", &self.writes()).finish_non_exhaustive()
    }
}

/// What of a transaction goes into one buffer; the rest keeps its own.
const BUFFER_BYTES_MAX: usize = 65_536;
/// Payloads longer than this are not copied once more.
const PACKED_BYTES_MAX: usize = 4_096;

/// The same bytes in the buffer; clones of what it gives never allocate.
fn packed(buffer: &mut BytesMut, bytes: Bytes) -> Bytes {
    if bytes.len() > PACKED_BYTES_MAX || bytes.len() > buffer.capacity() {
        // The first clone of bytes made from a vector allocates; this one does, so that none under the lock has to.
        drop(bytes.clone());
        return bytes;
    }
    buffer.extend_from_slice(&bytes);
    buffer.split().freeze()
}

/// What the chain needs of appended rows, sorted by table: hashed here, where nobody waits.
fn appended(appends: &[(u8, Bytes, u64)]) -> Vec<Appended> {
    let of_table = |same: &[(u8, Bytes, u64)]| {
        let rows = (0..=u8::MAX).zip(same);
        rows.map(|(ordinal, (table, payload, _))| Appended { table: *table, ordinal, leaf: chain::leaf(payload) })
            .collect::<Vec<_>>()
    };
    appends.chunk_by(|(left, _, _), (right, _, _)| left == right).flat_map(of_table).collect()
}

impl Tx {
    fn of(view: View) -> Tx {
        Tx {
            view,
            overlay: BTreeMap::new(),
            appends: Vec::new(),
            reads: Vec::new(),
            ranges: Vec::new(),
            at: None,
            bytes: 0,
            judges_always: false,
            journal: None,
        }
    }

    pub(super) fn live(shared: Arc<Shared>, place: Option<Place>) -> Tx {
        let (base, generation, seq) = shared.snapshot();
        Tx::of(View::Live { shared, base, generation, seq, place })
    }

    pub(super) fn durable(shared: Arc<Shared>) -> Tx {
        let (base, generation, seq) = shared.durable_snapshot();
        Tx::of(View::Durable { shared, base, generation, seq })
    }

    pub(super) fn forked(fork: Arc<Forked>, seq: u64) -> Tx {
        Tx::of(View::Fork { fork, seq })
    }

    /// A hollow transaction: every use of it is `Closed`. It stands where a real one was taken from.
    #[must_use]
    pub fn closed() -> Tx {
        Tx::of(View::Closed)
    }

    /// The sequence the transaction reads as of.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match &self.view {
            View::Live { seq, .. } | View::Durable { seq, .. } | View::Fork { seq, .. } => *seq,
            View::Closed => 0,
        }
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes() == 0
    }

    /// How many rows will be written.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.appends.len() + self.overlay.values().map(BTreeMap::len).sum::<usize>()
    }

    /// Writes a row.
    ///
    /// # Errors
    /// `LimitExceeded`, `ReadOnly`, `Closed`, `UnknownTable`.
    pub fn put(&mut self, table: &Table, key: &[u8], payload: impl Into<Bytes>) -> Result<()> {
        self.write(table, key, Some(payload.into()), false)
    }

    /// Writes a row under a key known to be unused, such as a fresh id. A transaction of nothing but these and appends is
    /// serialised at its snapshot and never conflicts over what it read; it does conflict when a recent transaction made
    /// one of these keys live. That an older row has the key is not checked: `get` it first where that can be.
    ///
    /// # Errors
    /// As `put`.
    pub fn put_new(&mut self, table: &Table, key: &[u8], payload: impl Into<Bytes>) -> Result<()> {
        self.write(table, key, Some(payload.into()), true)
    }

    /// Deletes a row; nothing happens when there is none.
    ///
    /// # Errors
    /// As `put`.
    pub fn delete(&mut self, table: &Table, key: &[u8]) -> Result<()> {
        self.write(table, key, None, false)
    }

    fn write(&mut self, table: &Table, key: &[u8], value: Option<Bytes>, is_fresh: bool) -> Result<()> {
        self.check_write(table)?;
        if key.len() > KEY_BYTES_MAX {
            return Err(Error::LimitExceeded { what: "bytes of a key", limit: KEY_BYTES_MAX as u64 });
        }
        self.count_bytes(key.len(), value.as_ref())?;
        let key = Bytes::copy_from_slice(key);
        let rows = self.overlay.entry(table.code).or_default();
        // A fresh key written again in the same transaction is still fresh, and deleted again it was never there.
        let is_fresh = rows.get(&key).map_or(is_fresh, |before| before.is_fresh);
        let replaced = if is_fresh && value.is_none() {
            rows.remove(&key)
        } else {
            rows.insert(key.clone(), Pending { value, is_fresh })
        };
        if let Some(journal) = &mut self.journal {
            journal.push(Replaced { table: table.code, key, pending: replaced });
        }
        Ok(())
    }

    /// Appends a row to a log. Its key is given at commit: the sequence in 8 bytes, big end first, and from the second row
    /// of the same log on one byte more that counts them.
    ///
    /// # Errors
    /// As `put`.
    pub fn append(&mut self, log: &Table, payload: impl Into<Bytes>) -> Result<()> {
        self.check_write(log)?;
        let payload = payload.into();
        if self.appends.iter().filter(|(code, _)| *code == log.code).count() >= APPENDS_MAX {
            return Err(Error::LimitExceeded { what: "rows appended to one log", limit: APPENDS_MAX as u64 });
        }
        self.count_bytes(9, Some(&payload))?;
        self.appends.push((log.code, payload));
        Ok(())
    }

    /// Asks that what was read is judged at commit even if nothing but appends and fresh keys is written: for a record
    /// that must not be made when what it says is no longer so.
    pub fn judge_reads(&mut self) {
        self.judges_always = true;
    }

    /// Says when this happens, in microseconds since 1970. An earlier instant than that of an earlier sequence is raised to
    /// it. Without it the instant of the sequence before is taken.
    pub fn stamp_instant(&mut self, micros: i64) {
        self.at = Some(micros);
    }

    /// Marks this moment, so that later writes can be taken back.
    pub fn savepoint(&mut self) -> Savepoint {
        let journal = self.journal.get_or_insert_default();
        Savepoint { writes: journal.len(), appends: self.appends.len(), at: self.at, bytes: self.bytes }
    }

    /// Takes back every write since the mark. Reads stay part of what is judged.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        let later = match &mut self.journal {
            Some(journal) if savepoint.writes < journal.len() => journal.split_off(savepoint.writes),
            _ => Vec::new(),
        };
        for replaced in later.into_iter().rev() {
            let rows = self.overlay.entry(replaced.table).or_default();
            match replaced.pending {
                Some(pending) => drop(rows.insert(replaced.key, pending)),
                None => drop(rows.remove(&replaced.key)),
            }
        }
        self.appends.truncate(savepoint.appends);
        (self.at, self.bytes) = (savepoint.at, savepoint.bytes);
    }

    /// Asks for everything to happen. A transaction that wrote nothing gets the ticket of its snapshot.
    ///
    /// # Errors
    /// `Conflict` or `TooOld`: nothing happened, begin again. `Unavailable`, `Closed`: nothing happened.
    pub fn commit(self) -> Result<Ticket> {
        self.commit_with(Hurry::Some)
    }

    /// As `commit`, for work that goes on meanwhile: it may wait some milliseconds for more to become durable with it.
    ///
    /// # Errors
    /// As `commit`.
    pub fn commit_in_passing(self) -> Result<Ticket> {
        self.commit_with(Hurry::None)
    }

    /// As `commit`, and when nothing is being made durable now, this is, before it answers: for a lone change that somebody
    /// waits for, on a thread that may block as long as the disk takes.
    ///
    /// # Errors
    /// As `commit`.
    pub fn commit_here(self) -> Result<Ticket> {
        self.commit_with(Hurry::Here)
    }

    fn commit_with(mut self, hurry: Hurry) -> Result<Ticket> {
        let is_empty = self.is_empty();
        match std::mem::replace(&mut self.view, View::Closed) {
            View::Closed => Err(Error::Closed),
            View::Durable { shared, seq, .. } => Ok(Ticket { seq, shared: Some(shared) }),
            View::Live { shared, seq, .. } if is_empty => Ok(Ticket { seq, shared: Some(shared) }),
            View::Live { shared, base, generation, seq, place } => {
                let prepared = self.prepare(true);
                let snapshot = (base.seq, generation, seq);
                let seq = shared.commit(prepared, snapshot, place.as_ref(), hurry)?;
                Ok(Ticket { seq, shared: Some(shared) })
            }
            View::Fork { seq, .. } if is_empty => Ok(Ticket { seq, shared: None }),
            View::Fork { fork, seq } => Ok(Ticket { seq: fork.commit(self.prepare(false), seq)?, shared: None }),
        }
    }

    fn prepare(&mut self, is_chained: bool) -> Prepared {
        let mut prepared = Prepared {
            reads: std::mem::take(&mut self.reads),
            ranges: std::mem::take(&mut self.ranges),
            at: self.at,
            bytes: self.bytes,
            is_additive: !self.judges_always,
            ..Prepared::default()
        };
        // One buffer for all of them: one allocation to free, on another thread, once the window has passed.
        let mut buffer = BytesMut::with_capacity(self.bytes.min(BUFFER_BYTES_MAX));
        for (table, rows) in std::mem::take(&mut self.overlay) {
            for (key, Pending { value, is_fresh }) in rows {
                let key = packed(&mut buffer, key);
                let value = value.map(|value| packed(&mut buffer, value));
                if is_fresh {
                    prepared.fresh.push(prepared.writes.len());
                } else {
                    prepared.is_additive = false;
                }
                let key_hash = envelope::key_hash(table, &key);
                let payload_hash = envelope::payload_hash(value.as_ref());
                prepared.writes.push(Write { table, key, value, key_hash, payload_hash });
            }
        }
        let hashed = |(table, payload): (u8, Bytes)| {
            let payload = packed(&mut buffer, payload);
            let hash = envelope::payload_hash(Some(&payload));
            (table, payload, hash)
        };
        prepared.appends = std::mem::take(&mut self.appends).into_iter().map(hashed).collect();
        prepared.appends.sort_by_key(|(table, _, _)| *table);
        if is_chained {
            prepared.appended = appended(&prepared.appends);
        }
        prepared
    }

    fn is_judged(&self) -> bool {
        matches!(self.view, View::Live { .. } | View::Fork { .. })
    }

    fn count_read(&self) -> Result<()> {
        if self.reads.len() + self.ranges.len() >= READS_MAX {
            return Err(Error::LimitExceeded { what: "reads of one transaction", limit: READS_MAX as u64 });
        }
        Ok(())
    }

    fn count_bytes(&mut self, key_bytes: usize, payload: Option<&Bytes>) -> Result<()> {
        let payload_bytes = payload.map_or(0, Bytes::len);
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(Error::LimitExceeded { what: "bytes of a row", limit: PAYLOAD_BYTES_MAX as u64 });
        }
        if self.bytes + key_bytes + payload_bytes > TRANSACTION_BYTES_MAX {
            return Err(Error::LimitExceeded { what: "bytes of a transaction", limit: TRANSACTION_BYTES_MAX as u64 });
        }
        self.bytes += key_bytes + payload_bytes;
        Ok(())
    }

    fn check(&self, table: &Table) -> Result<()> {
        match &self.view {
            View::Live { shared, .. } | View::Durable { shared, .. } => shared.catalog.check(table),
            View::Fork { fork, .. } => fork.shared.catalog.check(table),
            View::Closed => Err(Error::Closed),
        }
    }

    fn check_write(&self, table: &Table) -> Result<()> {
        self.check(table)?;
        if matches!(self.view, View::Durable { .. }) { Err(Error::ReadOnly) } else { Ok(()) }
    }
}
