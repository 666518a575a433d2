//! Carts: made, looked at, changed and reviewed. What a line could not be bought for is told on the line.

use serde::Serialize;

use crate::domain::cart::{Cart, CartLine, CartStatus};
use crate::domain::ids::CartId;
use crate::domain::order::LineError;
use crate::domain::{Grant, Instant, Kind, Money, Quote, Refusal, TenantId};
use crate::store::records::{Page, carts as rows};

use super::offers::Priced;
use super::shopping::{self, Judged};
use super::work::Work;
use super::{Result, not_found, tenants};

/// What is to be in a cart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// Its lines; numbers and groups are given by the cart.
    pub lines: Vec<CartLine>,
}

fn load(work: &mut Work, tenant: TenantId, id: CartId) -> Result<Cart> {
    let found = if work.reaches(tenant) { rows::get(&mut work.tx, tenant, id)? } else { None };
    found.map(|stored| stored.value).ok_or_else(|| not_found("cart", &id))
}

/// A cart that can still be changed or checked out.
pub(super) fn load_open(work: &mut Work, tenant: TenantId, id: CartId) -> Result<Cart> {
    let cart = load(work, tenant, id)?;
    if cart.status == CartStatus::Ordered {
        let orders: Vec<&str> = cart.orders.iter().map(|order| order.0.as_str()).collect();
        let message = format!("this cart was submitted before; its orders: {}", orders.join(", "));
        return Err(Refusal::new("cart_submitted", message).partner_center(800_065).into());
    }
    if cart.is_expired(work.now) {
        let message = "this cart has expired; put its lines into it again, or make another";
        return Err(Refusal::new("cart_expired", message).by_rule(rule(work)).into());
    }
    Ok(cart)
}

fn rule(work: &Work) -> &str {
    work.terms.selling().cart.as_ref().map_or("", |rule| rule.rule.as_str())
}

fn expires(work: &Work) -> Option<Instant> {
    work.terms.selling().cart.as_ref()?.open_for.after(work.now)
}

fn bounded(work: &Work, lines: &[CartLine]) -> Result<()> {
    let count: usize = lines.iter().map(|line| 1 + line.addon_items.len()).sum();
    let most = work.terms.selling().cart.as_ref().map_or(usize::MAX, |rule| rule.lines);
    let nested = lines.iter().flat_map(|line| &line.addon_items).any(|add_on| !add_on.addon_items.is_empty());
    if count > most {
        let message = format!("a cart holds at most {most} lines, add-ons counted, and this has {count}");
        return Err(Refusal::new("cart_too_large", message).by_rule(rule(work)).into());
    }
    if nested {
        return Err(Refusal::new("cart_too_deep", "an add-on has no add-ons: put them beside it").into());
    }
    Ok(())
}

/// Makes a cart. Lines that cannot be bought now are in it, each with its error.
///
/// # Errors
/// `forbidden`, `not_found`, `cart_too_large`, `cart_too_deep`.
pub fn create(work: &mut Work, tenant: TenantId, wish: &Wish) -> Result<Cart> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    tenants::reached(work, tenant)?;
    bounded(work, &wish.lines)?;
    let cart = Cart {
        id: CartId(work.guid("cart")),
        tenant,
        generation: 1,
        creation_timestamp: work.now,
        last_modified_timestamp: work.now,
        expiration_timestamp: expires(work),
        last_modified_user: work.rights.principal.to_string(),
        status: CartStatus::Active,
        line_items: wish.lines.clone(),
        orders: Vec::new(),
    };
    keep(work, cart)
}

/// Puts these lines into a cart in place of those it has; it can be checked out for as long again.
///
/// # Errors
/// `forbidden`, `not_found`, `cart_submitted` (800065), `cart_expired`, `cart_too_large`, `cart_too_deep`.
pub fn update(work: &mut Work, tenant: TenantId, id: CartId, wish: &Wish) -> Result<Cart> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    let cart = load(work, tenant, id)?;
    if cart.status == CartStatus::Ordered {
        load_open(work, tenant, id)?;
    }
    bounded(work, &wish.lines)?;
    let after = Cart {
        generation: cart.generation + 1,
        last_modified_timestamp: work.now,
        expiration_timestamp: expires(work),
        last_modified_user: work.rights.principal.to_string(),
        line_items: wish.lines.clone(),
        ..cart
    };
    keep(work, after)
}

/// Puts more lines into a cart, behind those it has.
///
/// # Errors
/// As [`update`].
pub fn add(work: &mut Work, tenant: TenantId, id: CartId, lines: &[CartLine]) -> Result<Cart> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    let mut listed = load(work, tenant, id)?.line_items;
    listed.extend_from_slice(lines);
    update(work, tenant, id, &Wish { lines: listed })
}

/// Takes lines out of a cart, by their numbers: a base with its add-ons.
///
/// # Errors
/// As [`update`]; `not_found` where the cart has no such line.
pub fn remove(work: &mut Work, tenant: TenantId, id: CartId, numbers: &[u32]) -> Result<Cart> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    let cart = load(work, tenant, id)?;
    let known: Vec<u32> = cart.lines().iter().map(|(line, _)| line.id).collect();
    if let Some(number) = numbers.iter().find(|number| !known.contains(number)) {
        return Err(not_found("line of this cart", number));
    }
    let mut lines = cart.line_items;
    let stays = |line: &CartLine| !numbers.contains(&line.id);
    lines.retain(stays);
    lines.iter_mut().for_each(|line| line.addon_items.retain(stays));
    update(work, tenant, id, &Wish { lines })
}

