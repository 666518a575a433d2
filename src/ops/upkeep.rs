//! Facts about the store itself: its clock, and the sources that may decide something. Neither belongs to anybody's
//! rights: they are set by whoever opens the store.

use serde_json::{Value, json};

use super::Result;
use super::invoices::{self, Difference};
use crate::store::records::meta::{self, ClockKind, Source};
use crate::store::{self, Store, Tx, Verified};

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

/// What lies above the rows of an open store: months whose invoices differ from their lines, and the hash of the log's
/// chain at a sequence that was held elsewhere.
#[derive(Debug, Default)]
pub struct Counted {
    invoices: Vec<Difference>,
    held: Option<[u8; 32]>,
}

impl Counted {
    /// Counts every invoice again, telling how many months are done, and looks the held sequence up.
    ///
    /// # Errors
    /// What the store answers.
    pub fn of(store: &Store, held: Option<u64>, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let held = held.map(|seq| store.chained_at(seq)).transpose()?.flatten();
        Ok(Self { invoices: invoices::recount(&mut store.begin_durable()?, progress)?, held })
    }
}

/// What a check of a store came to, as it is told: `rows`, `pagesSound` (null when the pages were not read), `corrupt`,
/// `invoices` and `log`.
pub fn report(verified: &Verified, counted: &Counted) -> Value {
    let damaged = verified.corrupt.iter().map(|(table, key)| json!({ "table": table, "key": key }));
    json!({
        "rows": verified.rows,
        "pagesSound": verified.pages_sound,
        "corrupt": damaged.collect::<Vec<_>>(),
        "invoices": counted.invoices,
        "log": verified.chained.to_json(counted.held),
    })
}
