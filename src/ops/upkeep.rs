//! Facts about the store itself: its clock, and the sources that may decide something. Neither belongs to anybody's
//! rights: they are set by whoever opens the store.

use crate::store::records::meta::{self, ClockKind, Source};
use crate::store::{self, Tx};

/// Sets the store's clock.
///
/// # Errors
/// What the store answers.
pub fn set_clock(tx: &mut Tx, kind: &ClockKind) -> store::Result<()> {
    meta::save_clock(tx, kind)
}

/// Keeps a source by its content hash, once.
///
/// # Errors
/// What the store answers.
pub fn keep_source(tx: &mut Tx, hash: &str, source: impl FnOnce() -> Source) -> store::Result<()> {
    meta::save_source(tx, hash, source)
}
