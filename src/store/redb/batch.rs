//! Writing many rows at once: one table's share of a durable commit, its history, the pages of a copy.

use super::{WriteTable, failed, open_table, put_meta};
use crate::store::catalog::{CHAIN, META, UNDO};
use crate::store::chain::{Head, KEY_HEAD};
use crate::store::contract::{Error, Result, Table, hex};
use crate::store::envelope::{self, Stored};
use crate::store::history::{Entry, UndoRecord};
use crate::store::recent::{Commit, Write};
use bytes::Bytes;
use redb::ReadableTable;
use std::ops::Bound;
use std::sync::Arc;

pub(super) fn append_page(table: &mut WriteTable<'_>, code: u8, page: &[(Bytes, Stored)]) -> Result<u64> {
    let (mut bytes, mut sealed) = (0, Vec::new());
    for (key, stored) in page {
        let payload = stored.payload.as_ref();
        envelope::seal(
            &mut sealed,
            envelope::key_hash(code, key),
            envelope::payload_hash(payload),
            stored.seq,
            payload,
        );
        bytes += (key.len() + sealed.len()) as u64;
        table.insert(key.as_ref(), sealed.as_slice()).map_err(failed("write the copy"))?;
    }
    Ok(bytes)
}

/// Writes one table's share of a batch, sorted by key and then sequence. Only the last version of a key reaches the table;
/// the ones before it go to history, as does what was there.
pub(super) fn apply_table(
    txn: &redb::WriteTransaction,
    table: &'static Table,
    rows: &[(usize, &Write)],
    batch: &[Arc<Commit>],
    undo: &mut [UndoRecord],
) -> Result<()> {
    let mut target = open_table(txn, table)?;
    let end =
        target.last().map_err(failed("read the end of a table"))?.map(|(key, _)| Bytes::copy_from_slice(key.value()));
    let split = rows.partition_point(|(_, write)| end.as_ref().is_some_and(|end| write.key <= *end));
    let (inside, beyond) = rows.split_at(split);
    let mut sealed = Vec::new();
    for versions in inside.chunk_by(|(_, left), (_, right)| left.key == right.key) {
        let Some((index, write)) = versions.last() else { continue };
        seal_write(&mut sealed, write, batch[*index].seq);
        let old = if write.value.is_some() || table.history {
            target.insert(write.key.as_ref(), sealed.as_slice())
        } else {
            target.remove(write.key.as_ref())
        };
        let old = old.map_err(failed("write a row"))?;
        if table.history {
            remember(table, versions, batch, old.map(|old| Bytes::copy_from_slice(old.value())), undo);
        }
    }
    append_rows(&mut target, table, beyond, batch, undo)
}

/// As much is appended through one cursor: it gathers its rows in one buffer, and a large one costs more than a new cursor.
const CURSOR_BYTES: usize = 256 << 10;

/// Writes rows that lie behind the end of a table.
fn append_rows(
    target: &mut WriteTable<'_>,
    table: &'static Table,
    rows: &[(usize, &Write)],
    batch: &[Arc<Commit>],
    undo: &mut [UndoRecord],
) -> Result<()> {
    let mut sealed = Vec::new();
    let mut keys = rows.chunk_by(|(_, left), (_, right)| left.key == right.key).peekable();
    while keys.peek().is_some() {
        let mut cursor = target.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(failed("append a row"))?;
        let mut bytes = 0;
        while let Some(versions) = keys.next_if(|_| bytes < CURSOR_BYTES) {
            let Some((index, write)) = versions.last() else { continue };
            if table.history {
                remember(table, versions, batch, None, undo);
            }
            let seen = table.history && versions.len() > 1;
            if write.value.is_some() || seen {
                seal_write(&mut sealed, write, batch[*index].seq);
                bytes += write.key.len() + sealed.len();
                cursor.insert_before(write.key.as_ref(), sealed.as_slice()).map_err(failed("append a row"))?;
            }
        }
        cursor.close().map_err(failed("append a row"))?;
    }
    Ok(())
}

