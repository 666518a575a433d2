//! Orders: what was bought, when, and for how much.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::field::{self, Fields};
use super::merge::{Diff, Import, Merged};
use super::orders_write;
use super::read::{Context, missing_id};
use super::subscriptions::{self, CYCLES};
use crate::domain::money::Currency;
use crate::domain::order::{Order, OrderLine};
use crate::domain::{Instant, Money, OrderId, Refusal, Span, SubscriptionId, TenantId};
use crate::json::Value;

/// What a document states about one line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineFact {
    /// From zero; the place in the list where the line does not say it.
    pub line_item_number: u32,
    /// What was bought.
    pub offer_id: Option<String>,
    /// The subscription it became.
    pub subscription_id: Option<SubscriptionId>,
    /// The partner's name for it.
    pub friendly_name: Option<String>,
    /// Seats; zero once cancelled.
    pub quantity: Option<i64>,
    /// Price of one seat for one cycle.
    pub unit_price: Option<Money>,
    /// Length of the term.
    pub term_duration: Option<Span>,
    /// The base of an add-on.
    pub parent_subscription_id: Option<SubscriptionId>,
    /// `new`, `renew`, ... as it came.
    pub transaction_type: Option<String>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// What a document states about an order; what it does not state is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    /// Its id.
    pub id: OrderId,
    /// Whose.
    pub tenant: Option<TenantId>,
    /// When it was placed.
    pub creation_date: Option<Instant>,
    /// `monthly`, `annual`, `one_time`, ...
    pub billing_cycle: Option<String>,
    /// `completed`, `cancelled`, ... as it came, in lower case.
    pub status: Option<String>,
    /// Its lines.
    pub line_items: Vec<LineFact>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// Reads an order.
pub(super) fn read(row: &Value, fields: &mut Fields<'_>, context: &Context) -> Result<OrderFact, Refusal> {
    let linked = field::link(row, "self").and_then(id_of_path).map(str::to_owned);
    let id = fields.filled("id").or_else(|| context.id.clone()).or(linked).ok_or_else(|| missing_id("order"))?;
    let named = ["referenceCustomerId", "customerId", "customerTenantId", "tenantId"];
    let named = named.into_iter().filter_map(|name| fields.filled(name)).next();
    let mut extra = BTreeMap::new();
    let currency = fields.filled("currencyCode");
    if let Some(code) = &currency {
        extra.insert("currencyCode".to_owned(), Value::String(code.clone()).to_string());
    }
    let currency = currency.and_then(|code| code.to_ascii_uppercase().parse().ok());
    let lines = fields.take("lineItems").and_then(Value::as_array).unwrap_or_default();
    let tenant = named.map(|text| field::tenant(&text)).or_else(|| field::tenant_of_links(row)).or(context.tenant);
    let owner = tenant.unwrap_or_default();
    let lines = lines.iter().enumerate().map(|(index, line)| read_line(line, index, currency, owner)).collect();
    if let Some(links) = fields.take("links").and_then(field::other_links) {
        extra.insert("links".to_owned(), links);
    }
    fields.take("attributes");
    Ok(OrderFact {
        id: subscriptions::order_id(&id),
        tenant,
        creation_date: fields.instant("creationDate"),
        billing_cycle: fields.word("billingCycle", &CYCLES),
        status: fields.word("status", &[]),
        line_items: lines,
        extra,
    })
}

fn id_of_path(path: &str) -> Option<&str> {
    let (_, behind) = path.split('?').next()?.split_once("/orders/")?;
    behind.split('/').next().filter(|id| !id.is_empty() && !field::is_placeholder(id))
}

