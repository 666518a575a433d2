//! Products and orders: reading, and closing an order line that came to nothing.

use crate::domain::order::Order;
use crate::domain::product::Product;
use crate::domain::selection::Selection;
use crate::domain::{Grant, OrderId, Subscription, TenantId};
use crate::store::records::{Page, catalog as rows, subscriptions as subscription_rows};

use super::work::Work;
use super::{Result, not_found};

const PAGE_ROWS: usize = 500;

/// One product.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn product(work: &mut Work, id: &str) -> Result<Product> {
    work.require(&Grant::Read("products"))?;
    let found = rows::product(&mut work.tx, id)?.map(|stored| stored.value);
    found.ok_or_else(|| not_found("product", &id.chars().take(128).collect::<String>()))
}

/// A page of what a selection holds, in id order.
///
/// # Errors
/// `forbidden`.
pub fn products(work: &mut Work, selection: &Selection, after: Option<&[u8]>, limit: usize) -> Result<Page<Product>> {
    work.require(&Grant::Read("products"))?;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    loop {
        let page = rows::products(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        for product in page.items {
            if selection.matches(&product, work.now) {
                let key = product.id.to_lowercase().into_bytes();
                items.push(product);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(key) });
                }
            }
        }
        match page.next {
            None => return Ok(Page { items, next: None }),
            Some(next) => cursor = Some(next),
        }
    }
}

/// One order of a tenant within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn order(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<Order> {
    work.require(&Grant::Read("orders"))?;
    let found = if work.reaches(tenant) { rows::order(&mut work.tx, tenant, id)? } else { None };
    found.map(|stored| stored.value).ok_or_else(|| not_found("order", id))
}

/// A page of a tenant's orders.
///
/// # Errors
/// `forbidden`.
pub fn orders(work: &mut Work, tenant: TenantId, after: Option<&[u8]>, limit: usize) -> Result<Page<Order>> {
    work.require(&Grant::Read("orders"))?;
    if !work.reaches(tenant) {
        return Err(not_found("tenant", &tenant));
    }
    Ok(rows::orders(&mut work.tx, Some(tenant), after, limit)?)
}

/// Where an order stands among its tenant's, as the cursor of a page.
pub fn key_of(order: &Order) -> Vec<u8> {
    rows::order_key(order.tenant, &order.id)
}

/// The order line of a subscription that is gone has no seats any more; an order without any is cancelled. `why` is
/// told on the line. Nothing where no order is known.
pub(super) fn line_closed(work: &mut Work, subscription: &Subscription, why: &str) -> Result<()> {
    let Some(id) = &subscription.profile.order_id else { return Ok(()) };
    let Some(stored) = rows::order(&mut work.tx, subscription.tenant, id)? else { return Ok(()) };
    let mut order = stored.value;
    let mine = |line: &crate::domain::order::OrderLine| line.subscription_id == Some(subscription.id);
    let Some(line) = order.line_items.iter_mut().find(|line| mine(line)) else { return Ok(()) };
    line.quantity = 0;
    if !why.is_empty() {
        line.extra.insert("error".to_owned(), serde_json::json!({ "description": why }).to_string());
    }
    if order.line_items.iter().all(|line| line.quantity == 0) {
        order.status = "cancelled".to_owned();
    }
    Ok(rows::save_order(&mut work.tx, &order)?)
}

/// Whether a tenant has an order: it was recorded, or a subscription of the tenant's names it.
pub(super) fn has_order(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<bool> {
    if rows::order(&mut work.tx, tenant, id)?.is_some() {
        return Ok(true);
    }
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = subscription_rows::page(&mut work.tx, Some(tenant), after.as_deref(), PAGE_ROWS)?;
        let named = |known: &OrderId| known.0.eq_ignore_ascii_case(&id.0);
        if page.items.iter().any(|stored| stored.value.profile.order_id.as_ref().is_some_and(named)) {
            return Ok(true);
        }
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}