fn seal_write(sealed: &mut Vec<u8>, write: &Write, seq: u64) {
    envelope::seal(sealed, write.key_hash, write.payload_hash, seq, write.value.as_ref());
}

/// Hands each version of a key what it replaced.
fn remember(
    table: &Table,
    versions: &[(usize, &Write)],
    batch: &[Arc<Commit>],
    old: Option<Bytes>,
    undo: &mut [UndoRecord],
) {
    let mut replaced = old;
    for (place, (index, write)) in versions.iter().enumerate() {
        let deleted = write.value.is_none();
        let before = replaced.take();
        if place + 1 < versions.len() {
            let mut sealed = Vec::new();
            seal_write(&mut sealed, write, batch[*index].seq);
            replaced = Some(Bytes::from(sealed));
        }
        undo[*index].entries.push(Entry { table: table.code, key: write.key.clone(), deleted, replaced: before });
    }
}

pub(super) fn append_undo(txn: &redb::WriteTransaction, undo: &[UndoRecord]) -> Result<()> {
    let mut target = open_table(txn, &UNDO)?;
    let mut cursor = target.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(failed("append history"))?;
    let mut sealed = Vec::new();
    for record in undo.iter().filter(|record| record.is_kept()) {
        let key = record.seq.to_be_bytes();
        let payload = record.encode();
        let hashes = (envelope::key_hash(UNDO.code, &key), envelope::payload_hash(Some(&payload)));
        envelope::seal(&mut sealed, hashes.0, hashes.1, record.seq, Some(&payload));
        cursor.insert_before(key.as_slice(), sealed.as_slice()).map_err(failed("append history"))?;
    }
    cursor.close().map_err(failed("append history"))
}

/// Adds the link of a batch to the chain and moves its head; nothing where nothing was appended.
pub(super) fn append_link(
    txn: &redb::WriteTransaction,
    meta: &mut WriteTable<'_>,
    batch: &[Arc<Commit>],
) -> Result<()> {
    if batch.iter().all(|commit| commit.appended.is_empty()) {
        return Ok(());
    }
    let corrupt = || Error::Corrupt { table: META.name, key: hex(KEY_HEAD) };
    let stored = {
        let row = meta.get(KEY_HEAD).map_err(failed("read the chain"))?.ok_or_else(corrupt)?;
        envelope::open(&META, KEY_HEAD, row.value())?.payload.ok_or_else(corrupt)?
    };
    let Some((head, link)) = Head::decode(&stored)?.extend(batch) else { return Ok(()) };
    let key = head.seq.to_be_bytes();
    let hashes = (envelope::key_hash(CHAIN.code, &key), envelope::payload_hash(Some(&link)));
    let mut sealed = Vec::new();
    envelope::seal(&mut sealed, hashes.0, hashes.1, head.seq, Some(&link));
    let mut target = open_table(txn, &CHAIN)?;
    let mut cursor = target.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(failed("append to the chain"))?;
    cursor.insert_before(key.as_slice(), sealed.as_slice()).map_err(failed("append to the chain"))?;
    cursor.close().map_err(failed("append to the chain"))?;
    put_meta(meta, KEY_HEAD, &head.encode())
}

pub(super) fn remove_tombstones(target: &mut WriteTable<'_>, gone: &[(u8, Bytes, u64)]) -> Result<()> {
    for (_, key, seq) in gone {
        let found = target.get(key.as_ref()).map_err(failed("prune history"))?;
        let is_it = found.is_some_and(|row| {
            row.value().len() == envelope::HEADER_BYTES && envelope::seq_of(row.value()) == Some(*seq)
        });
        if is_it {
            target.remove(key.as_ref()).map_err(failed("prune history"))?;
        }
    }
    Ok(())
}
