//! What was replaced: one record per transaction, and reading rows as of an earlier sequence.
//!
//! A row carries the sequence that wrote it; the record of that sequence holds what it replaced, which carries its own
//! sequence, and so on back. A delete leaves a tombstone until its record is pruned, so today's keys contain yesterday's.
//! Only tables with history can be read this way. In others a row that was appended (its key begins with its own sequence) is
//! hidden when it is newer; any other row is shown as it is now.

use super::catalog::{META, UNDO};
use super::contract::{Error, KeyRange, Result, Row, Table, hex};
use super::envelope::{self, Stored};
use super::recent::Commit;
use super::redb::Snapshot;
use bytes::{BufMut, Bytes, BytesMut};

/// The row that says up to which sequence records have been pruned.
pub(super) const KEY_FLOOR: &[u8] = b"history_floor";

/// One replaced row. `replaced` is its envelope, `None` when there was nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) table: u8,
    pub(super) key: Bytes,
    pub(super) deleted: bool,
    pub(super) replaced: Option<Bytes>,
}

/// What one transaction replaced, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UndoRecord {
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) logged: bool,
    pub(super) entries: Vec<Entry>,
}

impl UndoRecord {
    pub(super) fn new(commit: &Commit) -> UndoRecord {
        UndoRecord { seq: commit.seq, at: commit.at, logged: commit.logged, entries: Vec::new() }
    }

    /// A transaction that neither replaced a row with history nor logged anything needs no record.
    pub(super) fn is_kept(&self) -> bool {
        self.logged || !self.entries.is_empty()
    }

    pub(super) fn encode(&self) -> Bytes {
        let size = |entry: &Entry| 8 + entry.key.len() + entry.replaced.as_ref().map_or(0, Bytes::len);
        let mut out = BytesMut::with_capacity(8 + self.entries.iter().map(size).sum::<usize>());
        out.put_i64_le(self.at);
        for entry in &self.entries {
            out.put_u8(entry.table);
            out.put_u8(u8::from(entry.deleted) | u8::from(entry.replaced.is_some()) << 1);
            // Keys are at most 1,024 bytes and payloads 16 MiB, both checked when they were put.
            out.put_u16_le(entry.key.len() as u16);
            out.put_u32_le(entry.replaced.as_ref().map_or(0, Bytes::len) as u32);
            out.put_slice(&entry.key);
            out.put_slice(entry.replaced.as_deref().unwrap_or_default());
        }
        out.freeze()
    }

    pub(super) fn decode(seq: u64, bytes: &Bytes) -> Result<UndoRecord> {
        let corrupt = || Error::Corrupt { table: UNDO.name, key: hex(&seq.to_be_bytes()) };
        let mut rest = bytes.clone();
        let mut take = |count: usize| if rest.len() < count { Err(corrupt()) } else { Ok(rest.split_to(count)) };
        let at = i64::from_le_bytes(take(8)?.as_ref().try_into().map_err(|_| corrupt())?);
        let mut record = UndoRecord { seq, at, logged: true, entries: Vec::new() };
        let mut left = bytes.len().saturating_sub(8);
        while left > 0 {
            let head = take(8)?;
            let key_bytes = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let replaced_bytes = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let key = take(key_bytes)?;
            let replaced = take(replaced_bytes)?;
            left -= 8 + key_bytes + replaced_bytes;
            let replaced = (head[1] & 2 != 0).then_some(replaced);
            record.entries.push(Entry { table: head[0], key, deleted: head[1] & 1 != 0, replaced });
        }
        Ok(record)
    }
}

/// The record of a sequence, if it is still kept.
pub(super) fn record(snapshot: &Snapshot, seq: u64) -> Result<Option<UndoRecord>> {
    let found = snapshot.get(&UNDO, &seq.to_be_bytes())?.and_then(|stored| stored.payload);
    found.map(|payload| UndoRecord::decode(seq, &payload)).transpose()
}

/// The sequence up to which records have been pruned; nothing before it can be read.
pub(super) fn floor(snapshot: &Snapshot) -> Result<u64> {
    let Some(row) = snapshot.get(&META, KEY_FLOOR)?.and_then(|stored| stored.payload) else { return Ok(0) };
    let bytes = row.as_ref().try_into().map_err(|_| Error::Corrupt { table: META.name, key: hex(KEY_FLOOR) })?;
    Ok(u64::from_be_bytes(bytes))
}

/// A row as of `seq`; the snapshot must be at `seq` or later.
pub(super) fn get_as_of(snapshot: &Snapshot, table: &Table, key: &[u8], seq: u64) -> Result<Option<Row>> {
    match snapshot.get(table, key)? {
        Some(stored) => walk_back(snapshot, table, key, stored, seq),
        None if table.history && seq < floor(snapshot)? => Err(Error::HistoryGone { seq }),
        None => Ok(None),
    }
}

