//! Answers kept for calls with an idempotency key, in the transaction of what the call did.

use serde::{Deserialize, Serialize};

use crate::domain::{Instant, Principal, Span};
use crate::store::KeyRange;
use crate::store::records;
use crate::store::tables::IDEMPOTENCY;

use super::Result;
use super::work::Work;

/// How long an answer is told again.
pub const KEPT: Span = Span::hours(24);

/// Rows looked at in one go.
const PAGE_ROWS: usize = 500;

/// What a call was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remembered {
    /// When; it is told again for [`KEPT`], and after that the key is free.
    pub at: Instant,
    /// BLAKE3 of the body, in hex: the same key with another body is refused.
    pub body_hash: String,
    /// The status answered.
    pub status: u16,
    /// The body answered, as JSON text; never a secret.
    pub body: String,
    /// The generation of its ETag.
    #[serde(default)]
    pub generation: Option<u64>,
    /// Where the record stands.
    #[serde(default)]
    pub location: Option<String>,
}

/// Where the answer to a call is kept: by who called, method and path, and their key.
pub fn place(principal: &Principal, route: &str, key: &str) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for part in [principal.to_string().as_str(), route, key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes().to_vec()
}

/// What the call at this place was answered, if it came before.
///
/// # Errors
/// What the store answers.
pub fn recall(work: &mut Work, place: &[u8]) -> Result<Option<Remembered>> {
    let found = records::fetch::<Remembered>(&mut work.tx, &IDEMPOTENCY, place)?.map(|stored| stored.value);
    Ok(found.filter(|known| KEPT.after(known.at).is_none_or(|end| work.now < end)))
}

/// Keeps the answer to the call at this place.
///
/// # Errors
/// What the store answers.
pub fn remember(work: &mut Work, place: &[u8], answer: &Remembered) -> Result<()> {
    Ok(records::save(&mut work.tx, &IDEMPOTENCY, place, answer)?)
}

/// Takes up to `limit` answers away that are no longer told; how many went.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn prune(work: &mut Work, limit: usize) -> Result<usize> {
    let (mut gone, mut cursor) = (0, None::<Vec<u8>>);
    loop {
        let range = cursor.as_deref().map_or_else(KeyRange::all, |key| KeyRange::all().after(key));
        let rows = work.tx.peek_scan(&IDEMPOTENCY, range, PAGE_ROWS, false)?;
        let full = rows.len() == PAGE_ROWS;
        for (key, row) in &rows {
            let known: Remembered = records::decode(&IDEMPOTENCY, key, &row.bytes)?;
            if gone < limit && KEPT.after(known.at).is_some_and(|end| work.now >= end) {
                work.tx.delete(&IDEMPOTENCY, key)?;
                gone += 1;
            }
        }
        cursor = rows.last().map(|(key, _)| key.to_vec());
        if !full || gone >= limit {
            return Ok(gone);
        }
    }
}
