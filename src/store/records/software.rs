//! Software: what is recorded of a holding's keys and links, their sealed secrets, and the sheets of products.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::SubscriptionId;
use crate::domain::software::{Choice, Entitlement, Sheet};
use crate::store::tables::{ENTITLEMENTS, SOFTWARE_SECRETS, SOFTWARE_SHEETS};

/// What a sealed row holds. Codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SecretKind {
    /// A product key.
    Key = 1,
    /// A download link.
    Link = 2,
}

/// The most sealed rows one holding may have: more than there are languages times versions of any product.
pub const SECRETS_MAX: usize = 2_000;

/// What is recorded of a holding's keys and links.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn entitlement(tx: &mut Tx, id: SubscriptionId) -> Result<Option<Stored<Entitlement>>> {
    super::fetch(tx, &ENTITLEMENTS, &id.bytes())
}

/// Writes what is recorded of a holding's keys and links.
///
/// # Errors
/// What the store answers.
pub fn save_entitlement(tx: &mut Tx, entitlement: &Entitlement) -> Result<()> {
    super::save(tx, &ENTITLEMENTS, &entitlement.subscription.bytes(), entitlement)
}

/// The key of a sealed row: the holding, what it is, and what it was recorded for. What is sealed is bound to it.
pub fn secret_key(id: SubscriptionId, kind: SecretKind, choice: &Choice) -> Vec<u8> {
    let mut key = id.bytes().to_vec();
    key.push(kind as u8);
    let parts = choice.parts().map(|(_, part)| part.unwrap_or_default());
    key.extend(keys::text(&parts, &[]));
    key
}

/// One sealed row.
///
/// # Errors
/// What the store answers.
pub fn secret(tx: &mut Tx, key: &[u8]) -> Result<Option<Vec<u8>>> {
    Ok(tx.get(&SOFTWARE_SECRETS, key)?.map(|row| row.bytes.to_vec()))
}

/// Writes a sealed row.
///
/// # Errors
/// What the store answers.
pub fn save_secret(tx: &mut Tx, key: &[u8], sealed: Vec<u8>) -> Result<()> {
    tx.put(&SOFTWARE_SECRETS, key, sealed)
}

/// Takes every sealed row of a holding away; how many there were.
///
/// # Errors
/// What the store answers.
pub fn remove_secrets(tx: &mut Tx, id: SubscriptionId) -> Result<usize> {
    let rows = tx.scan(&SOFTWARE_SECRETS, keys::prefix_range(&id.bytes(), None), SECRETS_MAX, false)?;
    for (key, _) in &rows {
        tx.delete(&SOFTWARE_SECRETS, key)?;
    }
    Ok(rows.len())
}

/// A page of sealed rows of every holding, by key.
///
/// # Errors
/// What the store answers.
pub fn secrets(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<(Vec<u8>, Vec<u8>)>> {
    let rows = tx.scan(&SOFTWARE_SECRETS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.into_iter().map(|(key, row)| (key.to_vec(), row.bytes.to_vec())).collect();
    Ok(Page { items, next })
}

/// The sheet of a product: its own, or the one of what it is a sku of.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn sheet(tx: &mut Tx, product: &str) -> Result<Option<Sheet>> {
    for id in Sheet::ids(product) {
        if let Some(found) = super::fetch::<Sheet>(tx, &SOFTWARE_SHEETS, id.as_bytes())? {
            return Ok(Some(found.value));
        }
    }
    Ok(None)
}

/// Writes the sheet of a product.
///
/// # Errors
/// What the store answers.
pub fn save_sheet(tx: &mut Tx, sheet: &Sheet) -> Result<()> {
    super::save(tx, &SOFTWARE_SHEETS, sheet.product.to_lowercase().as_bytes(), sheet)
}

/// A page of sheets in the order of their products.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn sheets(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<Sheet>> {
    let rows = tx.scan(&SOFTWARE_SHEETS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&SOFTWARE_SHEETS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
