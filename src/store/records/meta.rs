//! Facts about the store itself: its clock, and the sources that ever decided something.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Result, Tx};
use crate::domain::Instant;
use crate::store::KeyRange;
use crate::store::tables::{META, SOURCES};

/// What tells the time in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClockKind {
    /// The machine's clock.
    System,
    /// A clock that stands until it is moved.
    Manual {
        /// Where it stands.
        at: Instant,
    },
}

/// The store's clock; none before it is set.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn clock(tx: &mut Tx) -> Result<Option<ClockKind>> {
    Ok(super::fetch(tx, &META, b"clock")?.map(|stored| stored.value))
}

/// Sets the store's clock.
///
/// # Errors
/// What the store answers.
pub fn save_clock(tx: &mut Tx, clock: &ClockKind) -> Result<()> {
    super::save(tx, &META, b"clock", clock)
}

/// What a content hash stands for: everything that had a say beside the records themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The policy or script; empty for commerce terms.
    pub path: String,
    /// The text of every file in it, by path: the file with the lib files it names, or all files of terms.
    pub files: BTreeMap<String, String>,
    /// The params it ran with, as TOML.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub params: String,
    /// The hash of the terms it ran under.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub terms: String,
}

/// The sources whose content hash begins so, at most two: one is found, two are too many.
///
/// # Errors
/// `Corrupt`; what the store answers.
pub fn sources(tx: &mut Tx, beginning: &str) -> Result<Vec<(String, Source)>> {
    let rows = tx.scan(&SOURCES, KeyRange::prefix(beginning.as_bytes()), 2, false)?;
    let read = |(key, row): &(bytes::Bytes, crate::store::Row)| {
        Ok((String::from_utf8_lossy(key).into_owned(), super::decode::<Source>(&SOURCES, key, &row.bytes)?))
    };
    rows.iter().map(read).collect()
}

/// Keeps a source, once.
///
/// # Errors
/// What the store answers.
pub fn save_source(tx: &mut Tx, hash: &str, source: impl FnOnce() -> Source) -> Result<()> {
    if tx.get(&SOURCES, hash.as_bytes())?.is_some() {
        return Ok(());
    }
    super::save(tx, &SOURCES, hash.as_bytes(), &source())
}

fn imported_key(subject: &[u8; 16]) -> Vec<u8> {
    super::keys::text(&["imported"], subject)
}

/// The generation a record had right after the last import that touched it; none when none did.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn imported(tx: &mut Tx, subject: &[u8; 16]) -> Result<Option<u64>> {
    Ok(super::fetch(tx, &META, &imported_key(subject))?.map(|stored| stored.value))
}

/// Notes the generation a record has after an import.
///
/// # Errors
/// What the store answers.
pub fn save_imported(tx: &mut Tx, subject: &[u8; 16], generation: u64) -> Result<()> {
    super::save(tx, &META, &imported_key(subject), &generation)
}
