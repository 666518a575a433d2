//! Typed records above the byte contract: how each noun is laid out, and what keeps its indexes in step.
//!
//! A row is read as a value; saving is the only way to change it. A row that does not decode is a corrupt row and is
//! named, never served. No rule of the business stands here: what may change is decided in `domain`.

pub mod activations;
pub mod carts;
pub mod catalog;
pub mod deliveries;
pub mod invoices;
pub mod keys;
pub mod log;
pub mod messages;
pub mod meta;
pub mod price_list;
pub mod prices;
pub mod requests;
pub mod software;
pub mod subscriptions;
pub mod support;
pub mod tenants;
pub mod timers;
pub mod tokens;
pub mod triggers;
pub mod users;
pub mod whereabouts;

use super::{Error, Result, Row, Table, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;

/// A record and the sequence of the transaction that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The record.
    pub value: T,
    /// The sequence; `u64::MAX` while the write is not committed.
    pub seq: u64,
}

impl Error {
    /// A row that failed to decode, named by table and key.
    pub fn corrupt(table: &'static str, key: &[u8]) -> Self {
        let shown = &key[..key.len().min(64)];
        Error::Corrupt { table, key: shown.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// Decodes a row.
///
/// # Errors
/// [`Error::Corrupt`], naming the table and the key.
pub fn decode<T: DeserializeOwned>(table: &'static Table, key: &[u8], bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|_| Error::corrupt(table.name, key))
}

/// Encodes a record with named fields, so that fields added later do no harm.
///
/// # Errors
/// [`Error::Corrupt`] in the table's name when a record cannot be written down at all.
pub fn encode<T: Serialize>(table: &'static Table, key: &[u8], value: &T) -> Result<Vec<u8>> {
    ENCODED.with_borrow_mut(|bytes| {
        bytes.clear();
        let written = value.serialize(&mut rmp_serde::Serializer::new(&mut *bytes).with_struct_map());
        written.map(|()| bytes.clone()).map_err(|_| Error::corrupt(table.name, key))
    })
}

thread_local! {
    // A record is written where there is room already, and takes as much as it needs.
    static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads one record.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn fetch<T: DeserializeOwned>(tx: &mut Tx, table: &'static Table, key: &[u8]) -> Result<Option<Stored<T>>> {
    match tx.get(table, key)? {
        None => Ok(None),
        Some(Row { seq, bytes }) => Ok(Some(Stored { value: decode(table, key, &bytes)?, seq })),
    }
}

/// Writes one record.
///
/// # Errors
/// What the store answers.
pub fn save<T: Serialize>(tx: &mut Tx, table: &'static Table, key: &[u8], value: &T) -> Result<()> {
    let bytes = encode(table, key, value)?;
    tx.put(table, key, bytes)
}

/// Writes one record under a key that is known to be new.
///
/// # Errors
/// What the store answers.
pub fn save_new<T: Serialize>(tx: &mut Tx, table: &'static Table, key: &[u8], value: &T) -> Result<()> {
    let bytes = encode(table, key, value)?;
    tx.put_new(table, key, bytes)
}

/// One page of records in key order: what came, and the key to go on from.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// Where the next page starts (exclusive); none at the end.
    pub next: Option<Vec<u8>>,
}
