//! Facts about the store itself: its clock, and the sources that ever decided something.

use serde::{Deserialize, Serialize};

use super::{Result, Tx};
use crate::domain::Instant;
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

/// The bytes of a source that decided something, by content hash.
///
/// # Errors
/// What the store answers.
pub fn source(tx: &mut Tx, hash: &str) -> Result<Option<Vec<u8>>> {
    Ok(tx.get(&SOURCES, hash.as_bytes())?.map(|row| row.bytes.to_vec()))
}

/// Keeps the bytes of a source, once.
///
/// # Errors
/// What the store answers.
pub fn save_source(tx: &mut Tx, hash: &str, bytes: &[u8]) -> Result<()> {
    if tx.get(&SOURCES, hash.as_bytes())?.is_some() {
        return Ok(());
    }
    tx.put(&SOURCES, hash.as_bytes(), bytes.to_vec())
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
