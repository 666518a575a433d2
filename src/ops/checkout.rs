//! Checking out: a cart becomes orders with pending subscriptions, and each purchase is proposed; all in one commit.
//! A line that cannot be bought is told as an error and keeps nobody else's from being bought.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::cart::{Cart, CartLine, CartStatus};
use crate::domain::ids::CartId;
use crate::domain::order::{LineError, Order, OrderLine};
use crate::domain::request::Outcome;
use crate::domain::subscription::Status;
use crate::domain::{Change, Currency, Grant, Id, Kind, OrderId, Refusal, Subscription, SubscriptionId, TenantId};
use crate::partner_center::orders_write;
use crate::store::records::{Stored, carts as cart_rows, catalog as rows, subscriptions as subscription_rows};

use super::carts::{self, Wish};
use super::shopping::{self, Judged};
use super::work::Work;
use super::{Result, orders, requests};

/// A line that did not become part of an order, or whose purchase came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderError {
    /// The group of lines it was in.
    pub order_group_id: String,
    /// The line's number.
    pub line_item_id: u32,
    /// Why.
    #[serde(flatten)]
    pub error: LineError,
}

/// What became of one line that was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bought {
    /// The line's number.
    pub line_item_id: u32,
    /// Its order.
    pub order: OrderId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// The request that buys it.
    pub request: Option<Id>,
    /// What the request came to.
    pub outcome: Outcome,
}

/// What checking out came to.
#[derive(Debug, Clone)]
pub struct CheckedOut {
    /// The cart afterwards.
    pub cart: Cart,
    /// The orders that were placed.
    pub orders: Vec<Order>,
    /// What became of every line of theirs.
    pub bought: Vec<Bought>,
    /// The lines that were not bought.
    pub errors: Vec<OrderError>,
}

/// Checks a cart out. Where no line could be ordered the cart stays as it was, to be mended.
///
/// # Errors
/// `forbidden`, `not_found`, `cart_submitted` (800065), `cart_expired`, `cart_empty`.
pub fn checkout(work: &mut Work, tenant: TenantId, id: CartId) -> Result<CheckedOut> {
    check_out(work, tenant, id, None)
}

/// Checks a cart out, into orders of its own or into one that is there.
fn check_out(work: &mut Work, tenant: TenantId, id: CartId, into: Option<Order>) -> Result<CheckedOut> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    let cart = carts::load_open(work, tenant, id)?;
    if cart.line_items.is_empty() {
        return Err(Refusal::new("cart_empty", "the cart has no lines: put something into it first").into());
    }
    let judged = shopping::judge(work, &cart)?;
    let mut done = CheckedOut { cart, orders: Vec::new(), bought: Vec::new(), errors: Vec::new() };
    carts::note_errors(&mut done.cart, &judged);
    let mut placing = Placing { into, groups: Vec::new(), subscriptions: Vec::new() };
    for one in judged {
        match one.error.clone() {
            Some(error) => done.errors.push(failed(&one.line, error)),
            None => placing.order(work, tenant, id, &one),
        }
    }
    placing.place(work, &mut done)?;
    if !done.orders.is_empty() {
        done.cart.status = CartStatus::Ordered;
        done.cart.orders = done.orders.iter().map(|order| order.id.clone()).collect();
        done.cart.generation += 1;
        done.cart.last_modified_timestamp = work.now;
        done.cart.last_modified_user = work.rights.principal.to_string();
    }
    cart_rows::save(&mut work.tx, &done.cart)?;
    Ok(done)
}

/// Buys these lines: a cart made and checked out in one go.
///
/// # Errors
/// As [`carts::create`] and [`checkout`].
pub fn buy(work: &mut Work, tenant: TenantId, wish: &Wish) -> Result<CheckedOut> {
    let cart = carts::create(work, tenant, wish)?;
    checkout(work, tenant, cart.id)
}

/// Buys more with an order that is there: its add-ons above all, in the way Partner Center sells them. The lines stand
/// behind those the order has.
///
/// # Errors
/// As [`buy`]; `not_found` (20000) where there is no such order.
pub fn add(work: &mut Work, tenant: TenantId, id: &OrderId, wish: &Wish) -> Result<CheckedOut> {
    work.require(&Grant::Propose(Some(Kind::Purchase)))?;
    let order = orders::load(work, tenant, id)?;
    let cart = carts::create(work, tenant, wish)?;
    check_out(work, tenant, cart.id, Some(order))
}

fn failed(line: &CartLine, error: LineError) -> OrderError {
    OrderError { order_group_id: line.order_group.clone(), line_item_id: line.id, error }
}

/// One order that is being placed, and what puts a line into it.
struct Group {
    name: String,
    billing_cycle: String,
    currency: Option<Currency>,
    order: Order,
    lines: Vec<(CartLine, Subscription)>,
}

struct Placing {
    /// The order that all lines become part of, where there is one already.
    into: Option<Order>,
    groups: Vec<Group>,
    /// The subscriptions of the lines so far, for add-ons to name their base.
    subscriptions: Vec<(u32, SubscriptionId)>,
}

