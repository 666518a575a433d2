//! KMS activations by tenant, device and product, and a walk over those that have not been moved, by deadline.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::activation::Activation;
use crate::domain::{Instant, TenantId};
use crate::store::tables::{ACTIVATION_DEADLINES, ACTIVATIONS};

/// The key of an activation: tenant, then device and product in lower case.
pub fn key(customer: TenantId, device: &str, product: &str) -> Vec<u8> {
    let mut key = customer.bytes().to_vec();
    key.extend(keys::text(&[&device.trim().to_lowercase(), &product.trim().to_lowercase()], &[]));
    key
}

fn deadline_key(activation: &Activation) -> Option<Vec<u8>> {
    activation.moved_at.is_none().then(|| {
        let mut key = keys::instant(activation.deadline()).to_vec();
        key.extend(self::key(activation.customer, &activation.device, &activation.product));
        key
    })
}

/// One activation.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, customer: TenantId, device: &str, product: &str) -> Result<Option<Stored<Activation>>> {
    super::fetch(tx, &ACTIVATIONS, &key(customer, device, product))
}

/// Writes an activation and keeps its deadline in step.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Activation>, after: &Activation) -> Result<()> {
    let (old, new) = (before.and_then(deadline_key), deadline_key(after));
    if let Some(old) = old.as_ref().filter(|old| Some(*old) != new.as_ref()) {
        tx.delete(&ACTIVATION_DEADLINES, old)?;
    }
    if let Some(new) = new.filter(|new| Some(new) != old.as_ref()) {
        tx.put(&ACTIVATION_DEADLINES, &new, Vec::new())?;
    }
    super::save(tx, &ACTIVATIONS, &key(after.customer, &after.device, &after.product), after)
}

/// A page of activations, of one tenant or of all, by tenant, device and product.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, customer: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<Activation>> {
    let prefix = customer.map(|customer| customer.bytes().to_vec()).unwrap_or_default();
    let rows = tx.scan(&ACTIVATIONS, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&ACTIVATIONS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// A page of activations that have not been moved and whose deadline is before an instant, earliest deadline first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn due(tx: &mut Tx, before: Instant, after: Option<&[u8]>, limit: usize) -> Result<Page<Activation>> {
    use std::ops::Bound;
    let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_vec()));
    let end = Bound::Excluded(keys::instant(before).to_vec());
    let rows = tx.scan(&ACTIVATION_DEADLINES, (start, end), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let mut items = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let own = key.get(8..).unwrap_or_default();
        if let Some(found) = super::fetch::<Activation>(tx, &ACTIVATIONS, own)? {
            items.push(found.value);
        }
    }
    Ok(Page { items, next })
}
