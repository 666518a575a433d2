//! Orders as Partner Center shows them.

use super::field;
use super::write::{self, Out};
use crate::domain::money::Currency;
use crate::domain::order::{LineError, Order, OrderLine};
use crate::domain::{Money, SubscriptionId, TenantId};
use crate::json::Value;

/// An order as Partner Center shows it. `country` is the market its catalogue links name; empty: none is named.
pub fn order(order: &Order, country: &str) -> Value {
    let mut out = Out::new();
    out.text("id", &order.id.0);
    out.text("referenceCustomerId", &order.tenant.to_string());
    out.filled("billingCycle", &order.billing_cycle);
    if let Some(code) = field::kept(&order.extra, "currencyCode") {
        out.value("currencyCode", code);
    }
    if let Some(currency) = order.currency_code {
        out.text("currencyCode", currency.code());
        out.filled("currencySymbol", symbol(currency));
    }
    let lines = order.line_items.iter().map(|line| order_line(line, order, country));
    out.value("lineItems", Value::Array(lines.collect()));
    out.instant("creationDate", order.creation_date);
    out.filled("status", &order.status);
    out.filled("transactionType", &order.transaction_type);
    if let Some(total) = total(order) {
        out.value("totalPrice", Value::Number(total.amount.into()));
    }
    out.extras(&order.extra, &["id"]);
    let own = format!("/customers/{}/orders/{}", order.tenant, order.id);
    out.links(&order.extra, &own);
    if order.cart.is_some() {
        let mut links = Out::over(out.kept("links"));
        links.value("provisioningStatus", write::link(&format!("{own}/provisioningstatus"), "GET"));
        links.value("patchOperation", write::link(&own, "PATCH"));
        out.value("links", links.finish());
    }
    out.value("attributes", write::attributes("Order", Some(order.generation)));
    out.finish()
}

/// The sum of the lines' charges for one cycle, where every line of ours has a price.
fn total(order: &Order) -> Option<Money> {
    let currency = order.currency_code?;
    let mut total = Money::zero(currency);
    for line in &order.line_items {
        total = total.plus(line.unit_price?.times(line.quantity.into()).ok()?).ok()?;
    }
    Some(total)
}

fn order_line(line: &OrderLine, order: &Order, country: &str) -> Value {
    let mut out = Out::new();
    out.integer("lineItemNumber", i64::from(line.line_item_number));
    out.filled("offerId", &line.offer_id);
    if let Some(subscription) = line.subscription_id {
        out.text("subscriptionId", &subscription.to_string());
    }
    if let Some(base) = line.parent_subscription_id {
        out.text("parentSubscriptionId", &base.to_string());
    }
    if let Some(term) = line.term_duration {
        out.text("termDuration", &term.to_string());
    }
    if let Some(length) = line.renews_to {
        let mut next = Out::new();
        next.text("termDuration", &length.to_string());
        out.value("renewsTo", next.finish());
    }
    out.instant("customTermEndDate", line.custom_term_end_date);
    out.filled("transactionType", &line.transaction_type);
    out.filled("promotionId", &line.promotion_id);
    out.filled("friendlyName", &line.friendly_name);
    out.integer("quantity", line.quantity);
    write_pricing(&mut out, line);
    out.filled("partnerIdOnRecord", line.partner_id_on_record.as_deref().unwrap_or_default());
    if !line.provisioning_context.is_empty() {
        let mut context = Out::new();
        context.extras(&line.provisioning_context, &[]);
        out.value("provisioningContext", context.finish());
    }
    if line.attestation_accepted {
        out.flag("attestationAccepted", true);
    }
    if let Some(error) = &line.error {
        out.value("error", line_error(error));
    }
    out.extras(&line.extra, &[]);
    let links = links(line, order.tenant, country);
    if let Value::Object(members) = &links
        && !members.is_empty()
    {
        out.value("links", links);
    }
    out.finish()
}

fn write_pricing(out: &mut Out, line: &OrderLine) {
    if let (Some(price), None) = (line.unit_price, line.extra.get("pricing")) {
        let mut pricing = Out::new();
        pricing.value("listPrice", Value::Number(price.amount.into()));
        pricing.value("price", Value::Number(price.amount.into()));
        if let Ok(whole) = price.times(line.quantity.into()) {
            pricing.value("extendedPrice", Value::Number(whole.amount.into()));
        }
        out.value("pricing", pricing.finish());
    }
    if let Some(price) = line.customer_price {
        out.value("customerPrice", write::money(price));
    }
}

/// The links a line came with, and to what it became and where that stands in the catalogue.
fn links(line: &OrderLine, tenant: TenantId, country: &str) -> Value {
    let mut links = Out::over(field::kept(&line.extra, "links"));
    for (name, address) in links_of(tenant, &line.offer_id, line.subscription_id, country) {
        if links.kept(name).is_none() {
            links.value(name, write::link(&address, "GET"));
        }
    }
    links.finish()
}

/// The links that follow from what a line is of.
pub(super) fn links_of(
    tenant: TenantId,
    offer: &str,
    subscription: Option<SubscriptionId>,
    country: &str,
) -> Vec<(&'static str, String)> {
    let mut found = write::catalogue_links(offer, country);
    found.extend(subscription.map(|id| ("subscription", format!("/customers/{tenant}/subscriptions/{id}"))));
    found
}

/// Why a line was not bought, in Partner Center's shape with our code beside.
pub fn line_error(error: &LineError) -> Value {
    let mut out = Out::new();
    out.integer("errorCode", i64::from(error.error_code));
    out.text("errorDescription", &error.description);
    out.text("code", &error.code);
    out.filled("rule", &error.rule);
    if let Some(code) = error.partner_center_code {
        out.integer("partnerCenterCode", i64::from(code));
    }
    if let Some(subscription) = error.reactivate {
        out.text("reactivate", &subscription.to_string());
    }
    out.finish()
}

/// The sign of the currencies Partner Center shows with one.
fn symbol(currency: Currency) -> &'static str {
    match currency.code() {
        "USD" | "AUD" | "CAD" | "NZD" => "$",
        "EUR" => "\u{20ac}",
        "GBP" => "\u{a3}",
        "JPY" | "CNY" => "\u{a5}",
        _ => "",
    }
}
