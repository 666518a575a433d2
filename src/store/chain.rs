//! The chain over what was appended: what makes a log that only grows tell when somebody changed, took away, added or
//! moved a record behind the program's back.
//!
//! Each durable commit leaves one link: for every row appended in it, in order, where it stands and a hash of what it
//! says; and a hash over all that and the link before. The newest hash stands beside the store's sequence and is written
//! in the same commit. Whoever keeps that hash elsewhere can tell later that nothing up to there was rewritten, not even
//! by somebody who rewrote the chain too. Hashing a row is done on the thread that commits it; the applier hashes the
//! hashes. Forks leave no link.

use super::catalog::{CHAIN, Catalog, META};
use super::contract::{Broken, Chained, Error, Fault, KeyRange, Result, Table, hex};
use super::envelope::Stored;
use super::recent::Commit;
use super::redb::Snapshot;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Bound;

/// The row that says where the chain begins, where it has got to, and its newest hash.
pub(super) const KEY_HEAD: &[u8] = b"chain";
/// What is hashed into the beginning, so that no two stores share a chain.
const CONTEXT: &str = "bursar 2026 chain over a log";
const LEAF_BYTES: usize = 16;
/// Sequence, table, ordinal and hash of one row.
const ROW_BYTES: usize = 8 + 1 + 1 + LEAF_BYTES;
const HEAD_BYTES: usize = 8 + 8 + 8 + 32;

/// The hash of what one appended row says.
pub(super) type Leaf = [u8; LEAF_BYTES];

/// One appended row of a transaction: its table, its place among those of the transaction, its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) table: u8,
    pub(super) ordinal: u8,
    pub(super) leaf: Leaf,
}

pub(super) fn leaf(payload: &[u8]) -> Leaf {
    let mut leaf = [0; LEAF_BYTES];
    leaf.copy_from_slice(&blake3::hash(payload).as_bytes()[..LEAF_BYTES]);
    leaf
}

/// Where the chain begins and has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Rows up to this sequence were appended before there was a chain.
    pub(super) start: u64,
    /// The last sequence that appended something.
    pub(super) seq: u64,
    /// Rows chained.
    pub(super) records: u64,
    pub(super) hash: [u8; 32],
}

impl Head {
    /// The beginning of a store's chain.
    pub(super) fn begin(store: [u8; 16], start: u64) -> Head {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&store).update(&start.to_be_bytes());
        Head { start, seq: start, records: 0, hash: *hasher.finalize().as_bytes() }
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        out[..8].copy_from_slice(&self.start.to_be_bytes());
        out[8..16].copy_from_slice(&self.seq.to_be_bytes());
        out[16..24].copy_from_slice(&self.records.to_be_bytes());
        out[24..].copy_from_slice(&self.hash);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Head> {
        let corrupt = || Error::Corrupt { table: META.name, key: hex(KEY_HEAD) };
        let number = |from: usize| {
            let bytes = bytes.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_be_bytes).ok_or_else(corrupt)
        };
        let hash = bytes.get(24..).and_then(|bytes| bytes.try_into().ok()).ok_or_else(corrupt)?;
        Ok(Head { start: number(0)?, seq: number(8)?, records: number(16)?, hash })
    }

    /// The head after a batch, and the link to be written under its sequence; none when nothing was appended.
    pub(super) fn extend(&self, batch: &[impl AsRef<Commit>]) -> Option<(Head, Bytes)> {
        let rows: usize = batch.iter().map(|commit| commit.as_ref().appended.len()).sum();
        if rows == 0 {
            return None;
        }
        let mut body = BytesMut::with_capacity(32 + rows * ROW_BYTES);
        body.put_bytes(0, 32);
        let mut seq = self.seq;
        for commit in batch.iter().map(AsRef::as_ref).filter(|commit| !commit.appended.is_empty()) {
            seq = commit.seq;
            for row in &commit.appended {
                body.put_u64(commit.seq);
                body.put_u8(row.table);
                body.put_u8(row.ordinal);
                body.put_slice(&row.leaf);
            }
        }
        let hash = link_hash(&self.hash, seq, &body[32..]);
        body[..32].copy_from_slice(&hash);
        Some((Head { start: self.start, seq, records: self.records + rows as u64, hash }, body.freeze()))
    }
}

fn link_hash(before: &[u8; 32], seq: u64, rows: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(&seq.to_be_bytes()).update(rows);
    *hasher.finalize().as_bytes()
}

/// One row as a link tells of it.
#[derive(Debug, Clone, Copy)]
struct Told {
    seq: u64,
    row: Appended,
}

impl Told {
    fn key(&self) -> Bytes {
        let mut key = self.seq.to_be_bytes().to_vec();
        if self.row.ordinal > 0 {
            key.push(self.row.ordinal);
        }
        key.into()
    }
}

/// One link as stored: its hash, the bytes it was computed over, and the rows they tell of.
struct Link {
    seq: u64,
    hash: [u8; 32],
    body: Bytes,
    told: Vec<Told>,
}