fn walk_back(snapshot: &Snapshot, table: &Table, key: &[u8], newest: Stored, seq: u64) -> Result<Option<Row>> {
    if !table.history {
        let appended = key.starts_with(&newest.seq.to_be_bytes());
        return Ok(if appended && newest.seq > seq { None } else { newest.row() });
    }
    let mut stored = newest;
    while stored.seq > seq {
        let Some(undo) = record(snapshot, stored.seq)? else { return Err(Error::HistoryGone { seq }) };
        let entry = undo.entries.into_iter().find(|entry| entry.table == table.code && entry.key == key);
        let corrupt = || Error::Corrupt { table: UNDO.name, key: hex(&undo.seq.to_be_bytes()) };
        let Some(replaced) = entry.ok_or_else(corrupt)?.replaced else { return Ok(None) };
        let older = envelope::open(table, key, &replaced)?;
        // A chain that does not go back would never end.
        if older.seq >= stored.seq {
            return Err(corrupt());
        }
        stored = older;
    }
    Ok(stored.row())
}

/// Up to `limit` rows of a range as of `seq`: today's keys, each walked back.
pub(super) fn scan_as_of(
    snapshot: &Snapshot,
    table: &Table,
    range: &KeyRange,
    reverse: bool,
    limit: usize,
    seq: u64,
) -> Result<Vec<(Bytes, Row)>> {
    if table.history && seq < floor(snapshot)? {
        return Err(Error::HistoryGone { seq });
    }
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    snapshot.walk(table, range, reverse, &mut |key, stored| {
        if let Some(row) = walk_back(snapshot, table, key, stored?, seq)? {
            found.push((Bytes::copy_from_slice(key), row));
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// The last recorded sequence whose instant is not after `instant`; `None` when history does not reach back that far.
/// Instants never decrease with the sequence, so this halves the span of sequences, asking for the next record each time.
pub(super) fn seq_at(snapshot: &Snapshot, instant: i64) -> Result<Option<u64>> {
    let next = |from: u64, reverse: bool| -> Result<Option<UndoRecord>> {
        let mut range = KeyRange::from(&from.to_be_bytes());
        if reverse {
            range = KeyRange::all();
        }
        let page = snapshot.page(&UNDO, &range, reverse, 1, false)?;
        let Some((key, stored)) = page.into_iter().next() else { return Ok(None) };
        let seq = key.as_ref().try_into().map(u64::from_be_bytes);
        let seq = seq.map_err(|_| Error::Corrupt { table: UNDO.name, key: hex(&key) })?;
        stored.payload.map(|payload| UndoRecord::decode(seq, &payload)).transpose()
    };
    let pruned = floor(snapshot)?;
    let (Some(first), Some(last)) = (next(0, false)?, next(0, true)?) else {
        return Ok((pruned == 0).then_some(0));
    };
    if last.at <= instant {
        return Ok(Some(last.seq));
    }
    if first.at > instant {
        return Ok((pruned == 0).then_some(0));
    }
    // `low` is a record at or before the instant, and the first record from `high` on is after it.
    let (mut low, mut high) = (first.seq, last.seq);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        match next(middle, false)? {
            Some(record) if record.at <= instant => low = record.seq,
            _ => high = middle,
        }
    }
    Ok(Some(low))
}

/// The oldest records that may be pruned: before the instant, and none from `keep_from` on.
pub(super) fn doomed(snapshot: &Snapshot, before: i64, limit: usize, keep_from: u64) -> Result<Vec<UndoRecord>> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    snapshot.walk(&UNDO, &KeyRange::all(), false, &mut |key, stored| {
        let stored = stored?;
        let Some(payload) = stored.payload else { return Ok(true) };
        let record = UndoRecord::decode(stored.seq, &payload)?;
        if record.at >= before || stored.seq >= keep_from || key != stored.seq.to_be_bytes() {
            return Ok(false);
        }
        found.push(record);
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_encoding_and_no_cut_of_it_panics() {
        let entry = |deleted, replaced: Option<&'static [u8]>| Entry {
            table: 3,
            key: Bytes::from_static(b"key"),
            deleted,
            replaced: replaced.map(Bytes::from_static),
        };
        let entries = vec![entry(false, None), entry(true, Some(b"old")), entry(false, Some(b""))];
        let record = UndoRecord { seq: 5, at: -7, logged: true, entries };
        let bytes = record.encode();
        assert_eq!(UndoRecord::decode(5, &bytes).unwrap(), record);
        for cut in 0..bytes.len() {
            let _ = UndoRecord::decode(5, &bytes.slice(..cut));
        }
        assert!(UndoRecord::decode(5, &bytes.slice(..bytes.len() - 1)).is_err());
    }
}
