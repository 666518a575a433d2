//! What is on disk as of one sequence, read with every envelope opened and every panic fenced.

use super::{ReadTable, definition, fenced, read_failed};
use crate::store::catalog::Catalog;
use crate::store::contract::{Error, KeyRange, Result, Table};
use crate::store::envelope::{self, Stored};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Told every row of a walk, sound or corrupt; answers whether to go on.
type Visit<'a> = &'a mut dyn FnMut(&[u8], Result<Stored>) -> Result<bool>;

pub(super) struct Opened {
    txn: redb::ReadTransaction,
    tables: Vec<OnceLock<ReadTable>>,
}

/// What is on disk as of one sequence. Many transactions share one; it can be taken away from all of them at once.
pub(in crate::store) struct Snapshot {
    pub(in crate::store) seq: u64,
    catalog: Arc<Catalog>,
    opened: ArcSwapOption<Opened>,
    is_cut_off: AtomicBool,
}

impl Snapshot {
    pub(super) fn of(seq: u64, catalog: Arc<Catalog>, opened: Option<Arc<Opened>>) -> Snapshot {
        Snapshot { seq, catalog, opened: ArcSwapOption::new(opened), is_cut_off: AtomicBool::new(false) }
    }

    /// Lets the engine free the pages this snapshot keeps; later reads answer `TooOld`.
    pub(in crate::store) fn revoke(&self) {
        self.opened.store(None);
    }

    /// Ends reading because the file is let go; later reads answer `Unavailable`.
    pub(in crate::store) fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::Release);
        self.opened.store(None);
    }

    fn opened(&self) -> Result<arc_swap::Guard<Option<Arc<Opened>>>> {
        let opened = self.opened.load();
        match (&*opened, self.is_cut_off.load(Ordering::Acquire)) {
            (Some(_), _) => Ok(opened),
            (None, true) => Err(Error::Unavailable),
            (None, false) => Err(Error::TooOld),
        }
    }

    /// The same pages under another sequence: after a failure, sequences without a row behind them are skipped.
    pub(in crate::store) fn relabelled(&self, seq: u64) -> Snapshot {
        Snapshot::of(seq, self.catalog.clone(), self.opened.load_full())
    }

    /// `UnknownTable` when the file has no such table yet.
    pub(super) fn open(&self, table: &'static Table) -> Result<()> {
        let opened = self.opened()?;
        let opened = opened.as_ref().ok_or(Error::TooOld)?;
        self.table(opened, table).map(drop)
    }

    fn table<'a>(&self, opened: &'a Opened, table: &Table) -> Result<&'a ReadTable> {
        let index = self.catalog.index(table.code).ok_or(Error::UnknownTable { name: table.name })?;
        let slot = &opened.tables[index];
        if let Some(open) = slot.get() {
            return Ok(open);
        }
        let name = self.catalog.all()[index].name;
        let open = opened.txn.open_table(definition(table)).map_err(|error| match error {
            redb::TableError::TableDoesNotExist(_) => Error::UnknownTable { name },
            redb::TableError::Storage(error) => read_failed(table, b"", error),
            other => Error::Storage { doing: "open a table", source: Box::new(other) },
        })?;
        Ok(slot.get_or_init(|| open))
    }

    /// The row under a key, tombstones included.
    pub(in crate::store) fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Stored>> {
        let opened = self.opened()?;
        let opened = opened.as_ref().ok_or(Error::TooOld)?;
        fenced(table, key, || {
            let found = self.table(opened, table)?.get(key).map_err(|error| read_failed(table, key, error))?;
            found.map(|row| envelope::open(table, key, row.value())).transpose()
        })
    }

    /// Up to `limit` rows of a range, in the order asked for; tombstones only when wanted.
    pub(in crate::store) fn page(
        &self,
        table: &Table,
        range: &KeyRange,
        reverse: bool,
        limit: usize,
        tombstones: bool,
    ) -> Result<Vec<(Bytes, Stored)>> {
        let mut found = Vec::new();
        self.walk(table, range, reverse, &mut |key, opened| {
            let stored = opened?;
            if tombstones || stored.payload.is_some() {
                found.push((Bytes::copy_from_slice(key), stored));
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// Shows every row of a range to `each`, sound or corrupt, until it answers `false`.
    pub(in crate::store) fn walk(&self, table: &Table, range: &KeyRange, reverse: bool, each: Visit<'_>) -> Result<()> {
        let opened = self.opened()?;
        let opened = opened.as_ref().ok_or(Error::TooOld)?;
        if range.is_empty() {
            return Ok(());
        }
        let from = match &range.start {
            Bound::Included(key) | Bound::Excluded(key) => key.as_ref(),
            Bound::Unbounded => b"",
        };
        fenced(table, from, || {
            let failed = |error| read_failed(table, from, error);
            let mut rows = self.table(opened, table)?.range::<&[u8]>(range.bounds()).map_err(failed)?;
            loop {
                let Some(row) = (if reverse { rows.next_back() } else { rows.next() }) else { return Ok(()) };
                let (key, value) = row.map_err(failed)?;
                if !each(key.value(), envelope::open(table, key.value(), value.value()))? {
                    return Ok(());
                }
            }
        })
    }
}

impl Opened {
    pub(super) fn new(txn: redb::ReadTransaction, tables: usize) -> Opened {
        Opened { txn, tables: (0..tables).map(|_| OnceLock::new()).collect() }
    }
}
