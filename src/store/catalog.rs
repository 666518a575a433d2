//! The tables of one store by code. Pure.

use super::contract::{CODE_RESERVED, Error, Result, Table};

/// The store's own rows: format, id, last sequence, how far history reaches.
pub(super) static META: Table = Table { code: 255, name: "bursar_meta", history: false };
/// One record of replaced rows per transaction, by sequence.
pub(super) static UNDO: Table = Table { code: 254, name: "bursar_undo", history: false };
/// One link of the chain over what was appended per durable commit, by the last sequence in it.
pub(super) static CHAIN: Table = Table { code: 253, name: "bursar_chain", history: false };
static INTERNAL: [&Table; 3] = [&META, &UNDO, &CHAIN];

/// The tables of a store by code, the store's own included.
#[derive(Debug)]
pub(super) struct Catalog {
    tables: Vec<&'static Table>,
    by_code: [u8; 256],
}

impl Catalog {
    pub(super) fn new(tables: &'static [&'static Table]) -> Result<Catalog> {
        let mut catalog = Catalog { tables: Vec::new(), by_code: [u8::MAX; 256] };
        for table in tables.iter().chain(INTERNAL.iter()) {
            let slot = &mut catalog.by_code[usize::from(table.code)];
            let taken = *slot != u8::MAX || catalog.tables.iter().any(|other| other.name == table.name);
            if taken || catalog.tables.len() >= usize::from(u8::MAX) {
                return Err(Error::UnknownTable { name: table.name });
            }
            *slot = catalog.tables.len() as u8;
            catalog.tables.push(table);
        }
        Ok(catalog)
    }

    pub(super) fn index(&self, code: u8) -> Option<usize> {
        Some(usize::from(self.by_code[usize::from(code)])).filter(|index| *index < self.tables.len())
    }

    pub(super) fn by_code(&self, code: u8) -> Option<&'static Table> {
        self.index(code).map(|index| self.tables[index])
    }

    /// Refuses a table the store was not opened with, so that a code can never mean two tables.
    pub(super) fn check(&self, table: &Table) -> Result<()> {
        match self.by_code(table.code) {
            Some(known) if known.name == table.name && table.code < CODE_RESERVED => Ok(()),
            _ => Err(Error::UnknownTable { name: table.name }),
        }
    }

    pub(super) fn all(&self) -> &[&'static Table] {
        &self.tables
    }
}