impl Placing {
    /// Puts a line that can be bought into the order of its group, its billing cycle and its currency.
    fn order(&mut self, work: &mut Work, tenant: TenantId, cart: CartId, one: &Judged) {
        let Some(draft) = &one.draft else { return };
        let (name, cycle) = (&one.line.order_group, &draft.profile.billing_cycle);
        let currency = one.unit_price.map(|price| price.currency).or(one.line.currency_code);
        let is_own = |group: &Group| group.name == *name && group.billing_cycle == *cycle && group.currency == currency;
        let known = self.groups.iter().position(|group| self.into.is_some() || is_own(group));
        let place = known.unwrap_or_else(|| {
            let order = self.into.clone().unwrap_or_else(|| fresh(work, tenant, cart, cycle, currency));
            let (name, billing_cycle) = (name.clone(), cycle.clone());
            self.groups.push(Group { name, billing_cycle, currency, order, lines: Vec::new() });
            self.groups.len() - 1
        });
        let Some(group) = self.groups.get_mut(place) else { return };
        let id = SubscriptionId(work.guid("subscription"));
        let base = one.add_on_of.and_then(|id| self.subscriptions.iter().find(|(line, _)| *line == id));
        let mut subscription = Subscription { id, ..draft.clone() };
        let profile = Arc::make_mut(&mut subscription.profile);
        profile.order_id = Some(group.order.id.clone());
        profile.parent_subscription_id = base.map(|(_, id)| *id).or(profile.parent_subscription_id);
        let number =
            group.order.line_items.iter().map(|line| line.line_item_number.saturating_add(1)).max().unwrap_or(0);
        group.order.line_items.push(order_line(number, one, &subscription));
        group.lines.push((one.line.clone(), subscription));
        self.subscriptions.push((one.line.id, id));
    }

    /// Writes the pending subscriptions, proposes every purchase, and writes the orders with what came of it.
    fn place(self, work: &mut Work, done: &mut CheckedOut) -> Result<()> {
        for mut group in self.groups {
            let mut waits = Vec::new();
            for (line, subscription) in group.lines {
                let (bought, after, why) = propose(work, &group.order, &line, subscription)?;
                if after.standing.status == Status::Pending {
                    waits.push(after.id);
                }
                let slot = group.order.line_items.iter_mut().find(|slot| slot.subscription_id == Some(after.id));
                if let (Some(slot), Some(error)) = (slot, why) {
                    slot.quantity = 0;
                    slot.error = Some(error.clone());
                    done.errors.push(failed(&line, error));
                }
                done.bought.push(bought);
            }
            let order = &mut group.order;
            // An imported order keeps its own word.
            if order.cart.is_some() {
                let settled = order.settled(|line| line.subscription_id.is_some_and(|id| waits.contains(&id)));
                settled.clone_into(&mut order.status);
            }
            order.generation += u64::from(self.into.is_some());
            rows::save_order(&mut work.tx, order)?;
            let operation = if self.into.is_some() { "update_order" } else { "create_order" };
            work.note_tenant(operation, Some(order.tenant), &order.id.0);
            work.note_made(orders_write::order(order, "").to_string());
            work.effect(format!("order {} {}", order.id, order.status));
            done.orders.push(group.order);
        }
        Ok(())
    }
}

/// Proposes one purchase: what it came to, the subscription afterwards, and why it was not bought.
fn propose(
    work: &mut Work,
    order: &Order,
    line: &CartLine,
    subscription: Subscription,
) -> Result<(Bought, Subscription, Option<LineError>)> {
    work.save_subscription(None, &subscription)?;
    let stored = Stored { value: subscription, seq: u64::MAX };
    let why = format!("line {} of order {}", line.id, order.id);
    let proposed = requests::propose_on(work, stored, Change::Purchase {}, &why)?;
    let request = proposed.request.as_ref();
    let bought = Bought {
        line_item_id: line.id,
        order: order.id.clone(),
        subscription: proposed.subscription.id,
        request: request.map(|request| request.id),
        outcome: proposed.outcome,
    };
    let is_no = matches!(proposed.outcome, Outcome::Denied | Outcome::Refused);
    let error = is_no.then(|| orders::line_error(request, proposed.outcome, orders::UNABLE));
    let after = subscription_rows::get(&mut work.tx, order.tenant, bought.subscription)?;
    Ok((bought, after.map_or(proposed.subscription, |stored| stored.value), error))
}

fn fresh(work: &mut Work, tenant: TenantId, cart: CartId, cycle: &str, currency: Option<Currency>) -> Order {
    // Twelve digits, as Partner Center's newer orders have.
    let digits: String = work.guid("order").to_string().chars().filter(|letter| *letter != '-').take(12).collect();
    Order {
        id: OrderId(digits),
        tenant,
        generation: 1,
        creation_date: Some(work.now),
        billing_cycle: cycle.to_owned(),
        currency_code: currency,
        status: "pending".to_owned(),
        transaction_type: "UserPurchase".to_owned(),
        cart: Some(cart),
        line_items: Vec::new(),
        extra: Default::default(),
    }
}

fn order_line(number: u32, one: &Judged, subscription: &Subscription) -> OrderLine {
    let (line, profile) = (&one.line, &subscription.profile);
    OrderLine {
        line_item_number: number,
        offer_id: profile.offer_id.clone(),
        subscription_id: Some(subscription.id),
        parent_subscription_id: profile.parent_subscription_id,
        friendly_name: profile.friendly_name.clone(),
        quantity: line.quantity,
        term_duration: profile.term_duration,
        renews_to: line.renews_to,
        custom_term_end_date: line.custom_term_end_date,
        transaction_type: "New".to_owned(),
        promotion_id: line.promotion_id.clone(),
        unit_price: one.unit_price,
        customer_price: one.customer_price,
        partner_id_on_record: line.reseller().map(str::to_owned),
        provisioning_context: line.provisioning_context.clone(),
        attestation_accepted: line.attestation_accepted,
        error: None,
        extra: Default::default(),
    }
}