impl Link {
    fn decode(key: &[u8], stored: &Stored) -> Option<Link> {
        let seq = u64::from_be_bytes(key.try_into().ok()?);
        let payload = stored.payload.as_ref()?;
        let hash = payload.get(..32)?.try_into().ok()?;
        let body = payload.slice(32..);
        let rows = body.chunks_exact(ROW_BYTES);
        if !rows.remainder().is_empty() {
            return None;
        }
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            let leaf = row.get(10..)?.try_into().ok()?;
            let row_seq = u64::from_be_bytes(row.get(..8)?.try_into().ok()?);
            told.push(Told { seq: row_seq, row: Appended { table: row[8], ordinal: row[9], leaf } });
        }
        Some(Link { seq, hash, body, told })
    }
}

/// Where the chain of a snapshot has got to.
pub(super) fn head(snapshot: &Snapshot) -> Result<Head> {
    let corrupt = || Error::Corrupt { table: META.name, key: hex(KEY_HEAD) };
    Head::decode(&snapshot.get(&META, KEY_HEAD)?.and_then(|stored| stored.payload).ok_or_else(corrupt)?)
}

/// The hash of the link that ends at a sequence, if one does.
pub(super) fn hash_at(snapshot: &Snapshot, seq: u64) -> Result<Option<[u8; 32]>> {
    let key = seq.to_be_bytes();
    let found = snapshot.get(&CHAIN, &key)?;
    Ok(found.and_then(|stored| Link::decode(&key, &stored)).map(|link| link.hash))
}

/// Computes the chain again from its beginning and compares every row it tells of; what is wrong first is named.
pub(super) fn verify(snapshot: &Snapshot, catalog: &Catalog, store: [u8; 16]) -> Result<Chained> {
    let head = match head(snapshot) {
        Ok(head) => head,
        Err(Error::Corrupt { .. }) => {
            let broken = Some(Broken { seq: 0, fault: Fault::Chain });
            return Ok(Chained { broken, ..Chained::default() });
        }
        Err(error) => return Err(error),
    };
    let Head { start, seq, records, hash } = head;
    let mut check = Check { snapshot, tables: Vec::new(), at: Head::begin(store, start) };
    let broken = match check.whole(&head, catalog) {
        // A damaged page: what lies behind it cannot be reached.
        Err(Error::Corrupt { .. }) => Some(Broken { seq: check.at.seq.saturating_add(1), fault: Fault::Changed }),
        broken => broken?,
    };
    Ok(Chained { start, seq, records, hash, broken })
}

/// The tables that the chain tells of.
fn tables(snapshot: &Snapshot, catalog: &Catalog) -> Result<Vec<&'static Table>> {
    let mut codes: Vec<u8> = Vec::new();
    snapshot.walk(&CHAIN, &KeyRange::all(), false, &mut |key, stored| {
        let link = stored.ok().and_then(|stored| Link::decode(key, &stored));
        for told in link.iter().flat_map(|link| &link.told) {
            if !codes.contains(&told.row.table) {
                codes.push(told.row.table);
            }
        }
        Ok(true)
    })?;
    codes.sort_unstable();
    Ok(codes.into_iter().filter_map(|code| catalog.by_code(code)).collect())
}

/// A walk along the chain.
struct Check<'a> {
    snapshot: &'a Snapshot,
    tables: Vec<&'a Table>,
    /// What the chain comes to so far.
    at: Head,
}

impl<'a> Check<'a> {
    /// Every link in order, the end against the head, and nothing behind it.
    fn whole(&mut self, head: &Head, catalog: &'a Catalog) -> Result<Option<Broken>> {
        self.tables = tables(self.snapshot, catalog)?;
        if let Some(broken) = self.links()? {
            return Ok(Some(broken));
        }
        if self.at != *head {
            // The end is missing, or was put back: what the store says it has is more than the chain holds.
            let seq = self.at.seq.min(head.seq).saturating_add(1);
            return Ok(Some(Broken { seq, fault: Fault::Missing }));
        }
        self.unlisted(self.at.seq.saturating_add(1), u64::MAX)
    }

    /// Every link in order.
    fn links(&mut self) -> Result<Option<Broken>> {
        let mut range = KeyRange::all();
        loop {
            let page = self.snapshot.page(&CHAIN, &range, false, 64, false);
            let page = match page {
                Err(Error::Corrupt { .. }) => return Ok(Some(self.broken_link())),
                page => page?,
            };
            for (key, stored) in &page {
                let Some(link) = Link::decode(key, stored) else { return Ok(Some(self.broken_link())) };
                if let Some(broken) = self.link(&link)? {
                    return Ok(Some(broken));
                }
            }
            let Some((last, _)) = page.last() else { return Ok(None) };
            range = range.after(last);
        }
    }

    fn broken_link(&self) -> Broken {
        Broken { seq: self.at.seq.saturating_add(1), fault: Fault::Chain }
    }

