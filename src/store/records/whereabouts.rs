//! Whose an order is, and which subscriptions wait to be told theirs: what lets documents be imported in any order.
//!
//! An order is kept under its customer, so its id alone does not find it; and a subscription that came before its order
//! may name nothing but that id. Neither is a record of its own: they are notes beside the records, made by imports only.

use serde::{Deserialize, Serialize};

use super::{Result, Tx, keys};
use crate::domain::{Instant, OrderId, SubscriptionId, TenantId};
use crate::store::tables::WHEREABOUTS;

/// Customers noted for the id of an order, at most. More than one is already one too many to tell whose it is.
const CUSTOMERS_MAX: usize = 3;
/// Subscriptions that wait for one order and are found by it, at most: several times what an order has lines.
const WAITING_MAX: usize = 1_000;

/// Where an order is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Under whom; nobody's where no document named the customer.
    pub tenant: TenantId,
    /// Its id.
    pub order: OrderId,
}

fn order_key(order: &OrderId) -> Vec<u8> {
    keys::text(&["order_tenants", &order.0.to_lowercase()], &[])
}

fn line_key(subscription: SubscriptionId) -> Vec<u8> {
    keys::text(&["order_line"], &subscription.bytes())
}

fn holding_key(subscription: SubscriptionId) -> Vec<u8> {
    keys::text(&["holding_of_line"], &subscription.bytes())
}

fn waiting_prefix(order: &OrderId) -> Vec<u8> {
    keys::text(&["waits_for_order", &order.0.to_lowercase()], &[])
}

/// Notes under whom an order is kept.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn tell_order(tx: &mut Tx, tenant: TenantId, order: &OrderId) -> Result<()> {
    let key = order_key(order);
    let known = super::fetch::<Vec<TenantId>>(tx, &WHEREABOUTS, &key)?;
    let mut tenants = known.map(|stored| stored.value).unwrap_or_default();
    if tenants.contains(&tenant) || tenants.len() >= CUSTOMERS_MAX {
        return Ok(());
    }
    tenants.push(tenant);
    super::save(tx, &WHEREABOUTS, &key, &tenants)
}

/// Under whom the order of this id is kept: the one customer who has it, else nobody's where no document named one; none
/// where there is no such order, or two customers have one.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn order(tx: &mut Tx, order: &OrderId) -> Result<Option<Place>> {
    let known = super::fetch::<Vec<TenantId>>(tx, &WHEREABOUTS, &order_key(order))?;
    let tenants = known.map(|stored| stored.value).unwrap_or_default();
    let named: Vec<TenantId> = tenants.iter().copied().filter(|tenant| *tenant != TenantId::default()).collect();
    let tenant = match named.as_slice() {
        [] => tenants.first().copied(),
        [one] => Some(*one),
        _ => None,
    };
    Ok(tenant.map(|tenant| Place { tenant, order: order.clone() }))
}

/// Notes that an order names a subscription that is not known yet. An order with a customer is not replaced by one without.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn tell_line(tx: &mut Tx, subscription: SubscriptionId, place: &Place) -> Result<()> {
    let known = line(tx, subscription)?;
    let stays = known.is_some_and(|known| known == *place || place.tenant == TenantId::default());
    if stays { Ok(()) } else { super::save(tx, &WHEREABOUTS, &line_key(subscription), place) }
}

fn line(tx: &mut Tx, subscription: SubscriptionId) -> Result<Option<Place>> {
    Ok(super::fetch(tx, &WHEREABOUTS, &line_key(subscription))?.map(|stored| stored.value))
}

/// Takes the order that named a subscription before it was known.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn take_line(tx: &mut Tx, subscription: SubscriptionId) -> Result<Option<Place>> {
    let known = line(tx, subscription)?;
    if known.is_some() {
        tx.delete(&WHEREABOUTS, &line_key(subscription))?;
    }
    Ok(known)
}

/// The line of an order that a record was made of, because no document told of the record itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldLine {
    /// When the order was placed: of several lines that name one record the first purchase counts.
    #[serde(with = "crate::domain::calendar::wire")]
    pub bought: Instant,
    /// The order.
    pub order: OrderId,
    /// The line.
    pub line: u32,
    /// Whose.
    pub tenant: TenantId,
}

/// Notes that a record was made of a line.
///
/// # Errors
/// What the store answers.
pub fn tell_held(tx: &mut Tx, subscription: SubscriptionId, line: &HeldLine) -> Result<()> {
    super::save(tx, &WHEREABOUTS, &holding_key(subscription), line)
}

/// The line a record was made of; none where a document told of the record.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn held(tx: &mut Tx, subscription: SubscriptionId) -> Result<Option<HeldLine>> {
    Ok(super::fetch(tx, &WHEREABOUTS, &holding_key(subscription))?.map(|stored| stored.value))
}

/// Forgets that a record was made of a line.
///
/// # Errors
/// What the store answers.
pub fn forget_held(tx: &mut Tx, subscription: SubscriptionId) -> Result<()> {
    tx.delete(&WHEREABOUTS, &holding_key(subscription))
}

/// Notes that a subscription nobody named a customer for waits for an order.
///
/// # Errors
/// What the store answers.
pub fn wait(tx: &mut Tx, subscription: SubscriptionId, order: &OrderId) -> Result<()> {
    let mut key = waiting_prefix(order);
    key.extend(subscription.bytes());
    if tx.get(&WHEREABOUTS, &key)?.is_some() {
        return Ok(());
    }
    super::save(tx, &WHEREABOUTS, &key, &true)
}

/// Takes the subscriptions that wait for an order.
///
/// # Errors
/// What the store answers.
pub fn take_waiting(tx: &mut Tx, order: &OrderId) -> Result<Vec<SubscriptionId>> {
    let prefix = waiting_prefix(order);
    let rows = tx.scan(&WHEREABOUTS, keys::prefix_range(&prefix, None), WAITING_MAX, false)?;
    let mut found = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let id = key.get(prefix.len()..).and_then(|tail| tail.try_into().ok());
        found.extend(id.map(SubscriptionId::from_bytes));
        tx.delete(&WHEREABOUTS, &key)?;
    }
    Ok(found)
}
