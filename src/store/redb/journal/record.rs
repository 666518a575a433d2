//! The bytes of a journal: the head block of a file, and records of accepted transactions with checksums around them. Pure.

use super::BLOCK;
use crate::store::chain::Appended;
use crate::store::envelope;
use crate::store::recent::{Commit, Write};
use bytes::{Buf, BufMut, Bytes};
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const FILE_MAGIC: &[u8; 16] = b"bursar store 2\r\n";
const RECORD_MAGIC: u64 = 0x326c_6e72_7273_7562;
/// magic, checksum of the rest of the head, checksum of the body, sequence before, last sequence, bytes of the body.
pub(super) const HEAD_BYTES: usize = 8 + 8 + 16 + 8 + 8 + 8;
/// sequence, instant, whether it is logged, writes, appended rows.
const COMMIT_BYTES: usize = 8 + 8 + 1 + 4 + 4;
/// table, length of the key, length of the payload.
const WRITE_BYTES: usize = 1 + 2 + 4;
/// What stands for the length of a payload where a row is deleted.
const DELETED: u32 = u32::MAX;
/// table, ordinal, hash.
const APPENDED_BYTES: usize = 1 + 1 + 16;

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

/// Transactions that became durable together, read back.
#[derive(Debug)]
pub(super) struct Record {
    /// The sequence after which these came.
    pub(super) before: u64,
    pub(super) last: u64,
    pub(super) commits: Vec<Commit>,
}

/// What the head of a record says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) before: u64,
    pub(super) last: u64,
    body_bytes: usize,
    /// Its bytes in the journal, whole blocks.
    pub(super) bytes: u64,
}

/// The bytes that a record of these transactions takes, whole blocks.
pub(super) fn bytes_of(batch: &[Arc<Commit>]) -> usize {
    let of_write = |write: &Write| WRITE_BYTES + write.key.len() + write.value.as_ref().map_or(0, Bytes::len);
    let of_commit = |commit: &Arc<Commit>| {
        let writes: usize = commit.writes.iter().map(of_write).sum();
        COMMIT_BYTES + writes + commit.appended.len() * APPENDED_BYTES
    };
    (HEAD_BYTES + batch.iter().map(of_commit).sum::<usize>()).next_multiple_of(BLOCK)
}

