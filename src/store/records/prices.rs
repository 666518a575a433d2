//! What the partner asks its customers for products.

use super::{Page, Result, Tx, decode, keys};
use crate::domain::product::CustomerPrice;
use crate::domain::{Span, TenantId};
use crate::store::tables::CUSTOMER_PRICES;

/// Prices of one product for one customer looked at, at most: every term and cycle there could be.
const OF_PRODUCT_MAX: usize = 64;

fn product_key(tenant: TenantId, product: &str) -> Vec<u8> {
    let mut key = tenant.bytes().to_vec();
    key.extend(keys::text(&[&product.to_lowercase()], &[]));
    key
}

/// The key of a price: tenant, product, term, cycle.
pub fn key(tenant: TenantId, product: &str, term: Option<Span>, cycle: Option<&str>) -> Vec<u8> {
    let term = term.map(|span| span.to_string()).unwrap_or_default();
    let mut key = product_key(tenant, product);
    key.extend(keys::text(&[&term, cycle.unwrap_or_default()], &[]));
    key
}

/// The key of this price.
pub fn key_of(price: &CustomerPrice) -> Vec<u8> {
    key(price.tenant, &price.product, price.term_duration, price.billing_cycle.as_deref())
}

/// The price that fits a term and a cycle best.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn find(
    tx: &mut Tx,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: &str,
) -> Result<Option<CustomerPrice>> {
    let prefix = product_key(tenant, product);
    let rows = tx.scan(&CUSTOMER_PRICES, keys::prefix_range(&prefix, None), OF_PRODUCT_MAX, false)?;
    let mut best: Option<(u8, CustomerPrice)> = None;
    for (key, row) in rows {
        let price: CustomerPrice = decode(&CUSTOMER_PRICES, &key, &row.bytes)?;
        if let Some(fit) = price.fits(term, cycle)
            && best.as_ref().is_none_or(|(known, _)| *known < fit)
        {
            best = Some((fit, price));
        }
    }
    Ok(best.map(|(_, price)| price))
}

/// The price under a key.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, key: &[u8]) -> Result<Option<CustomerPrice>> {
    Ok(super::fetch(tx, &CUSTOMER_PRICES, key)?.map(|stored| stored.value))
}

/// Writes a price.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, price: &CustomerPrice) -> Result<()> {
    super::save(tx, &CUSTOMER_PRICES, &key_of(price), price)
}

/// Takes a price away.
///
/// # Errors
/// What the store answers.
pub fn remove(tx: &mut Tx, price: &CustomerPrice) -> Result<()> {
    tx.delete(&CUSTOMER_PRICES, &key_of(price))
}

/// A page of prices, of one customer or of all, by product.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, tenant: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<CustomerPrice>> {
    let prefix = tenant.map(|tenant| tenant.bytes().to_vec()).unwrap_or_default();
    let rows = tx.scan(&CUSTOMER_PRICES, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&CUSTOMER_PRICES, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
