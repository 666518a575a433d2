//! Buying in scripts: what becomes of carts, orders and their lines.

use rhai::{Array, Dynamic, Engine, Map};

use super::carts::{CartValue, line};
use super::catalog::every;
use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::change::Reason;
use crate::domain::order::{Order, OrderLine};
use crate::domain::{OrderId, TenantId};
use crate::engine::failure::{Api, raise_refusal};
use crate::engine::reference::{Part, function, property};
use crate::engine::script_thread::with;
use crate::ops::carts::Wish;
use crate::ops::checkout::{self, CheckedOut};
use crate::ops::orders;

/// What buying came to.
#[derive(Debug, Clone)]
pub struct PurchaseValue(CheckedOut);

/// An order as a script sees it.
#[derive(Debug, Clone)]
pub struct OrderValue(Order);

/// A line of an order.
#[derive(Debug, Clone)]
pub struct LineOfOrder(OrderLine);

pub(super) const PART: Part = Part {
    title: "Buying",
    functions: &[
        function!(
            "buy",
            ["tenant: Tenant", "line: map"],
            "Purchase",
            "propose.purchase",
            "Buys one thing: `product`, `quantity`, and where it leaves a choice `term_duration`, `billing_cycle`; `currency_code`; `base` for an add-on, `custom_term_end_date`, `friendly_name`, `order_group`, `add_ons` (lines bought for this one), and `attestation_accepted: true` where the item asks for it. Never throws for business reasons: they are in `errors`.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in products(#{ is_item: true }) { let came = owner.buy(#{ product: one.id, quantity: 1 }); for error in came.errors { print(error.description); } } }"#
        ),
        function!(
            "checkout",
            ["cart: Cart"],
            "Purchase",
            "propose.purchase",
            "Makes orders of it; throws only when it expired or was checked out before.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in products(#{ is_item: true }) { print(`${owner.cart([#{ product: one.id, quantity: 5 }]).checkout().orders.len()}`); } }"#
        ),
        function!(
            "orders",
            ["tenant: Tenant"],
            "array of Order",
            "orders.read",
            "The orders of a tenant.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in products(#{ is_item: true }) { owner.buy(#{ product: one.id, quantity: 1 }); } for order in owner.orders() { print(order.status); } }"#
        ),
        function!(
            "cancel",
            ["order: Order", "reason: string", "why: string"],
            "array of map",
            "propose.cancellation",
            "Proposes to cancel the software of an order: for customer_request, non_payment or fraud. Gives `line`, `outcome` and `reasons` of each line.",
            r#"for owner in tenants(#{ country: "NL" }) { for order in owner.orders() { if order.billing_cycle == "one_time" { for line in order.cancel("customer_request", "moves away") { print(line.outcome); } } } }"#
        ),
    ],
    properties: &[
        property!("Purchase", "orders", "array of Order", "The orders that were placed"),
        property!(
            "Purchase",
            "errors",
            "array of map",
            "line, code, description and rule of each line that was not bought"
        ),
        property!(
            "Purchase",
            "outcomes",
            "array of map",
            "line, order, subscription, request and outcome of each line that was ordered"
        ),
        property!("Order", "id", "string", "Its id"),
        property!("Order", "tenant_id", "string", "The customer's id"),
        property!("Order", "status", "string", "pending, completed, partial_success, cancelled, error, ..."),
        property!("Order", "billing_cycle", "string", "monthly, annual, triennial, one_time, none"),
        property!("Order", "creation_date", "Instant?", "When it was placed"),
        property!("Order", "lines", "array of OrderLine", "Its lines"),
        property!("OrderLine", "number", "int", "Its number, from zero"),
        property!("OrderLine", "offer_id", "string", "What was bought"),
        property!("OrderLine", "friendly_name", "string", "The partner's name for it"),
        property!("OrderLine", "quantity", "int", "Seats; zero once it is cancelled"),
        property!("OrderLine", "subscription_id", "string?", "What it became"),
        property!("OrderLine", "unit_price", "Money?", "What the partner pays for a seat and cycle"),
        property!("OrderLine", "customer_price", "Money?", "What the customer is asked for instead"),
        property!("OrderLine", "error", "string?", "Why it was not bought"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<PurchaseValue>("Purchase");
    engine.register_type_with_name::<OrderValue>("Order");
    engine.register_type_with_name::<LineOfOrder>("OrderLine");
    names(engine);
    getters(engine);
    engine.register_fn("buy", |tenant: &mut TenantValue, line: Map| buy(tenant.0.id, &line));
    engine.register_fn("checkout", |cart: &mut CartValue| {
        let (tenant, id) = (cart.0.tenant, cart.0.id);
        let done = with(|work| checkout::checkout(work, tenant, id))?;
        cart.0 = done.cart.clone();
        Api::Ok(PurchaseValue(done))
    });
    engine.register_fn("orders", |tenant: &mut TenantValue| {
        let id = tenant.0.id;
        every(|work, after, limit| orders::list(work, Some(id), after, limit), |order| Dynamic::from(OrderValue(order)))
    });
    engine.register_fn("cancel", |order: &mut OrderValue, reason: &str, why: &str| cancel(order, reason, why));
}

fn names(engine: &mut Engine) {
    engine.register_fn("to_string", |done: &mut PurchaseValue| done.0.cart.id.to_string());
    engine.register_fn("to_debug", |done: &mut PurchaseValue| done.0.cart.id.to_string());
    engine.register_fn("to_string", |order: &mut OrderValue| order.0.id.to_string());
    engine.register_fn("to_debug", |order: &mut OrderValue| order.0.id.to_string());
    engine.register_fn("to_string", |line: &mut LineOfOrder| line.0.friendly_name.clone());
    engine.register_fn("to_debug", |line: &mut LineOfOrder| line.0.offer_id.clone());
}

fn getters(engine: &mut Engine) {
    engine.register_get("orders", |done: &mut PurchaseValue| -> Array {
        done.0.orders.iter().cloned().map(|order| Dynamic::from(OrderValue(order))).collect()
    });
    engine.register_get("errors", |done: &mut PurchaseValue| -> Array {
        done.0.errors.iter().map(|one| error(one.line_item_id, &one.error)).collect()
    });
    engine
        .register_get("outcomes", |done: &mut PurchaseValue| -> Array { done.0.bought.iter().map(outcome).collect() });
    engine.register_get("id", |order: &mut OrderValue| order.0.id.to_string());
    engine.register_get("tenant_id", |order: &mut OrderValue| order.0.tenant.to_string());
    engine.register_get("status", |order: &mut OrderValue| order.0.status.clone());
    engine.register_get("billing_cycle", |order: &mut OrderValue| order.0.billing_cycle.clone());
    engine.register_get("creation_date", |order: &mut OrderValue| instant_or_nothing(order.0.creation_date));
    engine.register_get("lines", |order: &mut OrderValue| -> Array {
        order.0.line_items.iter().cloned().map(|line| Dynamic::from(LineOfOrder(line))).collect()
    });
    engine.register_get("number", |line: &mut LineOfOrder| i64::from(line.0.line_item_number));
    engine.register_get("offer_id", |line: &mut LineOfOrder| line.0.offer_id.clone());
    engine.register_get("friendly_name", |line: &mut LineOfOrder| line.0.friendly_name.clone());
    engine.register_get("quantity", |line: &mut LineOfOrder| line.0.quantity);
    engine.register_get("subscription_id", |line: &mut LineOfOrder| {
        or_nothing(line.0.subscription_id.map(|id| id.to_string()))
    });
    engine.register_get("unit_price", |line: &mut LineOfOrder| or_nothing(line.0.unit_price));
    engine.register_get("customer_price", |line: &mut LineOfOrder| or_nothing(line.0.customer_price));
    engine.register_get("error", |line: &mut LineOfOrder| {
        or_nothing(line.0.error.as_ref().map(|error| error.description.clone()))
    });
}

pub(super) fn error(line: u32, error: &crate::domain::order::LineError) -> Dynamic {
    let mut map = Map::new();
    map.insert("line".into(), i64::from(line).into());
    map.insert("code".into(), error.code.clone().into());
    map.insert("description".into(), error.description.clone().into());
    map.insert("rule".into(), error.rule.clone().into());
    Dynamic::from_map(map)
}

fn outcome(bought: &checkout::Bought) -> Dynamic {
    let mut map = Map::new();
    map.insert("line".into(), i64::from(bought.line_item_id).into());
    map.insert("order".into(), bought.order.to_string().into());
    map.insert("subscription".into(), bought.subscription.to_string().into());
    map.insert("request".into(), bought.request.map(|id| id.to_string()).unwrap_or_default().into());
    map.insert("outcome".into(), bought.outcome.as_str().into());
    Dynamic::from_map(map)
}

fn buy(tenant: TenantId, map: &Map) -> Api<PurchaseValue> {
    let wish = Wish { lines: vec![line(map)?] };
    with(|work| Ok(PurchaseValue(checkout::buy(work, tenant, &wish)?)))
}

fn cancel(order: &mut OrderValue, reason: &str, why: &str) -> Api<Array> {
    let reason: Reason = reason.parse().map_err(|refusal| raise_refusal(&refusal))?;
    let (tenant, id): (TenantId, OrderId) = (order.0.tenant, order.0.id.clone());
    let done = with(|work| orders::cancel(work, tenant, &id, &[], reason, why))?;
    order.0 = done.order;
    let told = done.lines.iter().map(|(number, line)| {
        let reasons = line.request.as_ref().map(|request| request.reasons.clone()).unwrap_or_default();
        let mut map = Map::new();
        map.insert("line".into(), i64::from(*number).into());
        map.insert("outcome".into(), line.outcome.as_str().into());
        map.insert("reasons".into(), reasons.into_iter().map(Dynamic::from).collect::<Array>().into());
        Dynamic::from_map(map)
    });
    Ok(told.collect())
}