    fn link(&mut self, link: &Link) -> Result<Option<Broken>> {
        let hash = link_hash(&self.at.hash, link.seq, &link.body);
        let in_order = link.told.iter().all(|told| told.seq > self.at.seq && told.seq <= link.seq)
            && link.told.is_sorted_by_key(|told| (told.seq, told.row.table, told.row.ordinal));
        if hash != link.hash || !in_order || link.told.is_empty() {
            // Rows of this link come first: one of them may say better what was done.
            let rows = self.rows(link)?;
            return Ok(Some(rows.unwrap_or_else(|| self.broken_link())));
        }
        if let Some(broken) = self.rows(link)? {
            return Ok(Some(broken));
        }
        let records = self.at.records + link.told.len() as u64;
        self.at = Head { start: self.at.start, seq: link.seq, records, hash };
        Ok(None)
    }

    /// The rows between the link before and this one, against what this one tells of.
    fn rows(&self, link: &Link) -> Result<Option<Broken>> {
        let mut first: Option<Broken> = None;
        for table in &self.tables {
            let told: Vec<&Told> = link.told.iter().filter(|told| told.row.table == table.code).collect();
            let broken = self.compare(table, &told, self.at.seq.saturating_add(1), link.seq)?;
            first = [first, broken].into_iter().flatten().min_by_key(|broken| broken.seq);
        }
        Ok(first)
    }

    /// What stands in the tables from one sequence to another and no link tells of.
    fn unlisted(&self, from: u64, to: u64) -> Result<Option<Broken>> {
        let mut first: Option<Broken> = None;
        for table in &self.tables {
            let broken = self.compare(table, &[], from, to)?;
            first = [first, broken].into_iter().flatten().min_by_key(|broken| broken.seq);
        }
        Ok(first)
    }

    fn compare(&self, table: &Table, told: &[&Told], from: u64, to: u64) -> Result<Option<Broken>> {
        let end = to.checked_add(1).map_or(Bound::Unbounded, |end| Bound::Excluded(seq_key(end)));
        let range = KeyRange { start: Bound::Included(seq_key(from)), end };
        let mut told = told.iter().peekable();
        let mut broken = None;
        self.snapshot.walk(table, &range, false, &mut |key, stored| {
            let seq = key.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(from, u64::from_be_bytes);
            broken = match told.peek() {
                Some(next) if next.key() < key => Some(Broken { seq: next.seq, fault: Fault::Missing }),
                Some(next) if next.key() == key => {
                    let says_so = |stored: &Stored| {
                        let payload = stored.payload.as_ref();
                        stored.seq == next.seq && payload.is_some_and(|payload| leaf(payload) == next.row.leaf)
                    };
                    let is_same = stored.is_ok_and(|stored| says_so(&stored));
                    (!is_same).then_some(Broken { seq, fault: Fault::Changed })
                }
                _ => Some(Broken { seq, fault: Fault::Unknown }),
            };
            told.next();
            Ok(broken.is_none())
        })?;
        let left = told.next().map(|next| Broken { seq: next.seq, fault: Fault::Missing });
        Ok(broken.or(left))
    }
}

fn seq_key(seq: u64) -> Bytes {
    Bytes::copy_from_slice(&seq.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_encoding_and_no_cut_of_it_is_read() {
        let head = Head { start: 3, seq: 9, records: 4, hash: [7; 32] };
        assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        for cut in 0..HEAD_BYTES {
            assert!(Head::decode(&head.encode()[..cut]).is_err(), "{cut}");
        }
        assert_ne!(Head::begin([1; 16], 0).hash, Head::begin([2; 16], 0).hash, "no two stores share a beginning");
    }

    #[test]
    fn a_link_tells_of_every_row_in_order_and_depends_on_all_before() {
        let appended = |ordinal: u8, text: &[u8]| Appended { table: 20, ordinal, leaf: leaf(text) };
        let commit = |seq, appended| {
            std::sync::Arc::new(Commit { seq, at: 0, writes: Vec::new(), bytes: 0, logged: true, appended })
        };
        let batch = [
            commit(5, vec![appended(0, b"a"), appended(1, b"b")]),
            commit(6, vec![]),
            commit(7, vec![appended(0, b"c")]),
        ];
        let begin = Head::begin([1; 16], 4);
        let (head, link) = begin.extend(&batch).unwrap();
        assert_eq!((head.seq, head.records, head.start), (7, 3, 4));
        let stored = Stored { seq: 7, payload: Some(link) };
        let link = Link::decode(&7u64.to_be_bytes(), &stored).unwrap();
        let told: Vec<(u64, u8)> = link.told.iter().map(|told| (told.seq, told.row.ordinal)).collect();
        assert_eq!(told, [(5, 0), (5, 1), (7, 0)]);
        assert_eq!(link.hash, head.hash);
        let other = Head { hash: [0; 32], ..begin };
        assert_ne!(other.extend(&batch).unwrap().0.hash, head.hash);
        assert!(begin.extend(&[commit(8, vec![])]).is_none(), "a commit without appended rows leaves no link");
    }
}
