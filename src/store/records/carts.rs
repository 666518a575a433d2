//! Carts, by tenant and id.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::TenantId;
use crate::domain::cart::Cart;
use crate::domain::ids::CartId;
use crate::store::tables::CARTS;

/// The key of a cart: its tenant, then its id.
pub fn key(tenant: TenantId, id: CartId) -> Vec<u8> {
    [tenant.bytes(), id.bytes()].concat()
}

/// One cart.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, tenant: TenantId, id: CartId) -> Result<Option<Stored<Cart>>> {
    super::fetch(tx, &CARTS, &key(tenant, id))
}

/// Writes a cart.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, cart: &Cart) -> Result<()> {
    super::save(tx, &CARTS, &key(cart.tenant, cart.id), cart)
}

/// A page of carts, of one tenant or of all.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, tenant: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<Cart>> {
    let prefix = tenant.map(|tenant| tenant.bytes().to_vec()).unwrap_or_default();
    let rows = tx.scan(&CARTS, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&CARTS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
