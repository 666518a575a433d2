//! Orders: reading, keeping their lines in step with what was bought by them, and cancelling them.

use crate::domain::catalog::selling::CancelledBy;
use crate::domain::change::Reason;
use crate::domain::order::{LineError, Order, OrderLine};
use crate::domain::product::Product;
use crate::domain::request::Outcome;
use crate::domain::subscription::Status;
use crate::domain::{Change, Grant, Kind, OrderId, Refusal, Request, Subscription, TenantId};
use crate::store::records::{Page, Stored, catalog as rows, subscriptions as subscription_rows};

use super::requests::{self, Proposed};
use super::work::Work;
use super::{Result, holdings, not_found, subscriptions};

/// Partner Center's code of a cart's line for anything that no other code is for: `unable_to_process_cart_line_item`.
pub(super) const UNABLE: u32 = 10006;

const PAGE_ROWS: usize = 500;

/// An order of a tenant within reach, for an operation that has checked its own right.
pub(super) fn load(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<Order> {
    let found = if work.reaches(tenant) { rows::order(&mut work.tx, tenant, id)? } else { None };
    found.map(|stored| stored.value).ok_or_else(|| {
        let shown: String = id.0.chars().take(128).collect();
        Refusal::new("not_found", format!("there is no order {shown}")).partner_center(20000).into()
    })
}

/// One order of a tenant within reach.
///
/// # Errors
/// `forbidden`, `not_found` (20000).
pub fn get(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<Order> {
    work.require(&Grant::Read("orders"))?;
    load(work, tenant, id)
}

/// A page of orders, of one tenant or of all within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn list(work: &mut Work, tenant: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<Order>> {
    work.require(&Grant::Read("orders"))?;
    if let Some(tenant) = tenant.filter(|tenant| !work.reaches(*tenant)) {
        return Err(not_found("tenant", &tenant));
    }
    let mut page = rows::orders(&mut work.tx, tenant, after, limit)?;
    page.items.retain(|order| work.reaches(order.tenant));
    Ok(page)
}

/// Where an order stands among all, as the cursor of a page.
pub fn key_of(order: &Order) -> Vec<u8> {
    rows::order_key(order.tenant, &order.id)
}

/// What was bought by an order, in the order of its lines.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn subscriptions(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<Vec<Subscription>> {
    work.require(&Grant::Read("subscriptions"))?;
    let order = get(work, tenant, id)?;
    let mut found = Vec::new();
    for subscription in order.line_items.iter().filter_map(|line| line.subscription_id) {
        found.extend(subscription_rows::get(&mut work.tx, tenant, subscription)?.map(|stored| stored.value));
    }
    Ok(found)
}

/// Where one line's provisioning stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioning {
    /// The line.
    pub line_item_number: u32,
    /// Whether everything of it is there; false while its purchase waits.
    pub fulfilled: bool,
    /// Seats.
    pub quantity: i64,
}

/// Where the provisioning of every line of an order stands.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn provisioning(work: &mut Work, tenant: TenantId, id: &OrderId) -> Result<Vec<Provisioning>> {
    let order = get(work, tenant, id)?;
    let mut found = Vec::new();
    for line in &order.line_items {
        let stored = match line.subscription_id {
            Some(id) => subscription_rows::get(&mut work.tx, tenant, id)?,
            None => None,
        };
        let fulfilled = stored.is_none_or(|stored| stored.value.standing.status != Status::Pending);
        found.push(Provisioning { line_item_number: line.line_item_number, fulfilled, quantity: line.quantity });
    }
    Ok(found)
}

/// Why a line was not bought, as its request tells.
pub(super) fn line_error(request: Option<&Request>, outcome: Outcome, error_code: u32) -> LineError {
    let refusal = request.and_then(|request| request.refusal.as_ref());
    let reasons = request.map(|request| request.reasons.join("; ")).unwrap_or_default();
    LineError {
        code: refusal.map_or_else(|| outcome.as_str().to_owned(), |refusal| refusal.code.clone()),
        description: refusal.map_or(reasons, |refusal| refusal.message.clone()),
        rule: refusal.and_then(|refusal| refusal.rule.clone()).unwrap_or_default(),
        error_code,
        partner_center_code: match refusal {
            Some(refusal) => refusal.partner_center_code,
            // A policy is what checks the risk of a purchase here.
            None => (outcome == Outcome::Denied).then_some(800_069),
        },
        reactivate: None,
    }
}