/// Numbers the lines, looks at each, says on it what is chosen where it left that open, and writes the cart.
fn keep(work: &mut Work, mut cart: Cart) -> Result<Cart> {
    cart.number();
    let judged = shopping::judge(work, &cart)?;
    note_errors(&mut cart, &judged);
    for line in &mut cart.line_items {
        settle(line, &judged);
        line.addon_items.iter_mut().for_each(|add_on| settle(add_on, &judged));
    }
    cart.group();
    rows::save(&mut work.tx, &cart)?;
    Ok(cart)
}

fn settle(line: &mut CartLine, judged: &[Judged]) {
    let Some(one) = judged.iter().find(|one| one.line.id == line.id) else { return };
    if let Some(plan) = &one.plan {
        line.billing_cycle.clone_from(&plan.plan.billing_cycle);
        line.term_duration = plan.plan.term_duration;
    }
    line.currency_code = line.currency_code.or(one.unit_price.map(|price| price.currency));
}

/// Puts what keeps each line from being bought onto it.
pub(super) fn note_errors(cart: &mut Cart, judged: &[Judged]) {
    let error_of = |line: &CartLine| judged.iter().find(|one| one.line.id == line.id).and_then(|one| one.error.clone());
    for line in &mut cart.line_items {
        line.error = error_of(line);
        for add_on in &mut line.addon_items {
            add_on.error = error_of(add_on);
        }
    }
}

/// One cart.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, tenant: TenantId, id: CartId) -> Result<Cart> {
    work.require(&Grant::Read("carts"))?;
    load(work, tenant, id)
}

/// A page of carts, of one customer or of all within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn list(work: &mut Work, tenant: Option<TenantId>, after: Option<&[u8]>, limit: usize) -> Result<Page<Cart>> {
    work.require(&Grant::Read("carts"))?;
    if let Some(tenant) = tenant {
        tenants::reached(work, tenant)?;
    }
    let mut page = rows::page(&mut work.tx, tenant, after, limit)?;
    page.items.retain(|cart| work.reaches(cart.tenant));
    Ok(page)
}

/// Where a cart stands among all, as the cursor of a page.
pub fn key_of(cart: &Cart) -> Vec<u8> {
    rows::key(cart.tenant, cart.id)
}

/// A line as its buyer reviews it before checking out (BF-set).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reviewed {
    /// The line's number.
    pub line: u32,
    /// The line it is an add-on of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_on_of: Option<u32>,
    /// The item.
    pub catalog_item_id: String,
    /// Its name.
    pub name: String,
    /// Seats.
    pub quantity: i64,
    /// Every plan there is, also those that begin later.
    pub plans: Vec<Priced>,
    /// The term that is chosen.
    pub term_duration: Option<String>,
    /// The billing cycle that is chosen.
    pub billing_cycle: String,
    /// How often the term is charged.
    pub charges: u32,
    /// What a seat costs a cycle.
    pub unit_price: Option<Money>,
    /// What the customer is asked for a seat and cycle instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_price: Option<Money>,
    /// What every seat costs a cycle.
    pub price_per_cycle: Option<Money>,
    /// What every seat costs the whole term.
    pub price_of_term: Option<Money>,
    /// Whether the prices include tax in the customer's country (TAX).
    pub tax_included: bool,
    /// The purchase as the terms quote it now: what is charged at once, or why not.
    pub quote: Option<Quote>,
    /// The rule of the window that opens, in which it can be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_rule: Option<String>,
    /// First instant too late to cancel it, were it bought now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_allowed_until_date: Option<Instant>,
    /// Every reason why it cannot be bought now; empty: it can.
    pub reasons: Vec<LineError>,
}

/// A cart as its buyer reviews it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The cart.
    pub cart: CartId,
    /// Whether every line can be bought now.
    pub purchasable: bool,
    /// Its lines.
    pub lines: Vec<Reviewed>,
    /// What the first cycle of every line that can be bought costs, one amount a currency.
    pub total_per_cycle: Vec<Money>,
    /// What their whole terms cost, one amount a currency.
    pub total_of_terms: Vec<Money>,
}

/// What checking a cart out would come to: plans, prices, tax and windows of every line. Nothing is written.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn review(work: &mut Work, tenant: TenantId, id: CartId) -> Result<Review> {
    let cart = get(work, tenant, id)?;
    let judged = shopping::judge(work, &cart)?;
    let mut lines = Vec::with_capacity(judged.len());
    let (mut total_per_cycle, mut total_of_terms) = (Vec::new(), Vec::new());
    for one in judged {
        let line = shopping::reviewed(work, tenant, &one)?;
        if line.reasons.is_empty() {
            total(&mut total_per_cycle, line.price_per_cycle)?;
            total(&mut total_of_terms, line.price_of_term)?;
        }
        lines.push(line);
    }
    let purchasable = !lines.is_empty() && lines.iter().all(|line| line.reasons.is_empty());
    Ok(Review { cart: id, purchasable, lines, total_per_cycle, total_of_terms })
}

fn total(totals: &mut Vec<Money>, amount: Option<Money>) -> Result<()> {
    let Some(amount) = amount else { return Ok(()) };
    match totals.iter_mut().find(|known| known.currency == amount.currency) {
        Some(known) => *known = known.plus(amount)?,
        None => totals.push(amount),
    }
    Ok(())
}
