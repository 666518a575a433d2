//! Requests: one row each, the open one of a subscription and kind, and lists of what is open by state.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::ids::Noun;
use crate::domain::request::{Request, State};
use crate::domain::{Id, Kind, SubscriptionId, TenantId};
use crate::store::Error;
use crate::store::tables::{OPEN_REQUESTS, REQUEST_STATES, REQUESTS};

fn open_key(tenant: TenantId, subscription: SubscriptionId, kind: Kind) -> Vec<u8> {
    let mut key = keys::subscription(tenant, subscription).to_vec();
    key.extend(kind.as_str().bytes());
    key
}

fn state_key(state: State, id: Id) -> Vec<u8> {
    keys::text(&[state.as_str()], &id.bytes())
}

/// One request.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<Stored<Request>>> {
    super::fetch(tx, &REQUESTS, &id.bytes())
}

/// The open request of a subscription and kind.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn open(tx: &mut Tx, tenant: TenantId, subscription: SubscriptionId, kind: Kind) -> Result<Option<Request>> {
    let key = open_key(tenant, subscription, kind);
    let Some(row) = tx.get(&OPEN_REQUESTS, &key)? else { return Ok(None) };
    let id = read_id(&row.bytes).ok_or_else(|| Error::corrupt(OPEN_REQUESTS.name, &key))?;
    Ok(get(tx, id)?.map(|stored| stored.value))
}

/// Every open request of a subscription.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn all_open(tx: &mut Tx, tenant: TenantId, subscription: SubscriptionId) -> Result<Vec<Request>> {
    let prefix = keys::subscription(tenant, subscription);
    let rows = tx.scan(&OPEN_REQUESTS, keys::prefix_range(&prefix, None), Kind::ALL.len(), false)?;
    let mut found = Vec::new();
    for (key, row) in rows {
        let id = read_id(&row.bytes).ok_or_else(|| Error::corrupt(OPEN_REQUESTS.name, &key))?;
        found.extend(get(tx, id)?.map(|stored| stored.value));
    }
    Ok(found)
}

/// Writes a request and keeps what is open in step.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Request>, after: &Request) -> Result<()> {
    let was_open = before.map(|request| request.state).filter(|state| state.is_open());
    let is_open = Some(after.state).filter(|state| state.is_open());
    if was_open != is_open {
        let key = open_key(after.tenant, after.subscription, after.kind);
        if let Some(state) = was_open {
            tx.delete(&REQUEST_STATES, &state_key(state, after.id))?;
        }
        match is_open {
            Some(state) => {
                tx.put_new(&REQUEST_STATES, &state_key(state, after.id), Vec::new())?;
                tx.put(&OPEN_REQUESTS, &key, after.id.bytes().to_vec())?;
            }
            None => tx.delete(&OPEN_REQUESTS, &key)?,
        }
    }
    match before {
        None => super::save_new(tx, &REQUESTS, &after.id.bytes(), after),
        Some(_) => super::save(tx, &REQUESTS, &after.id.bytes(), after),
    }
}

/// A page of requests, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<Request>> {
    use std::ops::Bound;
    let end = before.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_vec()));
    let rows = tx.scan(&REQUESTS, (Bound::Unbounded, end), limit, true)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&REQUESTS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// A page of the requests in an open state, oldest first; the cursor is a request id's bytes.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn in_state(tx: &mut Tx, state: State, after: Option<&[u8]>, limit: usize) -> Result<Page<Request>> {
    let prefix = keys::text(&[state.as_str()], &[]);
    let after = after.map(|id| [&prefix[..], id].concat());
    let rows = tx.scan(&REQUEST_STATES, keys::prefix_range(&prefix, after.as_deref()), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key[prefix.len()..].to_vec())).flatten();
    let mut items = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let id = read_id(&key[prefix.len()..]).ok_or_else(|| Error::corrupt(REQUEST_STATES.name, &key))?;
        items.extend(get(tx, id)?.map(|stored| stored.value));
    }
    Ok(Page { items, next })
}

fn read_id(bytes: &[u8]) -> Option<Id> {
    Some(Id::from_bytes(Noun::Request, bytes.try_into().ok()?))
}
