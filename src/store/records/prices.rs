//! What the partner asks its customers for products.

use chrono::NaiveDate;

use super::{Page, Result, Tx, decode, keys};
use crate::domain::product::CustomerPrice;
use crate::domain::{Span, TenantId};
use crate::store::tables::CUSTOMER_PRICES;

/// Prices of one product for one customer, at most: every term and cycle there could be, each from a few dates on.
pub const OF_PRODUCT_MAX: usize = 256;

fn product_key(tenant: TenantId, product: &str) -> Vec<u8> {
    let mut key = tenant.bytes().to_vec();
    key.extend(keys::text(&[&product.to_lowercase()], &[]));
    key
}

/// The key of a price: tenant, product, term, cycle, and the date from which it holds where it has one.
pub fn key(tenant: TenantId, product: &str, plan: (Option<Span>, Option<&str>), from: Option<NaiveDate>) -> Vec<u8> {
    let term = plan.0.map(|span| span.to_string()).unwrap_or_default();
    let from = from.map(|day| day.to_string());
    let mut parts = vec![term.as_str(), plan.1.unwrap_or_default()];
    parts.extend(from.as_deref());
    let mut key = product_key(tenant, product);
    key.extend(keys::text(&parts, &[]));
    key
}

/// The key of this price.
pub fn key_of(price: &CustomerPrice) -> Vec<u8> {
    key(price.tenant, &price.product, (price.term_duration, price.billing_cycle.as_deref()), price.valid_from)
}

/// How many prices there are of a product for a customer, up to [`OF_PRODUCT_MAX`].
///
/// # Errors
/// What the store answers.
pub fn count(tx: &mut Tx, tenant: TenantId, product: &str) -> Result<usize> {
    let prefix = product_key(tenant, product);
    Ok(tx.scan(&CUSTOMER_PRICES, keys::prefix_range(&prefix, None), OF_PRODUCT_MAX, false)?.len())
}

/// The price that fits a term and a cycle best on a day; of equal ones the latest that holds.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn find(
    tx: &mut Tx,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: &str,
    day: NaiveDate,
) -> Result<Option<CustomerPrice>> {
    let prefix = product_key(tenant, product);
    let rows = tx.scan(&CUSTOMER_PRICES, keys::prefix_range(&prefix, None), OF_PRODUCT_MAX, false)?;
    let mut best: Option<((u8, Option<NaiveDate>), CustomerPrice)> = None;
    for (key, row) in rows {
        let price: CustomerPrice = decode(&CUSTOMER_PRICES, &key, &row.bytes)?;
        if let Some(fit) = price.fits(term, cycle).filter(|_| price.holds(day)).map(|fit| (fit, price.valid_from))
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
