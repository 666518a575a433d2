//! A transaction ready for the lock, and the judgement of what it read. The lock is held while this judges: nothing here
//! allocates but the keys of appended rows.

use super::chain::Appended;
use super::contract::{KeyRange, Options};
use super::envelope;
use super::recent::{Recent, Write};
use bytes::Bytes;

/// A key a transaction read.
#[derive(Debug)]
pub(super) struct ReadKey {
    pub(super) table: u8,
    pub(super) key: Bytes,
    pub(super) key_hash: u64,
}

/// A transaction made ready for the lock: sorted, hashed, nothing left to compute but the sequence.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) writes: Vec<Write>,
    /// Indexes of `writes` whose keys must not be live.
    pub(super) fresh: Vec<usize>,
    /// Table, payload and its hash; the key is the sequence.
    pub(super) appends: Vec<(u8, Bytes, u64)>,
    /// The same rows for the chain, in the same order.
    pub(super) appended: Vec<Appended>,
    pub(super) reads: Vec<ReadKey>,
    pub(super) ranges: Vec<(u8, KeyRange)>,
    /// Only appends and fresh keys: serialised at its snapshot, so what it read is not judged.
    pub(super) is_additive: bool,
    pub(super) at: Option<i64>,
    pub(super) bytes: usize,
}

impl Prepared {
    /// The sequence that stands in the way of a transaction begun at `seq`, if any.
    pub(super) fn conflict(&self, recent: &Recent, base: u64, seq: u64, options: &Options) -> Option<u64> {
        let keys = self.reads.iter().filter(|_| !options.defects.skip_key_check);
        let ranges = self.ranges.iter().filter(|_| !options.defects.skip_range_check);
        let changed = (!self.is_additive).then(|| {
            keys.filter_map(|read| recent.key_changed(read.table, &read.key, read.key_hash, seq))
                .chain(ranges.filter_map(|(table, range)| recent.range_changed(*table, range, seq)))
                .max()
        });
        let fresh = self.fresh.iter().map(|index| &self.writes[*index]);
        let taken = fresh.filter_map(|write| recent.key_live(write.table, &write.key, write.key_hash, base)).max();
        changed.flatten().max(taken)
    }

    /// Gives the appended rows their keys: the sequence, and an ordinal from the second row of a table on.
    pub(super) fn stamp(&mut self, seq: u64) {
        let mut before: Option<(u8, u8)> = None;
        for (table, payload, payload_hash) in self.appends.drain(..) {
            let ordinal = before.filter(|(same, _)| *same == table).map_or(0, |(_, ordinal)| ordinal + 1);
            before = Some((table, ordinal));
            let mut key = [0; 9];
            key[..8].copy_from_slice(&seq.to_be_bytes());
            key[8] = ordinal;
            let key = Bytes::copy_from_slice(if ordinal == 0 { &key[..8] } else { &key });
            let key_hash = envelope::key_hash(table, &key);
            self.writes.push(Write { table, key, value: Some(payload), key_hash, payload_hash });
        }
    }
}
