//! What a transaction reads: its own writes over the recent ones over the base, and what of it is judged at commit.

use super::{Tx, View};
use crate::store::contract::{Error, KeyRange, Result, Row, Table};
use crate::store::prepared::ReadKey;
use crate::store::recent::Recent;
use crate::store::redb::Snapshot;
use crate::store::{envelope, history};
use bytes::Bytes;
use std::ops::Bound;

impl Tx {
    /// The row under a key. The key becomes part of what is judged at commit.
    ///
    /// # Errors
    /// `Corrupt`, `TooOld`, `HistoryGone` in forks, `Unavailable`, `UnknownTable`.
    pub fn get(&mut self, table: &Table, key: &[u8]) -> Result<Option<Row>> {
        self.read(table, key, true)
    }

    /// As `get`, without the key being judged at commit: for what need not be true any more then.
    ///
    /// # Errors
    /// As `get`.
    pub fn peek(&mut self, table: &Table, key: &[u8]) -> Result<Option<Row>> {
        self.read(table, key, false)
    }

    fn read(&mut self, table: &Table, key: &[u8], is_judged: bool) -> Result<Option<Row>> {
        self.check(table)?;
        if let Some(pending) = self.overlay.get(&table.code).and_then(|rows| rows.get(key)) {
            return Ok(pending.value.clone().map(|bytes| Row { seq: u64::MAX, bytes }));
        }
        let key_hash = envelope::key_hash(table.code, key);
        let row = self.fetch(table, key, key_hash)?;
        let repeated = self.reads.last().is_some_and(|last| last.table == table.code && last.key == key);
        if is_judged && !repeated && self.is_judged() {
            self.count_read()?;
            self.reads.push(ReadKey { table: table.code, key: Bytes::copy_from_slice(key), key_hash });
        }
        Ok(row)
    }

    fn fetch(&self, table: &Table, key: &[u8], key_hash: u64) -> Result<Option<Row>> {
        match &self.view {
            View::Live { shared, base, generation, seq, .. } | View::Durable { shared, base, generation, seq } => {
                let row = match shared.recent.get(table.code, key, key_hash, base.seq, *seq) {
                    Some(row) => Ok(row),
                    None => base.get(table, key).map(|stored| stored.and_then(envelope::Stored::row)),
                };
                // Asked after reading: what was read may have been incomplete.
                if shared.recent.reaches(base.seq, *generation) { row } else { Err(Error::TooOld) }
            }
            View::Fork { fork, seq } => match fork.recent.get(table.code, key, key_hash, fork.at, *seq) {
                Some(row) => Ok(row),
                None => history::get_as_of(&fork.shared.base.load_full(), table, key, fork.at),
            },
            View::Closed => Err(Error::Closed),
        }
    }

    /// Up to `limit` rows of a range in key order, or from its end when `reverse`. The range becomes part of what is judged
    /// at commit, up to the last key when the limit cut it.
    ///
    /// # Errors
    /// As `get`.
    pub fn scan(
        &mut self,
        table: &Table,
        range: impl Into<KeyRange>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Bytes, Row)>> {
        let range = range.into();
        let found = self.merged(table, &range, limit, reverse)?;
        if limit > 0 && self.is_judged() {
            self.count_read()?;
            let mut covered = range;
            if let Some((last, _)) = found.last().filter(|_| found.len() == limit) {
                let end = Bound::Included(last.clone());
                if reverse { covered.start = end } else { covered.end = end }
            }
            self.ranges.push((table.code, covered));
        }
        Ok(found)
    }

    /// As `scan`, without the range being judged at commit.
    ///
    /// # Errors
    /// As `get`.
    pub fn peek_scan(
        &mut self,
        table: &Table,
        range: impl Into<KeyRange>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Bytes, Row)>> {
        self.merged(table, &range.into(), limit, reverse)
    }

    fn merged(&self, table: &Table, range: &KeyRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Row)>> {
        self.check(table)?;
        if limit == 0 || range.is_empty() {
            return Ok(Vec::new());
        }
        let mut upper = self.upper(table, range, limit, reverse).into_iter().peekable();
        let mut found: Vec<(Bytes, Row)> = Vec::new();
        let mut rest = range.clone();
        let mut is_done = false;
        while !is_done && found.len() < limit {
            let wanted = limit - found.len();
            let page = self.base_page(table, &rest, reverse, wanted)?;
            is_done = page.len() < wanted;
            for (key, row) in page {
                rest = if reverse { rest.before(&key) } else { rest.after(&key) };
                let is_before = |upper: &Bytes| if reverse { *upper > key } else { *upper < key };
                while let Some((key, row)) = upper.next_if(|(upper, _)| is_before(upper)) {
                    found.extend(row.map(|row| (key, row)));
                }
                match upper.next_if(|(upper, _)| *upper == key) {
                    Some((key, row)) => found.extend(row.map(|row| (key, row))),
                    None => found.push((key, row)),
                }
            }
        }
        found.extend(upper.filter_map(|(key, row)| row.map(|row| (key, row))).take(limit.saturating_sub(found.len())));
        found.truncate(limit);
        Ok(found)
    }

    /// Own writes and recent ones in a range, own before recent, enough of them for `limit` rows.
    fn upper(&self, table: &Table, range: &KeyRange, limit: usize, reverse: bool) -> Vec<(Bytes, Option<Row>)> {
        let own: Vec<(Bytes, Option<Row>)> = match self.overlay.get(&table.code) {
            Some(rows) => rows
                .range::<[u8], _>(range.bounds())
                .map(|(key, pending)| (key.clone(), pending.value.clone().map(|bytes| Row { seq: u64::MAX, bytes })))
                .collect(),
            None => Vec::new(),
        };
        // Each own write can hide one recent row, so that many more are needed.
        let live_max = limit.saturating_add(own.len());
        let recent = |recent: &Recent, base, seq| recent.range(table.code, range, reverse, live_max, base, seq);
        let mut found = match &self.view {
            View::Live { shared, base, seq, .. } | View::Durable { shared, base, seq, .. } => {
                recent(&shared.recent, base.seq, *seq)
            }
            View::Fork { fork, seq } => recent(&fork.recent, fork.at, *seq),
            View::Closed => Vec::new(),
        };
        if !own.is_empty() {
            // Stable: own writes come first among equals, and the first stays.
            found = own.into_iter().chain(found).collect();
            found.sort_by(|(left, _), (right, _)| if reverse { right.cmp(left) } else { left.cmp(right) });
            found.dedup_by(|(later, _), (earlier, _)| later == earlier);
        }
        found
    }

    fn base_page(&self, table: &Table, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<(Bytes, Row)>> {
        let rows = |base: &Snapshot| {
            let page = base.page(table, range, reverse, limit, false)?;
            Ok(page.into_iter().filter_map(|(key, stored)| stored.row().map(|row| (key, row))).collect())
        };
        match &self.view {
            View::Live { shared, base, generation, .. } | View::Durable { shared, base, generation, .. } => {
                let page = rows(base);
                if shared.recent.reaches(base.seq, *generation) { page } else { Err(Error::TooOld) }
            }
            View::Fork { fork, .. } => {
                history::scan_as_of(&fork.shared.base.load_full(), table, range, reverse, limit, fork.at)
            }
            View::Closed => Err(Error::Closed),
        }
    }
}
