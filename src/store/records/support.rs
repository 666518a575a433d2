//! Support requests, and those of each tenant.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::ids::Noun;
use crate::domain::support::SupportRequest;
use crate::domain::{Id, TenantId};
use crate::store::Error;
use crate::store::tables::{SUPPORT_REQUESTS, SUPPORT_TENANTS};

fn tenant_key(tenant: TenantId, id: Id) -> Vec<u8> {
    [tenant.bytes(), id.bytes()].concat()
}

/// One support request.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<Stored<SupportRequest>>> {
    super::fetch(tx, &SUPPORT_REQUESTS, &id.bytes())
}

/// Writes a support request; whose it is never changes.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&SupportRequest>, after: &SupportRequest) -> Result<()> {
    if before.is_some() {
        return super::save(tx, &SUPPORT_REQUESTS, &after.id.bytes(), after);
    }
    if let Some(tenant) = after.tenant {
        tx.put_new(&SUPPORT_TENANTS, &tenant_key(tenant, after.id), Vec::new())?;
    }
    super::save_new(tx, &SUPPORT_REQUESTS, &after.id.bytes(), after)
}

/// A page of support requests, newest first; the cursor is an id's bytes.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<SupportRequest>> {
    use std::ops::Bound;
    let end = before.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_vec()));
    let rows = tx.scan(&SUPPORT_REQUESTS, (Bound::Unbounded, end), limit, true)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&SUPPORT_REQUESTS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// A page of a tenant's support requests, newest first; the cursor is an id's bytes.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn of_tenant(tx: &mut Tx, tenant: TenantId, before: Option<&[u8]>, limit: usize) -> Result<Page<SupportRequest>> {
    use std::ops::Bound;
    let prefix = tenant.bytes();
    let (start, end) = keys::prefix_range(&prefix, None);
    let end = before.map_or(end, |id| Bound::Excluded([&prefix[..], id].concat()));
    let rows = tx.scan(&SUPPORT_TENANTS, (start, end), limit, true)?;
    let id_of = |key: &[u8]| key.get(prefix.len()..).and_then(|id| <[u8; 16]>::try_from(id).ok());
    let mut items = Vec::with_capacity(rows.len());
    let mut last = None;
    for (key, _) in &rows {
        let bytes = id_of(key).ok_or_else(|| Error::corrupt(SUPPORT_TENANTS.name, key))?;
        items.extend(get(tx, Id::from_bytes(Noun::Support, bytes))?.map(|stored| stored.value));
        last = Some(bytes.to_vec());
    }
    Ok(Page { items, next: last.filter(|_| rows.len() == limit) })
}
