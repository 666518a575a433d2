//! Inbound deliveries: the body as it came, unique by hook and sender's id, and the attempts that are due on them.

use super::messages::attempt_key;
use super::{Page, Result, Stored, Tx, keys};
use crate::domain::ids::Noun;
use crate::domain::trigger::{Delivery, Taken};
use crate::domain::{Id, Instant};
use crate::store::Error;
use crate::store::tables::{ATTEMPTS, AttemptKind, DELIVERIES, DELIVERY_KEYS};

/// What makes a delivery unique. The sender's id goes first: ids that grow lie side by side whichever hook they came by.
pub fn sender_key(hook: &str, webhook_id: &str) -> Vec<u8> {
    keys::text(&[webhook_id, hook], &[])
}

/// One delivery.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<Stored<Delivery>>> {
    super::fetch(tx, &DELIVERIES, &id.bytes())
}

/// The delivery with the sender's id, if there was one.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn by_webhook_id(tx: &mut Tx, hook: &str, webhook_id: &str) -> Result<Option<Id>> {
    let key = sender_key(hook, webhook_id);
    let Some(row) = tx.get(&DELIVERY_KEYS, &key)? else { return Ok(None) };
    let bytes = <[u8; 16]>::try_from(&row.bytes[..]).map_err(|_| Error::corrupt(DELIVERY_KEYS.name, &key))?;
    Ok(Some(Id::from_bytes(Noun::Delivery, bytes)))
}

/// Writes a delivery; a new one takes the sender's id for good. Keeps the attempts due in step.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Delivery>, after: &Delivery) -> Result<()> {
    let dues = |delivery: &Delivery| -> Vec<(Instant, String)> {
        let due = |taken: &Taken| taken.next_attempt_at.map(|at| (at, taken.trigger.clone()));
        delivery.taken.iter().filter_map(due).collect()
    };
    let old = before.map(dues).unwrap_or_default();
    let new = dues(after);
    for (at, trigger) in old.iter().filter(|due| !new.contains(due)) {
        tx.delete(&ATTEMPTS, &attempt_key(AttemptKind::Delivery, *at, after.id, trigger))?;
    }
    for (at, trigger) in new.iter().filter(|due| !old.contains(due)) {
        tx.put(&ATTEMPTS, &attempt_key(AttemptKind::Delivery, *at, after.id, trigger), Vec::new())?;
    }
    if before.is_some() {
        return super::save(tx, &DELIVERIES, &after.id.bytes(), after);
    }
    if !after.webhook_id.is_empty() {
        let key = sender_key(&after.hook, &after.webhook_id);
        tx.put(&DELIVERY_KEYS, &key, after.id.bytes().to_vec())?;
    }
    super::save_new(tx, &DELIVERIES, &after.id.bytes(), after)
}

/// A page of deliveries, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<Delivery>> {
    super::messages::newest_first(tx, &DELIVERIES, before, limit)
}