/// Keeps an order in step with a subscription of its: a line whose subscription is gone has no seats any more; an order
/// is pending while a line is, and cancelled when every line was. `error` says why a purchase came to nothing. Nothing
/// where no order is known.
pub(super) fn follow(work: &mut Work, subscription: &Subscription, error: Option<LineError>) -> Result<()> {
    let Some(id) = &subscription.profile.order_id else { return Ok(()) };
    let Some(Stored { value: mut order, .. }) = rows::order(&mut work.tx, subscription.tenant, id)? else {
        return Ok(());
    };
    let before = order.clone();
    let mine = |line: &&mut OrderLine| line.subscription_id == Some(subscription.id);
    let Some(line) = order.line_items.iter_mut().find(mine) else { return Ok(()) };
    if subscription.standing.status == Status::Deleted {
        line.quantity = 0;
    }
    line.error = error.or(line.error.take());
    let mut waits = Vec::new();
    for other in order.line_items.iter().filter_map(|line| line.subscription_id) {
        let standing = if other == subscription.id {
            Some(subscription.standing)
        } else {
            subscription_rows::get(&mut work.tx, order.tenant, other)?.map(|stored| stored.value.standing)
        };
        if standing.is_some_and(|standing| standing.status == Status::Pending) {
            waits.push(other);
        }
    }
    // An imported order keeps its own word until nothing of it is left.
    let settled = order.settled(|line| line.subscription_id.is_some_and(|id| waits.contains(&id)));
    if order.cart.is_some() {
        settled.clone_into(&mut order.status);
    } else if order.line_items.iter().all(|line| line.quantity == 0) {
        "cancelled".clone_into(&mut order.status);
    }
    if order != before {
        order.generation += 1;
        rows::save_order(&mut work.tx, &order)?;
    }
    Ok(())
}

/// What cancelling an order came to.
#[derive(Debug, Clone)]
pub struct Cancelled {
    /// The order afterwards.
    pub order: Order,
    /// What proposing came to, line by line.
    pub lines: Vec<(u32, Proposed)>,
}

/// Proposes to cancel what an order bought: these lines of it, or every one. Only software is cancelled by its order.
///
/// # Errors
/// `forbidden`, `not_found` (20000), `not_cancelled_by_order` (800019; 800077 where the subscription is cancelled
/// instead), `unknown_line`, `nothing_to_cancel` (800061).
pub fn cancel(
    work: &mut Work,
    tenant: TenantId,
    id: &OrderId,
    numbers: &[u32],
    reason: Reason,
    why: &str,
) -> Result<Cancelled> {
    work.require(&Grant::Propose(Some(Kind::Cancellation)))?;
    let order = load(work, tenant, id)?;
    if let Some(number) =
        numbers.iter().find(|number| !order.line_items.iter().any(|line| line.line_item_number == **number))
    {
        return Err(Refusal::new("unknown_line", format!("the order has no line {number}")).into());
    }
    let meant = |line: &&OrderLine| numbers.is_empty() || numbers.contains(&line.line_item_number);
    let lines: Vec<&OrderLine> = order.line_items.iter().filter(meant).filter(|line| line.quantity > 0).collect();
    let mut found = Vec::new();
    for line in &lines {
        let Some(subscription) = line.subscription_id else { continue };
        let stored = subscriptions::load(work, subscription)?;
        by_order(work, &stored.value)?;
        found.push((line.line_item_number, subscription));
    }
    if found.is_empty() {
        let missing = holdings::missing_products(work, lines.iter().copied())?;
        let mut message = "nothing of these lines is left to cancel, or nothing is known that they became".to_owned();
        if !missing.is_empty() {
            let products = missing.into_iter().collect::<Vec<_>>().join(", ");
            message = format!("nothing tells what these lines bought: import the product first ({products})");
        }
        return Err(Refusal::new("nothing_to_cancel", message).partner_center(800_061).into());
    }
    let mut proposed = Vec::new();
    for (number, subscription) in found {
        proposed.push((number, requests::propose(work, subscription, Change::Cancellation { reason }, why)?));
    }
    Ok(Cancelled { order: load(work, tenant, id)?, lines: proposed })
}

/// Whether what was bought is cancelled by its order at all.
fn by_order(work: &Work, subscription: &Subscription) -> Result<()> {
    let profile = &subscription.profile;
    let product = Product {
        id: profile.offer_id.clone(),
        name: profile.offer_name.clone(),
        family: profile.family.clone(),
        is_add_on: profile.parent_subscription_id.is_some(),
        ..Product::default()
    };
    match work.terms.selling().cancelled_by(&product) {
        Some(row) if row.cancelled_by == CancelledBy::Order => Ok(()),
        Some(row) => {
            let message = format!("cancel subscription {} and not its order", subscription.id);
            let refusal = Refusal::new("not_cancelled_by_order", message).by_rule(&row.rule);
            Err(refusal.partner_center(row.partner_center_code.unwrap_or(800_077)).into())
        }
        None => {
            let message = format!("only software is cancelled by its order: cancel subscription {}", subscription.id);
            Err(Refusal::new("not_cancelled_by_order", message).by_rule("C-order").partner_center(800_019).into())
        }
    }
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
