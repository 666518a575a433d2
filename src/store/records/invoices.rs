//! Invoices, where billing stands, and the ledger lines of the log read for them: nothing else of a record is decoded.

use serde::Deserialize;

use super::{Page, Result, Tx, decode, keys};
use crate::domain::invoice::{Billing, Invoice, InvoiceId, InvoiceType};
use crate::domain::ledger::Line;
use crate::store::Error;
use crate::store::tables::{INVOICES, LOG, META};

const BILLING: &[u8] = b"billing";
/// Invoices read in one go: a month has one a type and currency.
const PUBLISHED_ROWS: usize = 64;

/// Where billing stands; none before anything was owed.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn billing(tx: &mut Tx) -> Result<Option<Billing>> {
    Ok(super::fetch(tx, &META, BILLING)?.map(|stored| stored.value))
}

/// Whether billing has begun, without its row being judged at commit: once begun it goes on for ever.
///
/// # Errors
/// What the store answers.
pub fn has_begun(tx: &mut Tx) -> Result<bool> {
    Ok(tx.peek(&META, BILLING)?.is_some())
}

/// Moves billing.
///
/// # Errors
/// What the store answers.
pub fn save_billing(tx: &mut Tx, billing: &Billing) -> Result<()> {
    super::save(tx, &META, BILLING, billing)
}

/// The key of an invoice: the end of its month, its type, its currency.
pub fn key_of(id: &InvoiceId) -> Vec<u8> {
    let mut key = keys::instant(id.month.end()).to_vec();
    key.push(match id.kind {
        InvoiceType::OneTime => 1,
        InvoiceType::Recurring => 2,
    });
    key.extend(id.currency.code().bytes());
    key
}

/// One invoice.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: &InvoiceId) -> Result<Option<Invoice>> {
    Ok(super::fetch(tx, &INVOICES, &key_of(id))?.map(|stored| stored.value))
}

/// Writes an invoice.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, invoice: &Invoice) -> Result<()> {
    super::save(tx, &INVOICES, &key_of(&invoice.id), invoice)
}

/// A page of invoices, newest month first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<Invoice>> {
    use std::ops::Bound;
    let end = before.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_vec()));
    let rows = tx.scan(&INVOICES, (Bound::Unbounded, end), limit, true)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&INVOICES, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// Invoices published after a sequence, oldest first, each with the sequence it was published at; not one that is not
/// committed yet. Months are published in their order, so the newest are looked at until one is older.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn published_after(tx: &mut Tx, seq: u64) -> Result<Vec<(u64, Invoice)>> {
    let mut found = Vec::new();
    let mut end = std::ops::Bound::Unbounded;
    loop {
        let rows = tx.scan(&INVOICES, (std::ops::Bound::Unbounded, end), PUBLISHED_ROWS, true)?;
        let full = rows.len() == PUBLISHED_ROWS;
        for (key, row) in &rows {
            if row.seq <= seq {
                found.reverse();
                return Ok(found);
            }
            if row.seq != u64::MAX {
                found.push((row.seq, decode(&INVOICES, key, &row.bytes)?));
            }
        }
        match rows.last().filter(|_| full) {
            Some((key, _)) => end = std::ops::Bound::Excluded(key.to_vec()),
            None => {
                found.reverse();
                return Ok(found);
            }
        }
    }
}

/// What of a record of the log is a bill's concern.
#[derive(Deserialize)]
struct Lines {
    #[serde(default)]
    lines: Vec<Line>,
}

/// The lines of up to `limit` records of the log from one sequence to another, both counted, and the sequence of the
/// last record looked at; none when there is no more. The log is only ever appended to, so nothing of it is judged at
/// commit, and pages of different snapshots fit each other.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn lines(tx: &mut Tx, from: u64, to: u64, limit: usize) -> Result<(Vec<Line>, Option<u64>)> {
    use std::ops::Bound;
    let start = Bound::Included(from.to_be_bytes().to_vec());
    // A second row of one sequence has a longer key.
    let end = to.checked_add(1).map_or(Bound::Unbounded, |next| Bound::Excluded(next.to_be_bytes().to_vec()));
    let rows = tx.peek_scan(&LOG, (start, end), limit, false)?;
    let mut found = Vec::new();
    let mut last = None;
    for (key, row) in rows {
        let seq = key.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let seq = seq.ok_or_else(|| Error::corrupt(LOG.name, &key))?;
        let record: Lines = decode(&LOG, &key, &row.bytes)?;
        for (ordinal, mut line) in record.lines.into_iter().enumerate() {
            line.stamp(seq, ordinal);
            found.push(line);
        }
        last = Some(seq);
    }
    Ok((found, last))
}