fn read_line(row: &Value, index: usize, currency: Option<Currency>, owner: TenantId) -> LineFact {
    let mut fields = Fields::of(row);
    let number = fields.count("lineItemNumber").and_then(|number| u32::try_from(number).ok());
    let linked = field::link(row, "subscription").and_then(subscriptions::id_of_path).map(str::to_owned);
    let subscription = fields.filled("subscriptionId").or(linked);
    // The line's own price; kept beside as well, because it says more than one number.
    let pricing = fields.take("pricing");
    let mut fact = LineFact {
        line_item_number: number.unwrap_or_else(|| u32::try_from(index).unwrap_or(u32::MAX)),
        offer_id: fields.filled("offerId"),
        subscription_id: subscription.map(|text| SubscriptionId(field::guid("subscription", &text))),
        friendly_name: fields.text("friendlyName"),
        quantity: fields.count("quantity"),
        unit_price: pricing.and_then(|pricing| unit_price(pricing, currency)),
        term_duration: fields.span("termDuration"),
        parent_subscription_id: fields
            .filled("parentSubscriptionId")
            .map(|text| SubscriptionId(field::guid("subscription", &text))),
        transaction_type: fields.filled("transactionType"),
        extra: BTreeMap::new(),
    };
    if let Some(pricing) = pricing {
        fact.extra.insert("pricing".to_owned(), pricing.to_string());
    }
    fields.take("attributes");
    let own = orders_write::links_of(owner, fact.offer_id.as_deref().unwrap_or_default(), fact.subscription_id, "");
    if let Some(links) = fields.take("links").and_then(|links| field::foreign_links(links, &own)) {
        fact.extra.insert("links".to_owned(), links);
    }
    let (rest, _notes) = fields.rest();
    fact.extra.extend(rest);
    fact
}

/// The price of one seat for one cycle: `price`, else what it was discounted to, else the list price.
fn unit_price(pricing: &Value, currency: Option<Currency>) -> Option<Money> {
    let own = pricing.get_any_case("currencyCode").or_else(|| pricing.get_any_case("currency"));
    let own = own.and_then(|code| code.as_str()?.to_ascii_uppercase().parse().ok());
    let names = ["price", "discountedPrice", "listPrice"];
    let amount = names.into_iter().filter_map(|name| field::decimal(pricing.get_any_case(name)?)).next()?;
    (amount >= Decimal::ZERO).then_some(Money::new(amount, own.or(currency)?))
}

/// What an order becomes if the fact is so. Lines that the document leaves out stay.
pub fn merge(existing: Option<&Order>, fact: &OrderFact, tenant: TenantId, import: &Import) -> Merged<Order> {
    let fresh = existing.is_none();
    let mut order = existing.cloned().unwrap_or_else(|| Order {
        id: fact.id.clone(),
        tenant,
        generation: 0,
        creation_date: None,
        billing_cycle: String::new(),
        currency_code: None,
        status: String::new(),
        transaction_type: String::new(),
        cart: None,
        line_items: Vec::new(),
        extra: BTreeMap::new(),
    });
    let mut diff = Diff::of(import, fresh);
    diff.set("creationDate", &mut order.creation_date, fact.creation_date.map(Some));
    diff.set("billingCycle", &mut order.billing_cycle, fact.billing_cycle.clone());
    diff.set("status", &mut order.status, fact.status.clone());
    for line in &fact.line_items {
        let place = order.line_items.iter().position(|known| known.line_item_number == line.line_item_number);
        let before = place.and_then(|place| order.line_items.get(place)).cloned();
        let mut after = before.clone().unwrap_or_else(|| empty_line(line.line_item_number));
        take_line(&mut after, line);
        match place.and_then(|place| order.line_items.get_mut(place)) {
            Some(slot) => diff.set("lineItems", slot, Some(after)),
            None => {
                order.line_items.push(after);
                diff.note("lineItems");
            }
        }
    }
    order.line_items.sort_by_key(|line| line.line_item_number);
    diff.extras(&mut order.extra, &fact.extra);
    order.generation += u64::from(diff.moved());
    diff.merged(order)
}

fn empty_line(line_item_number: u32) -> OrderLine {
    OrderLine { line_item_number, ..OrderLine::default() }
}

fn take_line(line: &mut OrderLine, fact: &LineFact) {
    line.offer_id = fact.offer_id.clone().unwrap_or_else(|| std::mem::take(&mut line.offer_id));
    line.subscription_id = fact.subscription_id.or(line.subscription_id);
    line.friendly_name = fact.friendly_name.clone().unwrap_or_else(|| std::mem::take(&mut line.friendly_name));
    line.quantity = fact.quantity.unwrap_or(line.quantity);
    line.unit_price = fact.unit_price.or(line.unit_price);
    line.term_duration = fact.term_duration.or(line.term_duration);
    line.parent_subscription_id = fact.parent_subscription_id.or(line.parent_subscription_id);
    line.transaction_type = fact.transaction_type.clone().unwrap_or_else(|| std::mem::take(&mut line.transaction_type));
    line.extra.extend(fact.extra.clone());
}

/// The prices that an order's lines tell about the subscriptions they became.
pub fn prices(order: &Order) -> impl Iterator<Item = (SubscriptionId, Money)> {
    order.line_items.iter().filter_map(|line| Some((line.subscription_id?, line.unit_price?)))
}
