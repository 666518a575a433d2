//! Messages of the outbox, and the attempts that are due on them.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::ids::Noun;
use crate::domain::message::{Addressee, Message};
use crate::domain::{Id, Instant};
use crate::store::Error;
use crate::store::tables::{ATTEMPTS, AttemptKind, MESSAGES};

/// One message.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<Stored<Message>>> {
    super::fetch(tx, &MESSAGES, &id.bytes())
}

/// Writes a message and keeps the attempts due in step.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Message>, after: &Message) -> Result<()> {
    let dues = |message: &Message| -> Vec<(Instant, String)> {
        let due = |addressee: &Addressee| addressee.next_attempt_at.map(|at| (at, addressee.endpoint.clone()));
        message.addressees.iter().filter_map(due).collect()
    };
    let old = before.map(dues).unwrap_or_default();
    let new = dues(after);
    for (at, endpoint) in old.iter().filter(|due| !new.contains(due)) {
        tx.delete(&ATTEMPTS, &attempt_key(AttemptKind::Message, *at, after.id, endpoint))?;
    }
    for (at, endpoint) in new.iter().filter(|due| !old.contains(due)) {
        tx.put(&ATTEMPTS, &attempt_key(AttemptKind::Message, *at, after.id, endpoint), Vec::new())?;
    }
    match before {
        None => super::save_new(tx, &MESSAGES, &after.id.bytes(), after),
        Some(_) => super::save(tx, &MESSAGES, &after.id.bytes(), after),
    }
}

/// A page of messages, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<Message>> {
    newest_first(tx, &MESSAGES, before, limit)
}

/// A page of any table keyed by our own ids, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn newest_first<T: serde::de::DeserializeOwned>(
    tx: &mut Tx,
    table: &'static crate::store::Table,
    before: Option<&[u8]>,
    limit: usize,
) -> Result<Page<T>> {
    use std::ops::Bound;
    let end = before.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_vec()));
    let rows = tx.scan(table, (Bound::Unbounded, end), limit, true)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(table, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// The key of a due attempt: kind, instant, id, and the endpoint or trigger.
pub(super) fn attempt_key(kind: AttemptKind, at: Instant, id: Id, which: &str) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend(keys::instant(at));
    key.extend(id.bytes());
    key.extend(which.bytes());
    key
}

/// An attempt that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub due: Instant,
    /// The message or delivery.
    pub id: Id,
    /// The endpoint or the trigger.
    pub which: String,
}

/// Attempts of a kind due at or before an instant, earliest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn attempts_due(tx: &mut Tx, kind: AttemptKind, until: Option<Instant>, limit: usize) -> Result<Vec<Attempt>> {
    use std::ops::Bound;
    let end = match until {
        Some(until) => {
            let mut end = vec![kind as u8];
            end.extend(keys::instant(until + chrono::TimeDelta::microseconds(1)));
            Bound::Excluded(end)
        }
        None => Bound::Excluded(vec![kind as u8 + 1]),
    };
    let rows = tx.scan(&ATTEMPTS, (Bound::Included(vec![kind as u8]), end), limit, false)?;
    let noun = match kind {
        AttemptKind::Delivery => Noun::Delivery,
        AttemptKind::Message => Noun::Message,
    };
    let read = |key: &[u8]| -> Option<Attempt> {
        Some(Attempt {
            due: keys::read_instant(key.get(1..9)?.try_into().ok()?),
            id: Id::from_bytes(noun, key.get(9..25)?.try_into().ok()?),
            which: std::str::from_utf8(key.get(25..)?).ok()?.to_owned(),
        })
    };
    rows.iter().map(|(key, _)| read(key).ok_or_else(|| Error::corrupt(ATTEMPTS.name, key))).collect()
}
