//! Tenants, and the names that find them.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::{Tenant, TenantId};
use crate::store::tables::{TENANT_NAMES, TENANTS};
use crate::store::{Error, Row};
use bytes::Bytes;
use std::cell::RefCell;

/// One tenant.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: TenantId) -> Result<Option<Stored<Tenant>>> {
    let key = id.bytes();
    let Some(Row { seq, bytes }) = tx.get(&TENANTS, &key)? else { return Ok(None) };
    let known =
        LAST.with_borrow(|last| last.as_ref().filter(|(known, _)| *known == bytes).map(|(_, tenant)| tenant.clone()));
    if let Some(value) = known {
        return Ok(Some(Stored { value, seq }));
    }
    let value: Tenant = decode(&TENANTS, &key, &bytes)?;
    LAST.set(Some((bytes, value.clone())));
    Ok(Some(Stored { value, seq }))
}

thread_local! {
    // Neighbours in a sweep share their tenant; equal bytes are the same value.
    static LAST: RefCell<Option<(Bytes, Tenant)>> = const { RefCell::new(None) };
}

/// A page of tenants in id order.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<Stored<Tenant>>> {
    let rows = tx.scan(&TENANTS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let mut items = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        items.push(Stored { value: decode(&TENANTS, &key, &row.bytes)?, seq: row.seq });
    }
    Ok(Page { items, next })
}

/// The tenants known by this name or domain, in any case; at most a hundred.
///
/// # Errors
/// What the store answers.
pub fn named(tx: &mut Tx, name: &str) -> Result<Vec<TenantId>> {
    let prefix = keys::text(&[&name.trim().to_lowercase()], &[]);
    let rows = tx.scan(&TENANT_NAMES, keys::prefix_range(&prefix, None), 100, false)?;
    let mut found = Vec::new();
    for (key, _) in rows {
        let tail = key.get(prefix.len()..).and_then(|tail| <[u8; 16]>::try_from(tail).ok());
        found.push(TenantId::from_bytes(tail.ok_or_else(|| Error::corrupt(TENANT_NAMES.name, &key))?));
    }
    Ok(found)
}

/// Writes a tenant and keeps its names in step.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Tenant>, after: &Tenant) -> Result<()> {
    let names = |tenant: &Tenant| -> Vec<String> {
        [&tenant.company_name, &tenant.domain]
            .into_iter()
            .map(|name| name.trim().to_lowercase())
            .filter(|name| !name.is_empty() && name.len() < 256)
            .collect()
    };
    let old = before.map(names).unwrap_or_default();
    let new = names(after);
    for name in old.iter().filter(|name| !new.contains(name)) {
        tx.delete(&TENANT_NAMES, &keys::text(&[name], &after.id.bytes()))?;
    }
    for name in new.iter().filter(|name| !old.contains(name)) {
        tx.put(&TENANT_NAMES, &keys::text(&[name], &after.id.bytes()), Vec::new())?;
    }
    super::save(tx, &TENANTS, &after.id.bytes(), after)
}
