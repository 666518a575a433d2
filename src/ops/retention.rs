//! Retention: records that are kept for a time go when it is over. Requests, decisions, ledger and activity never do.

use crate::domain::cart::Cart;
use crate::domain::ids::Noun;
use crate::domain::trigger::{Delivery, DeliveryState};
use crate::domain::{Grant, Id, Instant};
use crate::store::records::{decode, deliveries, keys};
use crate::store::tables::{CARTS, DELIVERIES, DELIVERY_KEYS, OCCURRENCE_SUBJECTS, OCCURRENCES, RUNS};
use crate::store::{KeyRange, Table};

use super::work::Work;
use super::{Result, idempotency};

/// The instants before which each kind of record goes.
#[derive(Debug, Clone, Copy)]
pub struct Horizon {
    /// Runs that began before.
    pub runs: Instant,
    /// Deliveries accepted before, when nothing is left to do on them.
    pub deliveries: Instant,
    /// Occurrences due before.
    pub occurrences: Instant,
    /// Carts that expired before, and those that became orders and were changed last before.
    pub carts: Instant,
}

/// Takes up to `limit` records of each kind away; how many went.
///
/// # Errors
/// `forbidden`; the store's failure.
pub fn prune(work: &mut Work, horizon: Horizon, limit: usize) -> Result<usize> {
    work.require(&Grant::StoreAdmin)?;
    let mut gone = prune_runs(work, horizon.runs, limit)?;
    gone += prune_deliveries(work, horizon.deliveries, limit)?;
    gone += prune_due(work, &OCCURRENCES, horizon.occurrences, limit)?;
    gone += prune_due(work, &OCCURRENCE_SUBJECTS, horizon.occurrences, limit)?;
    gone += prune_carts(work, horizon.carts, limit)?;
    gone += idempotency::prune(work, limit)?;
    Ok(gone)
}

/// A cart that can still be checked out stays, however old; what a cart became is in its orders.
fn prune_carts(work: &mut Work, before: Instant, limit: usize) -> Result<usize> {
    let (mut gone, mut cursor) = (0, None::<Vec<u8>>);
    loop {
        let range = cursor.as_deref().map_or_else(KeyRange::all, |key| KeyRange::all().after(key));
        let rows = work.tx.peek_scan(&CARTS, range, 1_000, false)?;
        let full = rows.len() == 1_000;
        for (key, row) in &rows {
            let cart: Cart = decode(&CARTS, key, &row.bytes)?;
            if gone < limit && cart.is_over(before) {
                work.tx.delete(&CARTS, key)?;
                gone += 1;
            }
        }
        cursor = rows.last().map(|(key, _)| key.to_vec());
        if !full || gone >= limit {
            return Ok(gone);
        }
    }
}

/// The first key of an identifier made at an instant or later.
fn first_id(noun: Noun, at: Instant) -> [u8; 16] {
    let mut bytes = Id::derive(noun, at.timestamp_millis(), &[]).bytes();
    bytes[6..].fill(0);
    bytes
}

fn prune_runs(work: &mut Work, before: Instant, limit: usize) -> Result<usize> {
    let range = KeyRange::all().before(&first_id(Noun::Run, before));
    let rows = work.tx.peek_scan(&RUNS, range, limit, false)?;
    for (key, _) in &rows {
        work.tx.delete(&RUNS, key)?;
    }
    Ok(rows.len())
}

fn prune_deliveries(work: &mut Work, before: Instant, limit: usize) -> Result<usize> {
    let range = KeyRange::all().before(&first_id(Noun::Delivery, before));
    let rows = work.tx.scan(&DELIVERIES, range, limit, false)?;
    let mut gone = 0;
    for (key, row) in rows {
        let delivery: Delivery = decode(&DELIVERIES, &key, &row.bytes)?;
        if delivery.state != DeliveryState::Pending {
            work.tx.delete(&DELIVERIES, &key)?;
            work.tx.delete(&DELIVERY_KEYS, &deliveries::sender_key(&delivery.hook, &delivery.webhook_id))?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Rows whose key is a trigger, a zero byte and a due instant: those of each trigger that were due before. What stays is
/// stepped over, not read.
fn prune_due(work: &mut Work, table: &'static Table, before: Instant, limit: usize) -> Result<usize> {
    let mut gone = 0;
    let mut rest = KeyRange::all();
    while gone < limit {
        let first = work.tx.peek_scan(table, rest, 1, false)?;
        let Some((found, _)) = first.first() else { break };
        let trigger = found.split_inclusive(|byte| *byte == 0).next().unwrap_or_default();
        let old = [trigger, &keys::instant(before)].concat();
        let rows = work.tx.peek_scan(table, KeyRange::between(trigger, &old), limit - gone, false)?;
        for (key, _) in &rows {
            work.tx.delete(table, key)?;
        }
        gone += rows.len();
        let Some(next) = keys::after_prefix(trigger) else { break };
        rest = KeyRange::from(&next);
    }
    Ok(gone)
}
