//! Products and orders.

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::order::Order;
use crate::domain::product::Product;
use crate::domain::{OrderId, TenantId};
use crate::store::tables::{ORDERS, PRODUCTS};

/// One product, by id in any case.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn product(tx: &mut Tx, id: &str) -> Result<Option<Stored<Product>>> {
    super::fetch(tx, &PRODUCTS, id.to_lowercase().as_bytes())
}

/// Writes a product.
///
/// # Errors
/// What the store answers.
pub fn save_product(tx: &mut Tx, product: &Product) -> Result<()> {
    super::save(tx, &PRODUCTS, product.id.to_lowercase().as_bytes(), product)
}

/// A page of products in id order.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn products(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<Product>> {
    let rows = tx.scan(&PRODUCTS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&PRODUCTS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// A page of what lies below a product: its SKUs and their availabilities, in id order.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn products_below(tx: &mut Tx, above: &str, after: Option<&[u8]>, limit: usize) -> Result<Page<Product>> {
    let prefix = format!("{}:", above.to_lowercase()).into_bytes();
    let rows = tx.scan(&PRODUCTS, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&PRODUCTS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// The key of an order: its tenant, then its id in lower case.
pub fn order_key(tenant: TenantId, id: &OrderId) -> Vec<u8> {
    let mut key = tenant.bytes().to_vec();
    key.extend(id.0.to_lowercase().bytes());
    key
}

/// One order.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn order(tx: &mut Tx, tenant: TenantId, id: &OrderId) -> Result<Option<Stored<Order>>> {
    super::fetch(tx, &ORDERS, &order_key(tenant, id))
}

/// Writes an order.
///
/// # Errors
/// What the store answers.
pub fn save_order(tx: &mut Tx, order: &Order) -> Result<()> {
    super::save(tx, &ORDERS, &order_key(order.tenant, &order.id), order)
}

/// A page of orders, of one tenant or of all.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn orders(tx: &mut Tx, tenant: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<Order>> {
    let prefix = tenant.map(|tenant| tenant.bytes().to_vec()).unwrap_or_default();
    let rows = tx.scan(&ORDERS, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&ORDERS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