/// Writes a record of transactions that came after a sequence into `out`, replacing what was there.
pub(super) fn seal(out: &mut Vec<u8>, before: u64, batch: &[Arc<Commit>]) {
    out.clear();
    out.reserve(bytes_of(batch));
    out.put_bytes(0, HEAD_BYTES);
    for commit in batch {
        out.put_u64_le(commit.seq);
        out.put_i64_le(commit.at);
        out.put_u8(u8::from(commit.logged));
        // Counts and lengths are bounded where they were accepted: a transaction has at most 64 MiB, a key 1,024 bytes.
        out.put_u32_le(commit.writes.len() as u32);
        out.put_u32_le(commit.appended.len() as u32);
        for write in &commit.writes {
            out.put_u8(write.table);
            out.put_u16_le(write.key.len() as u16);
            out.put_u32_le(write.value.as_ref().map_or(DELETED, |value| value.len() as u32));
            out.put_slice(&write.key);
            out.put_slice(write.value.as_deref().unwrap_or_default());
        }
        for row in &commit.appended {
            out.put_u8(row.table);
            out.put_u8(row.ordinal);
            out.put_slice(&row.leaf);
        }
    }
    let body_bytes = (out.len() - HEAD_BYTES) as u64;
    let last = batch.last().map_or(before, |commit| commit.seq);
    out[..8].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
    let body_sum = xxh3_128(&out[HEAD_BYTES..]);
    out[16..32].copy_from_slice(&body_sum.to_le_bytes());
    for (at, number) in [(32, before), (40, last), (48, body_bytes)] {
        out[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let head_sum = xxh3_64(&out[16..HEAD_BYTES]);
    out[8..16].copy_from_slice(&head_sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// Reads the head that these bytes begin with; none when there is none.
pub(super) fn read_head(bytes: &[u8]) -> Option<Told> {
    if number(bytes, 0)? != RECORD_MAGIC || number(bytes, 8)? != xxh3_64(bytes.get(16..HEAD_BYTES)?) {
        return None;
    }
    let body_bytes = usize::try_from(number(bytes, 48)?).ok()?;
    let bytes_in_all = HEAD_BYTES.checked_add(body_bytes)?.checked_next_multiple_of(BLOCK)? as u64;
    Some(Told { before: number(bytes, 32)?, last: number(bytes, 40)?, body_bytes, bytes: bytes_in_all })
}

/// Reads the record that these bytes begin with; none when there is none, or anything about it is wrong.
pub(super) fn open(bytes: &Bytes) -> Option<Record> {
    let Told { before, last, body_bytes, .. } = read_head(bytes)?;
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + body_bytes)?;
    if bytes.get(16..32)? != xxh3_128(body).to_le_bytes() {
        return None;
    }
    let mut rest = bytes.slice(HEAD_BYTES..HEAD_BYTES + body_bytes);
    let mut commits = Vec::new();
    while !rest.is_empty() {
        commits.push(commit(&mut rest)?);
    }
    Some(Record { before, last, commits })
}

fn commit(rest: &mut Bytes) -> Option<Commit> {
    if rest.len() < COMMIT_BYTES {
        return None;
    }
    let (seq, at, logged) = (rest.get_u64_le(), rest.get_i64_le(), rest.get_u8() != 0);
    let (writes, appended) = (rest.get_u32_le(), rest.get_u32_le());
    let writes: Vec<Write> = (0..writes).map(|_| write(rest)).collect::<Option<_>>()?;
    let appended = (0..appended).map(|_| row(rest)).collect::<Option<_>>()?;
    let bytes = writes.iter().map(|write| write.key.len() + write.value.as_ref().map_or(0, Bytes::len)).sum();
    Some(Commit { seq, at, writes, bytes, logged, appended })
}

fn write(rest: &mut Bytes) -> Option<Write> {
    if rest.len() < WRITE_BYTES {
        return None;
    }
    let (table, key_bytes, value_bytes) = (rest.get_u8(), usize::from(rest.get_u16_le()), rest.get_u32_le());
    let is_deleted = value_bytes == DELETED;
    let value_bytes = if is_deleted { 0 } else { value_bytes as usize };
    if rest.len() < key_bytes + value_bytes {
        return None;
    }
    let (key, value) = (rest.split_to(key_bytes), rest.split_to(value_bytes));
    let value = (!is_deleted).then_some(value);
    let (key_hash, payload_hash) = (envelope::key_hash(table, &key), envelope::payload_hash(value.as_ref()));
    Some(Write { table, key, value, key_hash, payload_hash })
}

fn row(rest: &mut Bytes) -> Option<Appended> {
    if rest.len() < APPENDED_BYTES {
        return None;
    }
    let (table, ordinal) = (rest.get_u8(), rest.get_u8());
    let mut leaf = [0; 16];
    rest.copy_to_slice(&mut leaf);
    Some(Appended { table, ordinal, leaf })
}

/// What is to be done again: the transactions after `placed`, in order, of records that each begin where the one before
/// ended. None when a record is missing between them, or one that is there cannot be reached.
pub(super) fn unplaced(mut records: Vec<Record>, placed: u64) -> Option<Vec<Arc<Commit>>> {
    records.retain(|record| record.last > placed);
    records.sort_by_key(|record| record.last);
    let mut reached = placed;
    for (place, record) in records.iter().enumerate() {
        let is_next = if place == 0 { record.before <= placed } else { record.before == reached };
        if !is_next {
            return None;
        }
        reached = record.last;
    }
    let commits = records.into_iter().flat_map(|record| record.commits);
    Some(commits.filter(|commit| commit.seq > placed).map(Arc::new).collect())
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(seq: u64, writes: usize) -> Arc<Commit> {
        let write = |number: usize| {
            let key = Bytes::from(format!("key {number}"));
            let value = (!number.is_multiple_of(3)).then(|| Bytes::from(vec![seq as u8; number * 100]));
            let (key_hash, payload_hash) = (envelope::key_hash(7, &key), envelope::payload_hash(value.as_ref()));
            Write { table: 7, key, value, key_hash, payload_hash }
        };
        let writes: Vec<Write> = (0..writes).map(write).collect();
        let appended = vec![Appended { table: 9, ordinal: 2, leaf: [seq as u8; 16] }];
        Arc::new(Commit { seq, at: -5, writes, bytes: 0, logged: seq.is_multiple_of(2), appended })
    }

    fn shown(commit: &Commit) -> String {
        format!("{:?}", Commit { bytes: 0, writes: Vec::new(), appended: commit.appended.clone(), ..*commit })
            + &format!("{:?}", commit.writes)
    }

    #[test]
    fn a_record_is_read_back_and_every_wrong_byte_of_it_is_seen() {
        let batch = [commit(4, 5), commit(6, 0), commit(7, 40)];
        let mut bytes = vec![1, 2, 3];
        seal(&mut bytes, 3, &batch);
        assert_eq!(bytes.len(), bytes_of(&batch));
        let mut longer = bytes.clone();
        longer.extend([9; 100]);
        assert_eq!(read_head(&longer[..HEAD_BYTES]).unwrap().bytes, bytes.len() as u64);
        let read = open(&Bytes::from(longer)).unwrap();
        assert_eq!((read.before, read.last), (3, 7));
        let both = read.commits.iter().zip(&batch);
        both.for_each(|(read, written)| assert_eq!(shown(read), shown(written)));
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for at in (0..used).step_by(7) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(open(&Bytes::from(wrong)).is_none(), "byte {at}");
        }
        assert!(open(&Bytes::from(bytes[..used - 1].to_vec())).is_none());
    }

    #[test]
    fn what_is_done_again_begins_where_the_tables_stand_and_has_no_hole() {
        let record = |before: u64, last: u64| {
            let commits = (before + 1..=last).map(|seq| Arc::into_inner(commit(seq, 1)).unwrap()).collect();
            Record { before, last, commits }
        };
        let again = |records: &[(u64, u64)], placed: u64| {
            let records = records.iter().map(|(before, last)| record(*before, *last)).collect();
            unplaced(records, placed).map(|commits| commits.iter().map(|commit| commit.seq).collect::<Vec<_>>())
        };
        assert_eq!(again(&[], 4), Some(vec![]));
        assert_eq!(again(&[(0, 2), (2, 4)], 4), Some(vec![]), "all of it is in the tables");
        assert_eq!(again(&[(4, 6), (0, 2), (2, 4)], 2), Some(vec![3, 4, 5, 6]), "whichever half they stand in");
        assert_eq!(again(&[(2, 5), (5, 6)], 3), Some(vec![4, 5, 6]), "the tables stand inside a record");
        assert_eq!(again(&[(2, 4), (5, 6)], 2), None, "a record between them is missing");
        assert_eq!(again(&[(5, 6)], 2), None, "the first one is missing");
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
